/** Columns of tables: a config, or a metric with what of it. */
import { direction } from "./values";

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
