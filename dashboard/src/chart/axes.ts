/** How the axes are labelled. */
import type uPlot from "uplot";
import { clock, compact, day, duration, moment, number } from "../lib/format";

export const FONT = "11px Geist, ui-sans-serif, system-ui, sans-serif";
const SECONDS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000,
];

export interface AxesLook {
  x: string;
  isLogX: boolean;
  isLogY: boolean;
  text: () => string;
  grid: () => string;
}

const isDecade = (value: number): boolean => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-6;
const decade = (value: number): string =>
  value >= 0.01 && value < 1e5 ? compact(value) : value.toExponential(0).replace("e+", "e");

export function axesOf(look: AxesLook): uPlot.Axis[] {
  const base: uPlot.Axis = { stroke: look.text, font: FONT, ticks: { show: false }, gap: 5, border: { show: false } };
  const xAxis: uPlot.Axis = { ...base, grid: { show: false }, size: 24, space: 64 };
  if (look.isLogX) {
    xAxis.splits = (_, __, low, high) => logSplits(low, high);
    xAxis.values = (_, splits) => splits.map((v) => (isDecade(v) ? decade(v) : ""));
  } else if (look.x === "time") {
    xAxis.incrs = [0.001, 0.01, 0.1, ...SECONDS];
    xAxis.values = (_, splits) => splits.map((v) => (v ? duration(v) : "0"));
  } else if (look.x === "wall") {
    xAxis.values = (_, splits, __, ___, gap) => splits.map((v) => wallTick(v, gap));
  } else xAxis.values = (_, splits) => splits.map((v) => compact(v) || "0");
  const yAxis: uPlot.Axis = {
    ...base,
    size: 46,
    space: look.isLogY ? 12 : 34,
    grid: { stroke: look.grid, width: 1 },
    values: (_, splits) => (look.isLogY ? decades(splits) : linear(splits)),
  };
  if (look.isLogY) {
    yAxis.splits = (_, __, low, high) => logSplits(low, high);
    yAxis.grid!.filter = (_, splits) => splits.map((v) => (isDecade(v) ? v : null));
  }
  return [xAxis, yAxis];
}

/** Where a logarithmic axis has ticks. uPlot's own never end where the axis begins a hair under a power of ten. */
export function logSplits(low: number, high: number): number[] {
  if (!(low > 0 && high > low && high < Infinity)) return [];
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const digits = last - first > 20 ? [1] : [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const all: number[] = [];
  for (let power = first; power <= last; power++) for (const digit of digits) all.push(Number(`${digit}e${power}`));
  return all.filter((v) => v >= low && v <= high);
}

/** Only powers of ten, or all ticks where there is no power of ten in view. */
function decades(splits: number[]): string[] {
  const hasDecade = splits.filter(isDecade).length > 1;
  return splits.map((v) => (!hasDecade ? number(v) : isDecade(v) ? decade(v) : ""));
}

function linear(splits: number[]): string[] {
  const gap = splits.length > 1 ? Math.abs(splits[1]! - splits[0]!) : 1;
  let digits = 0;
  while (digits < 12 && Math.abs(gap * 10 ** digits - Math.round(gap * 10 ** digits)) > 1e-6 * 10 ** digits * gap)
    digits++;
  const largest = Math.max(...splits.map(Math.abs));
  if (largest >= 1e4) {
    const texts = splits.map((v) => compact(v) || "0");
    const [first = 0] = splits;
    // Where all look the same, how much each is above the first.
    return new Set(texts).size === texts.length
      ? texts
      : splits.map((v, i) => (i ? `+${number(v - first)}` : texts[0]!));
  }
  if (largest > 0 && largest < 1e-3)
    return splits.map((v) => (v === 0 ? "0" : v.toExponential(Math.abs(Math.round(v / gap)) >= 10 ? 1 : 0)));
  return splits.map((v) => String(Number(v.toFixed(digits))).replace("-", "−"));
}

/** A tick of a wall clock: the time, and at midnight the day. */
function wallTick(seconds: number, gap: number): string {
  const at = clock(seconds * 1000);
  if (gap < 1) return at + (seconds % 1).toFixed(Math.ceil(-Math.log10(gap))).slice(1);
  return at === "00:00:00" ? day(seconds) : gap < 60 ? at : at.slice(0, 5);
}

/** A place on the x axis, in words. */
export function xText(x: string, value: number): string {
  if (x === "step")
    return `step ${value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 1000 ? 3 : 0 })}`;
  if (x === "time") return duration(value);
  if (x === "wall") return moment(value);
  return `${x} ${number(value)}`;
}
