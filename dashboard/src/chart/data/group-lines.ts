/** Groups of runs as lines: the mean of all that did not fail, whether they are shown or not. */
import { dashOf } from "../../lib/colors";
import { natural } from "../../lib/metrics";
import type { GroupLine, Spread } from "../../lib/series/group";
import { grouped, meanAndDeviation } from "../../lib/series/group";
import type { Series } from "../../lib/series/series";
import { constantOf, smooth } from "../../lib/series/smooth";
import { joined, spansOf } from "../../lib/series/spans";
import type { Cell } from "../../lib/values";
import { direction, toText } from "../../lib/values";
import type { Line, LineRun, LinesInput } from "./line";
import { UNSMOOTHED } from "./line";

/** What a run's group is called: lr 0.001 · depth 12. */
export function groupKey(run: { cells: Record<string, Cell> }, groupBy: readonly string[]): string {
  return groupBy
    .map((path) => `${path.slice(path.lastIndexOf("/") + 1)} ${toText(run.cells[path]) || "–"}`)
    .join(" · ");
}

/** A run that failed half-way would pull the mean of its group. */
export const isCounted = (run: { state: string }): boolean => run.state !== "failed" && run.state !== "crashed";

/** The names of groups in the order in which they take their colours. */
export const groupNames = (runs: Iterable<{ cells: Record<string, Cell> }>, groupBy: readonly string[]): string[] =>
  [...new Set([...runs].map((run) => groupKey(run, groupBy)))].sort(natural);

export function groupLines(input: LinesInput): Line[] {
  const groups = new Map<string, LineRun[]>();
  for (const run of input.runs) {
    const key = groupKey(run, input.groupBy);
    const members = groups.get(key);
    if (members) members.push(run);
    else groups.set(key, [run]);
  }
  const lines: Line[] = [];
  groupNames(input.runs, input.groupBy).forEach((name, index) => {
    const all = groups.get(name)!;
    // Hiding a run takes its own line away and never its part in the mean; hiding all of them hides the group.
    if (all.every((run) => run.isHidden)) return;
    const members = all.filter(isCounted);
    const unseen = new Set(members.filter((run) => run.isHidden).map((run) => run.id));
    input.paths.forEach((path, pathIndex) => {
      const series = members
        .flatMap((run) => input.sources(run.id, path).map((source) => input.get(run.id, source)))
        .filter((s) => s && !s.problem && s.n) as Series[];
      if (series.length) lines.push(groupLine({ name, index, path, pathIndex, members: series, unseen }, input));
    });
  });
  return lines;
}

interface Group {
  name: string;
  index: number;
  path: string;
  pathIndex: number;
  members: Series[];
  unseen: ReadonlySet<string>;
}

const means = new WeakMap<Series, { members: Series[]; spread: Spread; line: GroupLine }>();

function groupLine({ name, index, path, pathIndex, members, unseen }: Group, input: LinesInput): Line {
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
    spans: joined(members.flatMap((member) => spansOf(member))),
    isLive: false,
    members,
    unseen,
    count: line.count,
    std: line.std,
    stats: null,
    best: bestOfGroup(path, members),
  };
}

/** The mean over the runs of their best values: the figure that the list has of the group. */
function bestOfGroup(path: string, members: readonly Series[]): Line["best"] {
  const sign = direction(path);
  const values = members
    .map(({ stats }) => (stats ? (sign > 0 ? stats.max : sign < 0 ? stats.min : stats.last) : NaN))
    .filter(Number.isFinite);
  return values.length ? { ...meanAndDeviation(values), n: values.length } : null;
}
