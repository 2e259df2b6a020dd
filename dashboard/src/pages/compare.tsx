/** Two to ten runs side by side, and all runs of the filter in one plot. */
import type { JSX } from "preact";
import type { Diff, RunDetails, Table } from "../api";
import { api } from "../api";
import { markdown } from "../lib/csv";
import { change, count, counted, number } from "../lib/format";
import { natural } from "../lib/metrics";
import type { Cell } from "../lib/values";
import { direction, toNumber, toText } from "../lib/values";
import { one, runPath, setParams } from "../state/location";
import type { Project } from "../state/project";
import type { RunRow } from "../state/table";
import { BASE_COLUMNS, rowFrom } from "../state/table";
import { runColor } from "../state/theme";
import { FilterBox } from "../ui/filter";
import { Icon } from "../ui/icons";
import { copy, IconButton, Item, Menu, Seg, StateMark, useAnswer } from "../ui/parts";
import { PlotBox } from "../ui/plot-box";
import { RunPicker } from "../ui/run-picker";
import { comparable, MAX_COMPARED } from "../ui/topbar";

const COLUMNS_AT_ONCE = 90;
const CONFIG_PAGE = 5000;
const DIFF = "source_code/diff";

interface Row {
  path: string;
  values: Cell[];
  /** Of a metric: 1 where more is better, -1 where less is. */
  sign: number | null;
  /** The values differ, though what is sent of them does not. */
  isOther?: boolean;
}

interface Part {
  name: string;
  rows: Row[];
}

interface Compared {
  runs: RunRow[];
  parts: Part[];
  same: number;
  truncated: boolean;
}

export function Compare({ project }: { project: Project }): JSX.Element {
  const chosen = comparable();
  const base = chosen.includes(one("base")) ? one("base") : (chosen[0] ?? "");
  const ids = [base, ...chosen.filter((id) => id !== base)].filter(Boolean).slice(0, MAX_COMPARED);
  return (
    <main class="cmppage">
      <div class="tools">
        <h1 class="h2">Compare</h1>
        <div style={{ flex: "0 1 420px", minWidth: "200px" }}>
          <FilterBox project={project} />
        </div>
        <span class="dim">{counted(project.table.total.value, "run")} in the plot</span>
      </div>
      <PlotBox project={project} />
      {ids.length < 2 ? (
        <div class="tools">
          <span>Choose at least two runs to see what differs between them.</span>
          <AddRun project={project} ids={ids} />
        </div>
      ) : (
        <Differences project={project} ids={ids} base={base} />
      )}
    </main>
  );
}

function AddRun({ project, ids }: { project: Project; ids: readonly string[] }): JSX.Element {
  return (
    <Menu
      label="Add a run"
      button={(toggle, isOpen) => (
        <button type="button" class="btn" aria-expanded={isOpen} disabled={ids.length >= MAX_COMPARED} onClick={toggle}>
          <Icon name="plus" isSmall />
          Run
        </button>
      )}
    >
      {(close) => (
        <RunPicker
          project={project.name}
          without={ids}
          onPick={(row) => {
            setParams({ runs: [...ids, row.id] });
            close();
          }}
        />
      )}
    </Menu>
  );
}

function Differences({ project, ids, base }: { project: Project; ids: readonly string[]; base: string }): JSX.Element {
  const isAll = one("all") === "1";
  const text = one("rows");
  const { data, error } = useAnswer(
    () => compared(project, ids, base, isAll),
    [ids.join("\n"), isAll, project.metrics.value],
  );
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const parts = (data?.parts ?? []).map((part) => ({
    ...part,
    rows: part.rows.filter((row) =>
      words.every(
        (word) =>
          row.path.toLowerCase().includes(word) || row.values.some((v) => toText(v).toLowerCase().includes(word)),
      ),
    ),
  }));
  const baseRow = data?.runs[0];
  const remove = (id: string): void => setParams({ runs: ids.filter((one) => one !== id) });
  return (
    <>
      <div class="tools">
        <span class="h2">{counted(ids.length, "run")}</span>
        <label class="q low" style={{ maxWidth: "260px" }}>
          <Icon name="search" isSmall />
          <input
            placeholder="Filter rows"
            aria-label="Filter rows"
            value={text}
            onInput={(event) => setParams({ rows: event.currentTarget.value || null })}
          />
        </label>
        <Seg
          label="Rows"
          value={isAll ? "all" : "diff"}
          options={[
            ["diff", "Only differences"],
            ["all", "All"],
          ]}
          onChange={(value) => setParams({ all: value === "all" ? "1" : null })}
        />
        {data && !isAll && (
          <span class="dim">{data.same === 1 ? "1 config is" : `${count(data.same)} configs are`} the same</span>
        )}
        <span class="sp" />
        <span class="dim">Baseline</span>
        <Menu
          label="Baseline"
          button={(toggle, isOpen) => (
            <button type="button" class="btn" aria-expanded={isOpen} onClick={toggle}>
              {baseRow && <span class="sw" style={{ "--c": runColor(baseRow) }} />}
              <span class="t">{baseRow?.name ?? base}</span>
              <Icon name="down" isSmall />
            </button>
          )}
        >
          {(close) =>
            (data?.runs ?? []).map((run) => (
              <Item
                key={run.id}
                isChecked={run.id === base}
                onClick={() => {
                  setParams({ base: run.id, runs: [...ids] });
                  close();
                }}
              >
                {run.name}
              </Item>
            ))
          }
        </Menu>
        <AddRun project={project} ids={ids} />
        <button
          type="button"
          class="btn"
          disabled={!data}
          onClick={() => data && copy(asMarkdown(data, parts), "Copied as Markdown")}
        >
          <Icon name="copy" isSmall />
          Markdown
        </button>
      </div>
      {error && <p class="fault">{error}</p>}
      {data?.truncated && <p class="fault">There are more differences than are shown: filter them.</p>}
      <table class="cmp">
        <thead>
          <tr>
            <td />
            {(data?.runs ?? []).map((run, i) => (
              <th key={run.id} scope="col">
                <div class="lrow">
                  <span class="sw" style={{ "--c": runColor(run) }} />
                  <a class="t" title={run.name} href={runPath(project.name, run.id)}>
                    {run.name}
                  </a>
                  <IconButton icon="close" label={`Leave out ${run.name}`} isSmall onClick={() => remove(run.id)} />
                </div>
                <div class="lrow dim">
                  <StateMark state={run.state} /> {i ? run.state : "baseline"}
                </div>
              </th>
            ))}
          </tr>
        </thead>
        {parts
          .filter((part) => part.rows.length)
          .map((part) => (
            <tbody key={part.name}>
              <tr class="sec">
                <th scope="rowgroup" colSpan={ids.length + 1}>
                  {part.name} <span class="dim">{part.rows.length}</span>
                </th>
              </tr>
              {part.rows.map((row) => (
                <ComparedRow key={row.path} row={row} />
              ))}
            </tbody>
          ))}
      </table>
      {data && !parts.some((part) => part.rows.length) && (
        <p class="more dim" style={{ padding: "0 14px" }}>
          Nothing differs.
        </p>
      )}
    </>
  );
}

