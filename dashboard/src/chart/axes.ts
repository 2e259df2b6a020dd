/** The axes of a chart: where their ticks are, and how they are labelled. */
import type uPlot from "uplot";
import { duration, moment, number } from "../lib/format";
import { hardwareName } from "../lib/metrics";
import type { Tick } from "../lib/series/ticks";
import { linearTicks, logTicks, timeTicks, wallTicks } from "../lib/series/ticks";

export const FONT = "11px Geist, ui-sans-serif, system-ui, sans-serif";
const LETTER = 6.3; // pixels
const Y_WIDTH = 46;
const X_HEIGHT = 24;
const TICK_HEIGHT = 34;
const TICK_WIDTH = 64;

export interface AxesLook {
  x: string;
  isLogX: boolean;
  isLogY: boolean;
}

/** What a chart shows, and how. */
export interface ChartLook extends AxesLook {
  /** Names the chart, and says whether more is better. */
  path: string;
  zoom: readonly [number, number] | null;
  isFull: boolean;
  /** Smoothed values say so in the tooltip. */
  isSmooth: boolean;
}

/** About `count` ticks of an axis of x. */
export function xTicks(look: AxesLook, low: number, high: number, width: number): Tick[] {
  if (look.isLogX) return logTicks(low, high);
  const count = (room: number): number => Math.max(1, Math.floor(width / room));
  if (look.x === "time") return timeTicks(low, high, count(TICK_WIDTH));
  if (look.x === "wall") return wallTicks(low, high, count(TICK_WIDTH));
  const ticks = linearTicks(low, high, count(TICK_WIDTH));
  const longest = Math.max(0, ...ticks.map((tick) => tick.text.length * LETTER + 16));
  return longest > TICK_WIDTH ? linearTicks(low, high, count(longest)) : ticks;
}

/** About `count` ticks of an axis of y. */
export const yTicks = (look: AxesLook, low: number, high: number, height: number): Tick[] =>
  look.isLogY ? logTicks(low, high) : linearTicks(low, high, Math.max(1, Math.floor(height / TICK_HEIGHT)));

/** How much room the labels of an axis of y need. */
export const yWidth = (ticks: readonly Tick[]): number =>
  Math.max(Y_WIDTH, Math.min(110, 12 + LETTER * Math.max(0, ...ticks.map((tick) => tick.text.length))));

export interface AxesSource {
  /** The ticks for a plot of this size, and the place of a value from 0 to 1. */
  ticks: (axis: "x" | "y", size: number) => readonly Tick[];
  place: (axis: "x" | "y", value: number) => number;
  text: () => string;
  grid: () => string;
}

/** uPlot's axes over scales from 0 to 1: ranges of every size are divided by us. */
export function axesOf(source: AxesSource): uPlot.Axis[] {
  const base: uPlot.Axis = { stroke: source.text, font: FONT, ticks: { show: false }, gap: 5, border: { show: false } };
  let [x, y]: [readonly Tick[], readonly Tick[]] = [[], []];
  return [
    {
      ...base,
      grid: { show: false },
      size: X_HEIGHT,
      splits: (plot) => {
        x = source.ticks("x", plot.width - yWidth(y));
        return x.map((tick) => source.place("x", tick.at));
      },
      values: () => x.map((tick) => tick.text),
    },
    {
      ...base,
      size: () => yWidth(y),
      grid: {
        stroke: source.grid,
        width: 1,
        filter: (_, splits) => splits.map((at, i) => (y[i]?.text ? at : null)),
      },
      splits: (plot) => {
        y = source.ticks("y", plot.height - X_HEIGHT);
        return y.map((tick) => source.place("y", tick.at));
      },
      values: () => y.map((tick) => tick.text),
    },
  ];
}

/** A place on the x axis, in words. */
export function xText(x: string, value: number): string {
  if (x === "step")
    return `step ${value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 1000 ? 3 : 0 })}`;
  if (x === "time") return duration(value);
  if (x === "wall") return moment(value);
  return `${x} ${number(value)}`;
}

/** What an axis of x is called. */
export const xTitle = (x: string): string =>
  x === "time" ? "relative time" : x === "wall" ? "wall time" : hardwareName(x.replace(/^metric:/, ""));
