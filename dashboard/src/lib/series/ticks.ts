/** Ticks of an axis, and how they are written, for any range that doubles can have. */
import { clock, compact, day, duration, number } from "../format";

export interface Tick {
  at: number;
  /** Empty for one without a label. */
  text: string;
}

const MINUS = "−";
const sign = (text: string): string => text.replace(/^-/, MINUS);
// More digits than these, and only what changes from tick to tick is written.
const MAX_DIGITS = 6;
const MAX_SCALED = 1e15;

/** A step of 1, 2 or 5 times a power of ten that is not below `rough`. */
function niceStep(rough: number): { factor: number; power: number; step: number } {
  let power = Math.floor(Math.log10(rough));
  for (const factor of [1, 2, 5]) {
    const step = Number(`${factor}e${power}`);
    if (step >= rough * (1 - 1e-9)) return { factor, power, step };
  }
  power += 1;
  return { factor: 1, power, step: Number(`1e${power}`) };
}

/** About `count` round numbers between two ends. */
export function linearTicks(low: number, high: number, count: number): Tick[] {
  const rough = high / count - low / count;
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const { factor, power, step } = niceStep(rough);
  const first = Math.ceil(low / step - 1e-9);
  // Beyond that, doubles can't count the multiples of a step one by one.
  if (!(step > 0) || Math.abs(first) > 2 ** 52) return [low, high].map((at) => ({ at, text: exponent(at, 3) }));
  const values: number[] = [];
  for (let i = first; i * step <= high + step * 1e-9 && values.length < 100; i++) {
    const digits = i * factor;
    const at = i === 0 ? 0 : Math.abs(digits) < 1e15 ? Number(`${digits}e${power}`) : i * step;
    if (Number.isFinite(at)) values.push(at);
    else if (at > 0) break;
  }
  const texts = textsOf(values, step, power);
  return values.map((at, i) => ({ at, text: texts[i]! }));
}

const powerOf = (value: number): number => Math.floor(Math.log10(Math.abs(value)) + 1e-9);
const exponent = (value: number, digits: number): string =>
  value === 0
    ? "0"
    : sign(
        value
          .toExponential(Math.max(0, Math.min(12, digits)))
          .replace("e+", "e")
          .replace(/(\.\d*?)0+e/, "$1e")
          .replace(".e", "e"),
      );

function textsOf(values: readonly number[], step: number, power: number): string[] {
  const largest = Math.max(0, ...values.map(Math.abs));
  if (largest > 0 && powerOf(largest) - power >= MAX_DIGITS) {
    // Behind the first one, only by how much a tick is above it.
    const base = values[0]!;
    return values.map((_, k) => (k ? `+${plain(k * step, power, k * step)}` : number(base)));
  }
  return values.map((value) => plain(value, power, largest));
}

/** A multiple of ten to the `power`, as short as it can be said beside others of up to `largest`. */
function plain(value: number, power: number, largest: number): string {
  if (value === 0) return "0";
  if (largest >= MAX_SCALED || largest < 1e-3) return exponent(value, powerOf(value) - power);
  return sign(largest >= 1e4 ? compact(value) : value.toFixed(Math.max(0, -power)));
}

/** Powers of ten between two ends, and the digits between them as ticks without a label. */
export function logTicks(low: number, high: number): Tick[] {
  if (!(low > 0 && high > low && high < Infinity)) return [];
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const stride = Math.max(1, Math.ceil((last - first) / 12));
  const digits = last - first > 12 ? [1] : [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const all: Tick[] = [];
  for (let power = first; power <= last; power++) {
    for (const digit of digits) {
      const at = Number(`${digit}e${power}`);
      if (!(at >= low * (1 - 1e-12) && at <= high * (1 + 1e-12) && at < Infinity)) continue;
      const isNamed = digit === 1 && (power - first) % stride === 0;
      all.push({ at, text: isNamed ? decade(at) : "" });
    }
  }
  // Without two powers of ten in view, every tick says what it is.
  if (all.filter((tick) => tick.text).length > 1) return all;
  return all.length > 1 ? all.map(({ at }) => ({ at, text: number(at) })) : linearTicks(low, high, 4);
}

const decade = (value: number): string => (value >= 0.01 && value < 1e5 ? compact(value) : exponent(value, 0));

const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200];
const DAY = 86_400;

function secondsStep(rough: number): number {
  return SECONDS.find((one) => one >= rough) ?? Math.max(1, niceStep(rough / DAY).step) * DAY;
}

/** Ticks of durations in seconds. */
export function timeTicks(low: number, high: number, count: number): Tick[] {
  const rough = (high - low) / count;
  if (!(rough > 0)) return [];
  if (rough <= 0.5) return linearTicks(low, high, count).map(({ at, text }) => ({ at, text: at ? `${text}s` : "0" }));
  const step = secondsStep(rough);
  return multiples(low, high, step, 0).map((at) => ({
    at,
    text: at < 0 ? `${MINUS}${duration(-at)}` : at ? duration(at) : "0",
  }));
}

/** Ticks of moments, in seconds since the epoch, at round times of the reader's clock. */
export function wallTicks(low: number, high: number, count: number): Tick[] {
  const rough = (high - low) / count;
  if (!(rough > 0)) return [];
  if (rough <= 0.5) {
    const { step, power } = niceStep(rough);
    const part = (at: number): string => (at - Math.floor(at)).toFixed(Math.max(0, -power)).slice(1);
    return multiples(low, high, step, 0).map((at) => ({ at, text: clock(Math.floor(at) * 1000) + part(at) }));
  }
  const step = secondsStep(rough);
  const offset = new Date(low * 1000).getTimezoneOffset() * 60;
  return multiples(low, high, step, Number.isFinite(offset) ? offset : 0).map((at) => {
    const text = clock(at * 1000);
    return { at, text: text === "00:00:00" ? day(at) : step < 60 ? text : text.slice(0, 5) };
  });
}

function multiples(low: number, high: number, step: number, offset: number): number[] {
  const found: number[] = [];
  const first = Math.ceil((low - offset) / step);
  for (let i = first; i * step + offset <= high && found.length < 100; i++) found.push(i * step + offset);
  return found;
}