function ComparedRow({ row }: { row: Row }): JSX.Element {
  const numbers = row.values.map(toNumber);
  const finite = numbers.filter((v): v is number => v !== null && Number.isFinite(v));
  const best = row.sign && finite.length > 1 ? (row.sign > 0 ? Math.max(...finite) : Math.min(...finite)) : null;
  const [base] = numbers;
  const ids = row.values.length;
  return (
    <tr>
      <th scope="row" title={row.path}>
        {row.path}
      </th>
      {row.values.map((value, i) => {
        const isSame = toText(value) === toText(row.values[0]);
        if (row.sign === null) {
          const isFurther = row.isOther && isSame && i > 0 && ids < 3;
          return (
            <td key={i} class={i === 0 ? "" : isSame && !isFurther ? "same" : "df"} title={toText(value)}>
              {value === null ? "–" : toText(value)}
              {isFurther && <span class="dim"> … differs further on</span>}
            </td>
          );
        }
        const v = numbers[i] ?? null;
        const delta = i && v !== null && base !== null && base !== undefined ? change(v, base) : "";
        const isBetter = v !== null && base !== null && base !== undefined && (v - base) * row.sign > 0;
        return (
          <td key={i} class={v !== null && v === best ? "bst" : ""} title={toText(value)}>
            {v === null ? "–" : number(v)}
            {v !== null && v === best && (
              <span class="up" aria-label="best">
                {" "}
                ●
              </span>
            )}
            {delta && (
              <span class={row.sign === 0 || v === base ? "dl dim" : isBetter ? "dl up" : "dl dn"}>{delta}</span>
            )}
          </td>
        );
      })}
    </tr>
  );
}

function asMarkdown(data: Compared, parts: readonly Part[]): string {
  return markdown(
    ["", ...data.runs.map((run) => run.name)],
    parts.flatMap((part) =>
      part.rows.map((row) => [
        row.path,
        ...row.values.map((v) => (row.sign === null ? toText(v) : number(toNumber(v)))),
      ]),
    ),
  );
}

async function compared(project: Project, ids: readonly string[], base: string, isAll: boolean): Promise<Compared> {
  const metrics = project.metrics.peek().filter((path) => !path.startsWith("monitoring/"));
  const columns = metrics.flatMap((path) =>
    direction(path) > 0
      ? [`${path}:max`, `${path}:last`]
      : direction(path) < 0
        ? [`${path}:min`, `${path}:last`]
        : [`${path}:last`],
  );
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
  const metricRows = metricsOf(table, columns, order).filter((row) => row.values.some((v) => v !== null));
  const configRows = await configsOf(project.name, diff, ids, base, isAll);
  const parts: Part[] = [
    { name: "Metrics", rows: wanted(metricRows) },
    ...bySection(configRows).map((part) => ({ ...part, rows: wanted(part.rows) })),
    { name: "Environment", rows: wanted(facts(details, (one) => one.env)) },
    {
      name: "Source",
      rows: [...(await changesOf(project.name, diff, ids)), ...wanted(facts(details, (one) => one.git))],
    },
  ];
  return { runs, parts, same: diff.same, truncated: diff.truncated ?? false };
}

function metricsOf(table: Table, columns: readonly string[], order: readonly number[]): Row[] {
  return columns.map((path) => ({
    path: path.replace(/:(\w+)$/, " $1"),
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
    ({ files }) => files.map((file) => `${file.path} +${file.add ?? "?"} −${file.del ?? "?"}`).join(", ") || "none",
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
