/** What a line of a chart is, and what lines are made of. */
import type { Spread } from "../../lib/series/group";
import type { Column, Series } from "../../lib/series/series";
import type { Kind } from "../../lib/series/smooth";
import type { Span } from "../../lib/series/spans";
import type { Cell } from "../../lib/values";

export interface Line {
  /** The run's id, or the group's; with the path behind it where a chart has several. */
  key: string;
  run: string | null;
  path: string;
  label: string;
  color: string;
  dash: number[];
  x: Float64Array;
  n: number;
  /** What is drawn: smoothed, where that is on. */
  y: Column;
  /** As logged, drawn faint behind, where `y` is not that. */
  raw: Column | null;
  low: Column | null;
  high: Column | null;
  /** Where values are not finite. */
  spans: Span[];
  isLive: boolean;
  /** It is no longer the run's, and is drawn thin. */
  isKept?: boolean;
  /** Of a group: its runs, and how many of them reached each x. */
  members: Series[] | null;
  /** Members that are counted and not drawn themselves. */
  unseen: ReadonlySet<string> | null;
  count: Uint16Array | null;
  std: Float64Array | null;
  stats: Series["stats"];
  /** Of a group: the mean of its runs' best values, as the list has it. */
  best: { mean: number; std: number; n: number } | null;
}

export interface LineRun {
  id: string;
  name: string;
  state: string;
  color: string;
  ordinal: number;
  /** Counted in its group, and not drawn itself. */
  isHidden?: boolean;
  cells: Record<string, Cell>;
}

export interface Smoothing {
  kind: Kind;
  weight: number;
}

export interface LinesInput {
  paths: readonly string[];
  runs: readonly LineRun[];
  get: (run: string, path: string) => Series | undefined;
  whole: (run: string, path: string) => Series | undefined;
  /** The run's own paths of a metric: one, but for the hardware of several processes. */
  sources: (run: string, path: string) => readonly string[];
  smoothing: Smoothing;
  groupBy: readonly string[];
  spread: Spread;
  groupColor: (index: number) => string;
}

/** Metrics that mean nothing when smoothed. */
export const UNSMOOTHED = /(^|\/)(lr|learning_rate|epoch)$|lr-/i;

/** A point of a run. */
export interface Picked {
  run: string;
  path: string;
  color: string;
  x: number;
}
