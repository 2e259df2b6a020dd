/** Names of metrics and columns: the filter of metrics, sections by prefix, and what of a metric a column shows. */
import { direction } from "./values";

/** Terms side by side have to match all, `!term` must not; each is a regular expression, in any case. */
export function metricFilter(text: string): ((path: string) => boolean) | Error {
  const terms: [boolean, RegExp][] = [];
  for (const word of text.trim().split(/\s+/)) {
    if (!word || word.toUpperCase() === "AND") continue;
    const isNot = word.startsWith("!") && word.length > 1;
    if (isSlow(word)) return new Error(`${word} could take minutes: leave out repetitions.`);
    try {
      terms.push([isNot, new RegExp(isNot ? word.slice(1) : word, "i")]);
    } catch (problem) {
      return problem instanceof Error ? problem : new Error(String(problem));
    }
  }
  return (path) => terms.every(([isNot, pattern]) => pattern.test(path) !== isNot);
}

const MAX_REPEATS = 4;

/** Whether the time grows beyond measure with the text: repetitions inside a repetition, or too many in a row. */
function isSlow(pattern: string): boolean {
  let plain = pattern.replace(/\\./gs, "x").replace(/\[[^\]]*\]/g, "x");
  if ((plain.match(/[*+{]/g) ?? []).length > MAX_REPEATS) return true;
  for (let before = ""; before !== plain;) {
    before = plain;
    plain = plain.replace(/\(([^()]*)\)([*+{]?)/g, (_, inner: string, repeat: string) =>
      /[*+{]/.test(inner) ? (repeat ? "\0" : "x+") : `x${repeat}`,
    );
  }
  return plain.includes("\0");
}

/** What the series keeps of an earlier attempt, and is no longer the run's; null where it is the run's. */
export function keptOf(path: string): { attempt: number; path: string } | null {
  const found = /^sys\/attempts\/(\d+)\/(.+)$/s.exec(path);
  return found && { attempt: Number(found[1]), path: found[2]! };
}

/** One name for the metrics of a chart; `pathsOf` finds them again, whatever signs they have. */
export const nameOf = (paths: readonly string[]): string =>
  paths.map((path) => path.replace(/[\\|]/g, "\\$&")).join("|");

export const pathsOf = (name: string): string[] =>
  (name.match(/(?:\\.|[^\\|])+/gs) ?? []).map((path) => path.replace(/\\(.)/gs, "$1"));

export interface Section {
  name: string;
  paths: string[];
}

export const MONITORING = "monitoring";
const HARDWARE = /^monitoring\/[^/]+\//;

/** The one name that a metric of the hardware has for all processes and runs: monitoring/<any>/cpu. */
export const sharedPath = (path: string): string => path.replace(HARDWARE, "monitoring/*/");

/** What a metric is called where people read it: of the hardware without the process. */
export const hardwareName = (path: string): string => path.replace(/^monitoring\/\*\//, "monitoring/");

/** The process that a metric of the hardware is of. */
export const processOf = (path: string): string => /^monitoring\/([^/]+)\//.exec(path)?.[1] ?? "";

/** Sections by what stands before the first slash; metrics of the processes' hardware come last. */
export function sectionsOf(paths: readonly string[]): Section[] {
  const found = new Map<string, string[]>();
  for (const path of paths) {
    const slash = path.indexOf("/");
    const name = slash > 0 ? path.slice(0, slash) : "metrics";
    const section = found.get(name);
    if (section) section.push(path);
    else found.set(name, [path]);
  }
  const sections = [...found].map(([name, members]) => ({ name, paths: members.sort(natural) }));
  return sections.sort((a, b) => order(a.name) - order(b.name) || natural(a.name, b.name));
}

const FIRST = ["val", "valid", "validation", "eval", "test", "train", "metrics"];

function order(name: string): number {
  if (name === MONITORING) return 3;
  const place = FIRST.indexOf(name);
  return place >= 0 ? place / FIRST.length : isOfParts(name) ? 2 : 1;
}

/** Whether a metric is about a part of the model: there are many of these, and others are looked at first. */
const isOfParts = (path: string): boolean =>
  /^(layers?|blocks?|grads?|gradients?|weights?)\b|grad_?norm|\/\d+\//i.test(path);

/** The order in which metrics are listed: validation, training, the rest, parts of the model, the hardware. */
export function byImportance(a: string, b: string): number {
  const place = (path: string): number => {
    const slash = path.indexOf("/");
    const section = order(slash > 0 ? path.slice(0, slash) : "metrics");
    return section < 2 && isOfParts(path) ? 2 : section;
  };
  return place(a) - place(b) || natural(a, b);
}

const collator = new Intl.Collator("en", { numeric: true });
/** layer2 comes before layer10. */
export const natural = (a: string, b: string): number => collator.compare(a, b);

export const AGGREGATES = ["last", "min", "max", "mean", "first", "count"] as const;
const AGGREGATE = /^(.+):(last|min|max|mean|first|count|at\(.+:(?:min|max)\))$/s;

/** The path and the aggregate of a column, "" for none; what is logged under just this name is itself. */
export function splitColumn(column: string, metrics: ReadonlySet<string>): [string, string] {
  const match = metrics.has(column) ? null : AGGREGATE.exec(column);
  return match ? [match[1]!, match[2]!] : [column, ""];
}

/** A column in words: val/acc max. A metric without an aggregate shows its last value, and says so. */
export function columnText(column: string, metrics: ReadonlySet<string>): string {
  const [path, aggregate] = splitColumn(column, metrics);
  return aggregate ? `${path} ${aggregate}` : metrics.has(column) ? `${path} last` : path;
}

/** Whether the column shows values of a metric. */
export const isMetricColumn = (column: string, metrics: ReadonlySet<string>): boolean =>
  metrics.has(column) || splitColumn(column, metrics)[1] !== "";

/** What of a metric says most: its best value where it has a good direction, else its last. */
export const bestOf = (path: string): "max" | "min" | "last" =>
  direction(path) > 0 ? "max" : direction(path) < 0 ? "min" : "last";

export const bestColumn = (path: string): string => `${path}:${bestOf(path)}`;

/** The two metrics that say most about a run, where nothing has been chosen. */
export function defaultColumns(metrics: readonly string[]): string[] {
  const scored = metrics
    .filter((path) => !path.startsWith("monitoring/"))
    .map((path): [number, string] => [score(path), path])
    .sort((a, b) => b[0] - a[0]);
  return scored.slice(0, 2).map(([, path]) => path);
}

function score(path: string): number {
  const isQuality = /acc|f1|auc|score|reward|iou|map$/i.test(path);
  const isLoss = /loss/i.test(path);
  const isHeldOut = /val|eval|test/i.test(path);
  return (isQuality ? 4 : isLoss ? 3 : 0) + (isHeldOut ? 2 : 0) - (path.split("/").length > 3 ? 2 : 0);
}
