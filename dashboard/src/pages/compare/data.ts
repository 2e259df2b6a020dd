/** What the comparison of runs shows, gathered from the server. */
import type { Diff, RunDetails, Table } from "../../api/api";
import { api } from "../../api/api";
import { isShared } from "../../chart/data/hardware";
import { bestColumn, bestOf, hardwareName, natural } from "../../lib/metrics";
import type { Cell } from "../../lib/values";
import { direction, toText } from "../../lib/values";
import type { Project } from "../../state/project";
import type { RunRow } from "../../state/table";
import { BASE_COLUMNS, rowFrom } from "../../state/table";

const COLUMNS_AT_ONCE = 90;
const CONFIG_PAGE = 5000;
const DIFF = "source_code/diff";

export interface Row {
  path: string;
  values: Cell[];
  /** Of a metric: 1 where more is better, -1 where less is. */
  sign: number | null;
  /** The values differ, though what is sent of them does not. */
  isOther?: boolean;
}

export interface Part {
  name: string;
  rows: Row[];
}

export interface Compared {
  runs: RunRow[];
  parts: Part[];
  same: number;
  truncated: boolean;
}

export async function compared(
  project: Project,
  ids: readonly string[],
  base: string,
  isAll: boolean,
): Promise<Compared> {
  const known = project.metrics.peek();
  const hardware = known.filter(isShared).map((path) => `${path}:mean`);
  const metrics = known.filter((path) => !path.startsWith("monitoring/"));
  const own = metrics.flatMap((path) =>
    bestOf(path) === "last" ? [`${path}:last`] : [bestColumn(path), `${path}:last`],
  );
  const columns = [...own, ...hardware];
  const [table, diff, details] = await Promise.all([
    api.runs(project.name, { ids, columns: BASE_COLUMNS, limit: 100, trashed: "all" }),
    api.diff(project.name, ids, base),
    Promise.all(ids.map((id) => api.run(project.name, id))),
  ]);
  for (let i = 0; i < columns.length; i += COLUMNS_AT_ONCE) {
    const part = columns.slice(i, i + COLUMNS_AT_ONCE);
    const more = await api.runs(project.name, { ids, columns: part, limit: 100, trashed: "all" });
    Object.assign(table.columns, more.columns);
  }
  const order = ids.map((id) => table.ids.indexOf(id));
  const runs = ids.map((id, i) =>
    rowFrom(
      id,
      Object.fromEntries(Object.entries(table.columns).map(([path, values]) => [path, values[order[i]!] ?? null])),
    ),
  );
  const differs = (row: Row): boolean => row.isOther === true || new Set(row.values.map(toText)).size > 1;
  const wanted = (rows: Row[]): Row[] =>
    isAll ? [...rows.filter(differs), ...rows.filter((row) => !differs(row))] : rows.filter(differs);
  const metricRows = metricsOf(table, own, order).filter(hasValue);
  const configRows = await configsOf(project.name, diff, ids, base, isAll);
  const parts: Part[] = [
    { name: "Metrics", rows: wanted(metricRows) },
    ...bySection(configRows).map((part) => ({ ...part, rows: wanted(part.rows) })),
    { name: "Hardware", rows: wanted(metricsOf(table, hardware, order).filter(hasValue)) },
    { name: "Environment", rows: wanted(facts(details, (one) => one.env)) },
    {
      name: "Source",
      rows: [...(await changesOf(project.name, diff, ids)), ...wanted(facts(details, (one) => one.git))],
    },
  ];
  return { runs, parts, same: diff.same, truncated: diff.truncated };
}

const hasValue = (row: Row): boolean => row.values.some((v) => v !== null);

function metricsOf(table: Table, columns: readonly string[], order: readonly number[]): Row[] {
  return columns.map((path) => ({
    path: hardwareName(path).replace(/:(\w+)$/, " $1"),
    values: order.map((i) => table.columns[path]?.[i] ?? null),
    sign: direction(path),
  }));
}

const OURS = /^(monitoring|source_code|sys)\//;

/** Configs that the user has logged; what goodseed gathers itself is under Environment and Source. */
async function configsOf(
  project: string,
  diff: Diff,
  ids: readonly string[],
  base: string,
  isAll: boolean,
): Promise<Row[]> {
  const rows = diff.paths.map((path, i): Row => ({
    path,
    values: ids.map((id) => diff.values[id]?.[i] ?? null),
    sign: null,
    isOther: true,
  }));
  if (isAll) {
    const known = new Set(diff.paths);
    for (let cursor: string | null = ""; cursor !== null;) {
      const page = await api.config(project, base, { limit: CONFIG_PAGE, ...(cursor ? { cursor } : {}) });
      cursor = page.next;
      for (const item of page.items)
        if (!known.has(item.path)) rows.push({ path: item.path, values: ids.map(() => item.value), sign: null });
    }
  }
  return rows.filter((row) => !OURS.test(row.path)).sort((a, b) => natural(a.path, b.path));
}

/** Which files each run had changed, where the changes differ. */
async function changesOf(project: string, diff: Diff, ids: readonly string[]): Promise<Row[]> {
  if (!diff.paths.includes(DIFF)) return [];
  const sources = await Promise.all(ids.map((id) => api.source(project, id)));
  const values = sources.map(
    ({ files }) => files.map((file) => `${file.path} +${file.add} −${file.del}`).join(", ") || "none",
  );
  return [{ path: "uncommitted changes", values, sign: null, isOther: true }];
}

function bySection(rows: readonly Row[]): Part[] {
  const parts = new Map<string, Row[]>();
  for (const row of rows) {
    const slash = row.path.indexOf("/");
    const name = slash > 0 ? row.path.slice(0, slash) : "Config";
    const inside = slash > 0 ? { ...row, path: row.path.slice(slash + 1) } : row;
    parts.set(name, [...(parts.get(name) ?? []), inside]);
  }
  return [...parts].map(([name, inside]) => ({ name, rows: inside }));
}

function facts(
  details: readonly RunDetails[],
  of: (run: RunDetails) => Record<string, Cell | Record<string, Cell>>,
): Row[] {
  const names = [...new Set(details.flatMap((run) => Object.keys(of(run))))].sort(natural);
  const value = (run: RunDetails, name: string): Cell => {
    const found = of(run)[name] ?? null;
    return found !== null && typeof found === "object" && !Array.isArray(found) ? JSON.stringify(found) : found;
  };
  return names.map((name) => ({ path: name, values: details.map((run) => value(run, name)), sign: null }));
}
