/** All runs as a table: any number of rows and columns, of which only those in view are there. */
import { computed } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { api } from "../api/api";
import { download, fileName } from "../chart/export";
import { counted } from "../lib/format";
import { bestColumn, defaultColumns } from "../lib/metrics";
import type { Cell } from "../lib/values";
import { csv, isoOf } from "../lib/values";
import { many, setParams } from "../state/location";
import type { Project } from "../state/project";
import * as settings from "../state/settings";
import { BASE_COLUMNS, RunTable } from "../state/table";
import { Grid } from "../ui/grid/grid";
import { SelectionBar } from "../ui/grid/selection";
import { Icon } from "../ui/parts/icons";
import { moveRow, useKeys } from "../ui/parts/keys";
import { useAnswer } from "../ui/parts/parts";
import { attempt } from "../ui/parts/say";
import { ColumnsMenu } from "../ui/runs/columns";
import { FilterBox } from "../ui/runs/filter";
import { Grouping } from "../ui/runs/grouping";

const MAX_COLUMNS = 80;
const PAGE = 1000;

/** The columns where none are chosen: what differs between the runs, and the metrics that say most. */
function useColumns(project: Project): string[] {
  const chosen = many("cols");
  const { data } = useAnswer(() => api.attributes(project.name, { kind: "config", limit: 300 }), [project.name]);
  return useMemo(() => {
    if (chosen.length) return chosen.filter((path) => path !== "none");
    const differing = (data?.items ?? [])
      .filter((item) => (item.n_distinct ?? 0) > 1 && !/^(monitoring|source_code|sys)\//.test(item.path))
      .map((item) => item.path);
    return [
      "sys/state",
      "sys/creation_time",
      "sys/running_time",
      ...defaultColumns(project.metrics.value).map(bestColumn),
      ...differing.slice(0, 10),
    ];
  }, [chosen.join("\n"), data, project.metrics.value]);
}

export function TablePage({ project }: { project: Project }): JSX.Element {
  const columns = useColumns(project);
  const [isDifferingOnly, setDifferingOnly] = useState(many("diff").length > 0);
  const table = useMemo(() => new RunTable(project.name), [project]);
  const { selection } = project;
  useKeys({ j: () => moveRow(table, 1), k: () => moveRow(table, -1) });
  const columnsKey = columns.join("\n");
  const query = useMemo(
    () =>
      computed(() => ({
        filter: settings.filter.value,
        columns: [...new Set([...BASE_COLUMNS, "sys/description", ...columns])],
        sort: settings.sort.value,
        group_by: settings.groupBy.value,
        trashed: settings.isTrash.value ? ("only" as const) : ("no" as const),
      })),
    [columnsKey],
  );
  useEffect(() => query.subscribe((next) => table.ask(next)), [query, table]);
  useEffect(() => {
    project.extraColumns = columns;
    project.refresh();
    return () => {
      project.extraColumns = [];
    };
  }, [project, columnsKey]);
  useEffect(
    () =>
      project.listen((changes) => {
        const isNew = changes.runs.some((run) => !table.loaded.some((row) => row.id === run.id));
        if (changes.reset || changes.removed.length || isNew) table.reload();
        else table.patch(changes.runs);
      }),
    [project, table],
  );
  const stats = table.stats.value;
  const shown = isDifferingOnly
    ? columns.filter((path) => (stats[path]?.distinct ?? 2) > 1 || (stats[path]?.count ?? 0) < table.total.value)
    : columns;
  const box = useRef<HTMLElement>(null);
  return (
    <main class="tblpage" ref={box}>
      <div class="tools">
        <div style={{ flex: "0 1 460px", minWidth: "220px" }}>
          <FilterBox project={project} />
        </div>
        <h1 class="dim">{table.isLoaded.value ? counted(table.total.value, "run") : "Loading"}</h1>
        <span class="sp" />
        <Grouping project={project.name} />
        <ColumnsMenu project={project} columns={columns} param="cols" most={MAX_COLUMNS} label="Columns" />
        <button
          type="button"
          class="btn"
          aria-pressed={isDifferingOnly}
          onClick={() => {
            setDifferingOnly(!isDifferingOnly);
            setParams({ diff: isDifferingOnly ? null : "1" });
          }}
        >
          <Icon name="compare" isSmall />
          Only differing
        </button>
        <button
          type="button"
          class="btn"
          aria-pressed={settings.isTrash.value}
          onClick={() => setParams({ trash: settings.isTrash.peek() ? null : "1" })}
        >
          <Icon name="trash" isSmall />
          Trash
        </button>
        <button
          type="button"
          class="btn"
          onClick={() => void attempt(() => exportCsv(project.name, query.peek(), shown))}
        >
          <Icon name="download" isSmall />
          CSV
        </button>
      </div>
      <Grid
        project={project}
        table={table}
        columns={shown}
        selection={selection}
        onReorder={(next) => setParams({ cols: next })}
      />
      <SelectionBar project={project} table={table} selection={selection} />
    </main>
  );
}

/** A time of the calendar as ISO 8601. */
const inFull = (path: string, cell: Cell): Cell =>
  /^sys\/(creation|modification|closed)_time$/.test(path) && typeof cell === "number" ? isoOf(cell) : cell;

/** The whole table, page by page, with ids and values in full. */
async function exportCsv(project: string, query: object, columns: readonly string[]): Promise<void> {
  const wanted = ["sys/name", ...columns];
  const rows: Cell[][] = [];
  for (let offset = 0; ; offset += PAGE) {
    const page = await api.runs(project, { ...query, columns: wanted, offset, limit: PAGE });
    page.ids.forEach((id, i) =>
      rows.push([id, ...wanted.map((path) => inFull(path, page.columns[path]?.[i] ?? null))]),
    );
    if (offset + PAGE >= page.total) break;
  }
  download(fileName(project, "csv"), new Blob([csv(["run_id", ...wanted], rows)], { type: "text/csv" }));
}
