/** What a chart draws: a line for each run, or for each group of runs. */
import type { GroupLine, Spread } from "../lib/group";
import { at, grouped } from "../lib/group";
import type { Column, Series } from "../lib/series";
import type { Kind } from "../lib/smooth";
import { constantOf, smooth } from "../lib/smooth";
import type { Cell } from "../lib/values";
import { toText } from "../lib/values";
import { dashOf } from "../lib/colors";
import { natural } from "../lib/metrics";

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
  nonfinite: Series["nonfinite"];
  isLive: boolean;
  /** Of a group: its runs, and how many of them reached each x. */
  members: Series[] | null;
  count: Uint16Array | null;
  stats: Series["stats"];
}

export interface LineRun {
  id: string;
  name: string;
  state: string;
  color: string;
  ordinal: number;
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
  smoothing: Smoothing;
  groupBy: readonly string[];
  spread: Spread;
  groupColor: (index: number) => string;
}

const MIN_SMOOTHED = 10;
const UNSMOOTHED = /(^|\/)(lr|learning_rate|epoch)$|lr-/i;
const smoothed = new WeakMap<Series, Map<string, Column>>();

export function linesOf(input: LinesInput): Line[] {
  return input.groupBy.length ? groupLines(input) : runLines(input);
}

function runLines(input: LinesInput): Line[] {
  const lines: Line[] = [];
  const uses = new Map<string, number>();
  for (const run of input.runs) {
    const use = uses.get(run.color) ?? 0;
    uses.set(run.color, use + 1);
    input.paths.forEach((path, index) => {
      const series = input.get(run.id, path);
      if (!series || series.problem || !series.n) return;
      const several = input.paths.length > 1;
      lines.push({
        ...drawn(series, input, path, run.id),
        key: several ? `${run.id}\n${path}` : run.id,
        run: run.id,
        path,
        label: !several ? run.name : input.runs.length > 1 ? `${run.name} · ${path}` : path,
        color: several && input.runs.length === 1 ? input.groupColor(index) : run.color,
        dash: several && input.runs.length > 1 ? dashOf(index) : dashOf(use),
        isLive: run.state === "running",
      });
    });
  }
  return lines;
}

function drawn(
  series: Series,
  input: LinesInput,
  path: string,
  run: string,
): Pick<Line, "x" | "n" | "y" | "raw" | "low" | "high" | "nonfinite" | "members" | "count" | "stats"> {
  const base = series.raw ? series.last : series.mean;
  const isSmooth = input.smoothing.weight > 0 && series.total >= MIN_SMOOTHED && !UNSMOOTHED.test(path);
  const y = isSmooth ? smoothOf(series, base, input.smoothing, input.whole(run, path)) : base;
  return {
    x: series.x,
    n: series.n,
    y,
    raw: y === base ? null : base,
    low: series.raw ? null : series.min,
    high: series.raw ? null : series.max,
    nonfinite: series.nonfinite,
    members: null,
    count: null,
    stats: series.stats,
  };
}

/** Smoothed once for each weight. In a zoom, what came before is taken from the whole series. */
function smoothOf(series: Series, base: Column, how: Smoothing, whole: Series | undefined): Column {
  const kept = smoothed.get(series) ?? new Map<string, Column>();
  smoothed.set(series, kept);
  const extent = extentOf(whole ?? series);
  const key = `${how.kind} ${how.weight} ${extent}`;
  let found = kept.get(key);
  if (!found) {
    const constant = constantOf(how.weight, extent);
    let before: number | undefined;
    if (whole && whole !== series && how.kind === "ema" && whole.x[0]! < series.x[0]!) {
      const y = smoothOf(whole, whole.raw ? whole.last : whole.mean, how, undefined);
      const value = at({ x: whole.x, n: whole.n, mean: y }, series.x[0]!);
      if (Number.isFinite(value)) before = value;
    }
    found = smooth(how.kind, series.x, base, constant, before);
    kept.clear();
    kept.set(key, found);
  }
  return found;
}

const extentOf = (series: Series): number => (series.n ? series.x[series.n - 1]! - series.x[0]! : 0);

function groupLines(input: LinesInput): Line[] {
  const groups = new Map<string, LineRun[]>();
  for (const run of input.runs) {
    const key = groupKey(run, input.groupBy);
    const members = groups.get(key);
    if (members) members.push(run);
    else groups.set(key, [run]);
  }
  const names = [...groups.keys()].sort(natural);
  const lines: Line[] = [];
  names.forEach((name, index) => {
    // A run that failed half-way would pull the mean of its group.
    const members = groups.get(name)!.filter((run) => run.state !== "failed" && run.state !== "crashed");
    input.paths.forEach((path, pathIndex) => {
      const series = members.map((run) => input.get(run.id, path)).filter((s) => s && !s.problem && s.n) as Series[];
      if (!series.length) return;
      lines.push(groupLine(name, index, path, pathIndex, series, input));
    });
  });
  return lines;
}

const means = new WeakMap<Series, { members: Series[]; spread: Spread; line: GroupLine }>();

function groupLine(
  name: string,
  index: number,
  path: string,
  pathIndex: number,
  members: Series[],
  input: LinesInput,
): Line {
  const kept = means.get(members[0]!);
  const isSame =
    kept &&
    kept.spread === input.spread &&
    kept.members.length === members.length &&
    kept.members.every((s, i) => s === members[i]);
  const line = isSame ? kept.line : grouped(members, input.spread);
  if (!isSame) means.set(members[0]!, { members, spread: input.spread, line });
  const extent = line.n ? line.x[line.n - 1]! - line.x[0]! : 0;
  const constant = UNSMOOTHED.test(path) ? 0 : constantOf(input.smoothing.weight, extent);
  const several = input.paths.length > 1;
  return {
    key: several ? `${name}\n${path}` : name,
    run: null,
    path,
    label: several ? `${name} · ${path}` : name,
    color: input.groupColor(index),
    dash: several ? dashOf(pathIndex) : [],
    x: line.x,
    n: line.n,
    y: smooth(input.smoothing.kind, line.x, line.mean, constant),
    raw: constant > 0 ? line.mean : null,
    low: line.low,
    high: line.high,
    nonfinite: [],
    isLive: false,
    members,
    count: line.count,
    stats: null,
  };
}

/** What a run's group is called: lr 0.001 · depth 12. */
export function groupKey(run: { cells: Record<string, Cell> }, groupBy: readonly string[]): string {
  return groupBy
    .map((path) => `${path.slice(path.lastIndexOf("/") + 1)} ${toText(run.cells[path]) || "–"}`)
    .join(" · ");
}
