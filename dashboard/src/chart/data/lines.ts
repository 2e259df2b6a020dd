/** What a chart draws: a line for each run, or for each group of runs. */
import { dashOf } from "../../lib/colors";
import { keptOf, processOf } from "../../lib/metrics";
import { at } from "../../lib/series/group";
import type { Column, Series } from "../../lib/series/series";
import { constantOf, smooth } from "../../lib/series/smooth";
import type { Span } from "../../lib/series/spans";
import { spansOf } from "../../lib/series/spans";
import { groupLines } from "./group-lines";
import type { Line, LinesInput, Smoothing } from "./line";
import { UNSMOOTHED } from "./line";

const MIN_SMOOTHED = 10;
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
      const several = input.paths.length > 1;
      const sources = input.sources(run.id, path);
      sources.forEach((source, k) => {
        const series = input.get(run.id, source);
        if (!series || series.problem || !series.n) return;
        const kept = keptOf(path);
        const own = kept ? `attempt ${kept.attempt}` : path;
        const name = !several ? run.name : input.runs.length > 1 ? `${run.name} · ${own}` : own;
        const dash = several && input.runs.length > 1 ? index : sources.length > 1 ? k : use;
        lines.push({
          ...drawn(series, input, source, run.id),
          key: several || sources.length > 1 ? `${run.id}\n${source}` : run.id,
          run: run.id,
          path: source,
          label: sources.length > 1 ? `${name} · ${processOf(source)}` : name,
          color: several && input.runs.length === 1 ? input.groupColor(kept ? 0 : index) : run.color,
          dash: kept ? dashOf(kept.attempt + 1) : dashOf(dash),
          isKept: kept !== null,
          isLive: run.state === "running",
        });
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
): Pick<
  Line,
  "x" | "n" | "y" | "raw" | "low" | "high" | "spans" | "members" | "unseen" | "count" | "std" | "stats" | "best"
> {
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
    spans: spansOfSeries(series),
    members: null,
    unseen: null,
    count: null,
    std: null,
    best: null,
    stats: series.stats,
  };
}

const spans = new WeakMap<Series, Span[]>();
function spansOfSeries(series: Series): Span[] {
  let found = spans.get(series);
  if (!found) spans.set(series, (found = spansOf(series)));
  return found;
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
