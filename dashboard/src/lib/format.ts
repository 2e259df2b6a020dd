/** How numbers, steps, durations and times are written. All of them are short enough for a table's cell. */

const MINUS = "−";

/** A value of a metric or config: four significant digits, an exponent where that is shorter. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${MINUS}∞`;
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (Number.isInteger(value) && size < 1e5) return sign(String(value));
  if (size >= 1e15 || size < 1e-4) return sign(value.toExponential(2).replace("e+", "e"));
  if (size >= 1e4) return sign(compact(value));
  const digits = size >= 1000 ? 1 : size >= 100 ? 2 : size >= 1 ? 3 : 4;
  return sign(size < 0.01 ? trim(value.toPrecision(3)) : value.toFixed(digits));
}

/** A value beside others within a `span`: with as many digits as tell them apart, else as it is `usual`. */
export function among(value: number, span: number, usual: (value: number) => string = number): string {
  const parts = Math.abs(value) / span;
  if (!Number.isFinite(value) || !(parts > 100 && parts < Infinity)) return usual(value);
  return sign(String(Number(value.toPrecision(Math.min(17, Math.ceil(Math.log10(parts)) + 3)))).replace("e+", "e"));
}

/** How far several values are apart, for `among`; those that are no finite numbers do not count. */
export function spanOf(values: Iterable<number | null | undefined>): number {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (typeof value !== "number" || !Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? high - low : NaN;
}

/** The mean of several values and how far they are apart: 0.7443 ± 0.0276. */
export const meanText = (mean: number, std: number | null): string =>
  std === null || !Number.isFinite(std) ? number(mean) : `${among(mean, std)} ± ${number(std)}`;

/** A config's number: as short as it can be said with six digits. */
export const short = (value: number): string =>
  Number.isFinite(value) ? sign(String(Number(value.toPrecision(6)))) : number(value);

/** A number in full, for tooltips and copies: nothing is rounded. */
export const exact = (value: number): string => (Number.isFinite(value) ? String(value) : number(value));

const sign = (text: string): string => text.replace(/^-/, MINUS);
const trim = (text: string): string => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

const UNITS: readonly [number, string][] = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

/** 37,200 is 37.2k. */
export function compact(value: number): string {
  const size = Math.abs(value);
  for (const [unit, letter] of UNITS) {
    if (size >= unit) {
      const scaled = value / unit;
      return trim(scaled.toFixed(Math.abs(scaled) >= 100 ? 0 : Math.abs(scaled) >= 10 ? 1 : 2)) + letter;
    }
  }
  return trim(value.toPrecision(4));
}

/** A step, in full: 37,200 or 0.25. */
export const step = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 6 });

/** A count: 1,284. */
export const count = (value: number): string => value.toLocaleString("en");

/** So many of something: 1 run, 1,284 runs. */
export const counted = (value: number, what: string): string => `${count(value)} ${what}${value === 1 ? "" : "s"}`;

/** Seconds as 51m 15s. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "";
  const whole = Math.max(0, Math.round(seconds));
  if (seconds < 1 && seconds > 0) return `${Math.round(seconds * 1000)}ms`;
  const [days, hours, minutes] = [
    Math.floor(whole / 86400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days) return `${days}d ${pad(hours)}h`;
  if (hours) return `${hours}h ${pad(minutes)}m`;
  if (minutes) return `${minutes}m ${pad(whole % 60)}s`;
  return `${whole}s`;
}

const pad = (value: number): string => String(value).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Seconds since the epoch as 22 Nov, in the reader's time zone; with the year where it is another one. */
export function day(seconds: number): string {
  const date = new Date(seconds * 1000);
  const year = date.getFullYear() === new Date().getFullYear() ? "" : ` ${date.getFullYear()}`;
  return `${date.getDate()} ${MONTHS[date.getMonth()] ?? ""}${year}`;
}

/** Seconds since the epoch as 22 Nov 20:00:07. */
export const moment = (seconds: number): string => `${day(seconds)} ${clock(seconds * 1000)}`;

/** Seconds since the epoch as 22 Nov 20:00. */
export const time = (seconds: number | null | undefined): string =>
  seconds === null || seconds === undefined || !Number.isFinite(seconds) ? "" : moment(seconds).slice(0, -3);

/** Milliseconds since the epoch as 20:00:07. */
export function clock(ms: number): string {
  const date = new Date(ms);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** How long ago: just now, 5m ago, 3d ago. */
export function ago(seconds: number | null | undefined, now = Date.now() / 1000): string {
  if (seconds === null || seconds === undefined) return "";
  const past = now - seconds;
  if (past < 10) return "just now";
  if (past < 3600) return past < 60 ? `${Math.floor(past)}s ago` : `${Math.floor(past / 60)}m ago`;
  return past < 86400 ? `${Math.floor(past / 3600)}h ago` : `${Math.floor(past / 86400)}d ago`;
}

/** How much `value` is above `base`, in per cent; empty where that says nothing. */
export function change(value: number, base: number): string {
  if (!Number.isFinite(value) || !Number.isFinite(base) || base === 0) return "";
  const percent = ((value - base) / Math.abs(base)) * 100;
  const digits = Math.abs(percent) < 9.995 ? 2 : Math.abs(percent) < 1000 ? 1 : 0;
  return (percent > 0 ? "+" : "") + sign(percent.toFixed(digits)) + " %";
}

/** What stands before the last slash, with it, and what stands behind. */
export function splitPath(path: string): [string, string] {
  const slash = path.lastIndexOf("/");
  return [path.slice(0, slash + 1), path.slice(slash + 1)];
}
