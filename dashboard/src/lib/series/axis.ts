/** Axes of parallel coordinates and scatter plots: a number's place, or a text's among all texts. */
import { number } from "../format";
import { natural } from "../metrics";
import type { Cell } from "../values";
import { toNumber, toText } from "../values";
import { linearTicks } from "./ticks";

export interface PlotAxis {
  path: string;
  kind: "linear" | "log" | "choice";
  /** Where a value stands, from 0 to 1; null where the run has none. */
  place: (cell: Cell | undefined) => number | null;
  /** What stands at a place: for a brush. */
  at: (part: number) => number | string;
  ticks: { part: number; text: string }[];
}

const MAX_CHOICES = 30;

/** The axis for some cells; numbers of which there are only a few are a choice, unless it `isScale`. */
export function plotAxis(path: string, cells: readonly Cell[], isScale: boolean): PlotAxis {
  const present = cells.filter((cell) => cell !== null);
  const numbers = present.map(toNumber).filter((v): v is number => v !== null && Number.isFinite(v));
  const isNumeric = numbers.length > 0 && present.every((cell) => toNumber(cell) !== null);
  const distinct = new Set(numbers);
  if (!isNumeric || (distinct.size <= 6 && !isScale)) return choiceAxis(path, present);
  const [low, high] = [numbers.reduce((a, b) => Math.min(a, b)), numbers.reduce((a, b) => Math.max(a, b))];
  return low > 0 && high / low >= 50 ? logAxis(path, low, high) : linearAxis(path, low, high);
}

function choiceAxis(path: string, cells: readonly Cell[]): PlotAxis {
  const numeric = (text: string): number => Number(text);
  const all = [...new Set(cells.map(toText))];
  const isNumeric = all.every((text) => text !== "" && Number.isFinite(numeric(text)));
  const names = all.sort(isNumeric ? (a, b) => numeric(a) - numeric(b) : natural).slice(0, MAX_CHOICES);
  const place = new Map(names.map((name, i) => [name, (i + 0.5) / names.length]));
  return {
    path,
    kind: "choice",
    place: (cell) => (cell === null || cell === undefined ? null : (place.get(toText(cell)) ?? null)),
    at: (part) => names[Math.max(0, Math.min(names.length - 1, Math.floor(part * names.length)))] ?? "",
    ticks: names.map((name, i) => ({ part: (i + 0.5) / names.length, text: name })),
  };
}

function linearAxis(path: string, low: number, high: number): PlotAxis {
  // Halves, since the whole of the largest range is no number.
  const span = high / 2 - low / 2 || 1;
  const place = (v: number): number => (v / 2 - low / 2) / span;
  const ticks = linearTicks(low, high, 4).map(({ at, text }) => ({ part: place(at), text }));
  return {
    path,
    kind: "linear",
    place: (cell) => placed(toNumber(cell), place),
    at: (part) => low + 2 * part * span,
    ticks: ticks.length > 1 ? ticks : [{ part: 0, text: number(low) }],
  };
}

function logAxis(path: string, low: number, high: number): PlotAxis {
  const [a, b] = [Math.log10(low), Math.log10(high)];
  const decades: number[] = [];
  for (let e = Math.ceil(a - 1e-9); e <= b + 1e-9; e++) decades.push(e);
  const marks = decades.length > 1 ? decades.map((e) => 10 ** e) : [low, high];
  return {
    path,
    kind: "log",
    place: (cell) => placed(toNumber(cell), (v) => (v > 0 ? (Math.log10(v) - a) / (b - a) : NaN)),
    at: (part) => 10 ** (a + part * (b - a)),
    ticks: marks.map((value) => ({ part: (Math.log10(value) - a) / (b - a), text: number(value) })),
  };
}

function placed(value: number | null, at: (value: number) => number): number | null {
  if (value === null || !Number.isFinite(value)) return null;
  const part = at(value);
  return Number.isFinite(part) ? Math.max(0, Math.min(1, part)) : null;
}

/** The terms of a filter that a brush over an axis stands for. */
export function brushTerms(
  axis: PlotAxis,
  from: number,
  to: number,
  quote: (path: string) => string,
  text: (value: string) => string,
): string[] {
  const [low, high] = [Math.min(from, to), Math.max(from, to)];
  if (axis.kind !== "choice")
    return [
      `${quote(axis.path)}>=${Number(axis.at(low)).toPrecision(4)}`,
      `${quote(axis.path)}<=${Number(axis.at(high)).toPrecision(4)}`,
    ];
  const names = axis.ticks.filter((tick) => tick.part >= low && tick.part <= high).map((tick) => tick.text);
  const terms = names.map((name) => `${quote(axis.path)}=${text(name)}`);
  return terms.length > 1 ? [`(${terms.join(" or ")})`] : terms;
}
