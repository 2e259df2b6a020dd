/** All runs of the filter in one plot: parallel coordinates, or a scatter of one column against another. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { api } from "../../api/api";
import type { Query, Table } from "../../api/types";
import { count, counted } from "../../lib/format";
import { bestColumn, columnText, defaultColumns } from "../../lib/metrics";
import { many, one, setParams } from "../../state/location";
import type { Project } from "../../state/project";
import * as settings from "../../state/settings";
import { Icon } from "../parts/icons";
import { Item, Limit, Menu } from "../parts/menu";
import { Seg, useAnswer } from "../parts/parts";
import { HEIGHT } from "./canvas";
import { Parallel } from "./parallel";
import { Scatter } from "./scatter";

const MAX_RUNS = 5000;
const PAGE = 1000;
const MAX_AXES = 10;

interface Candidates {
  configs: string[];
  metrics: string[];
}

async function candidates(project: Project): Promise<Candidates> {
  const { items } = await api.attributes(project.name, { kind: "config", limit: 500 });
  const configs = items
    .filter((item) => (item.n_distinct ?? 0) > 1 && !/^(monitoring|source_code|sys)\//.test(item.path))
    .map((item) => item.path);
  const metrics = project.metrics.peek().filter((path) => !path.startsWith("monitoring/"));
  return {
    configs,
    metrics: metrics.map(bestColumn),
  };
}

export function PlotBox({ project }: { project: Project }): JSX.Element {
  const { data: known } = useAnswer(() => candidates(project), [project.name, project.metrics.value.length]);
  const kind = one("plot") === "scatter" ? "scatter" : "parallel";
  const target = defaultColumns(project.metrics.value).map(bestColumn);
  const chosen = many("axes");
  const usual = [...(known?.configs ?? []).slice(0, 6), ...target.slice(0, 1)];
  const axes = chosen.length ? chosen : usual;
  const x = one("sx") || known?.configs[0] || "sys/creation_time";
  const y = one("sy") || target[0] || "sys/running_time";
  const columns = kind === "scatter" ? [x, y] : axes;
  const color = one("color") || target[0] || y;
  const { data, error } = useAnswer(
    () =>
      known
        ? firstRuns(project.name, {
            filter: settings.filter.value,
            sort: settings.sort.value,
            trashed: settings.isTrash.value ? "only" : "no",
            columns: [...new Set([...columns, color, "sys/name", "sys/state"])],
          })
        : Promise.resolve(null),
    [
      columns.join("\n"),
      color,
      settings.filter.value,
      JSON.stringify(settings.sort.value),
      settings.isTrash.value,
      known,
      project.table.total.value,
    ],
  );
  const metrics = project.metricSet.value;
  const all = [...(known?.configs ?? []), ...(known?.metrics ?? []), "sys/running_time", "sys/creation_time"];
  const choice = (label: string, value: string, param: string): JSX.Element => (
    <label class="lrow dim">
      {label}
      <select class="field" value={value} onChange={(event) => setParams({ [param]: event.currentTarget.value })}>
        {[...new Set([value, ...all])].map((path) => (
          <option key={path} value={path}>
            {columnText(path, metrics)}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <section class="plotbox" aria-label="Configs against metrics">
      <header>
        <Seg
          label="Kind of plot"
          value={kind}
          options={[
            ["parallel", "Parallel coordinates"],
            ["scatter", "Scatter"],
          ]}
          onChange={(value) => setParams({ plot: value === "parallel" ? null : value })}
        />
        <span class="dim">
          {kind === "parallel" ? "drag along an axis to filter" : "click a point to open its run"}
        </span>
        <span class="sp" />
        {kind === "scatter" && (
          <>
            {choice("x", x, "sx")}
            {choice("y", y, "sy")}
          </>
        )}
        {choice("colour", color, "color")}
        {kind === "parallel" && <AxesMenu all={all} axes={axes} metrics={metrics} />}
      </header>
      {/* What is wrong with the filter is said under the filter. */}
      {error && !project.table.error.value && <p class="fault">{error}</p>}
      {!data && !error && <div class="plotwait" aria-busy="true" style={{ height: `${HEIGHT}px` }} />}
      {data &&
        (kind === "scatter" ? (
          <Scatter project={project.name} metrics={metrics} table={data} x={x} y={y} color={color} />
        ) : axes.length < 2 ? (
          <p class="dim">Lines go from axis to axis: choose at least two axes.</p>
        ) : (
          <Parallel metrics={metrics} table={data} axes={axes} color={color} />
        ))}
      {data && data.total > data.ids.length && (
        <p class="dim">
          The first {count(data.ids.length)} of {counted(data.total, "run")} are drawn, in the order of the list.
        </p>
      )}
    </section>
  );
}

/** The runs of the plot, in the order of the list. */
async function firstRuns(project: string, query: Query): Promise<Table> {
  const table = await api.runs(project, { ...query, limit: PAGE });
  while (table.ids.length < Math.min(table.total, MAX_RUNS)) {
    const more = await api.runs(project, { ...query, offset: table.ids.length, limit: PAGE });
    if (!more.ids.length) break;
    table.ids.push(...more.ids);
    for (const [path, cells] of Object.entries(table.columns)) cells.push(...(more.columns[path] ?? []));
  }
  return table;
}

function AxesMenu({
  all,
  axes,
  metrics,
}: {
  all: readonly string[];
  axes: readonly string[];
  metrics: ReadonlySet<string>;
}): JSX.Element {
  const [text, setText] = useState("");
  return (
    <Menu
      label="Axes"
      button={(toggle, isOpen) => (
        <button type="button" class="btn" aria-expanded={isOpen} onClick={toggle}>
          <Icon name="columns" isSmall />
          Axes <span class="v">{axes.length}</span>
        </button>
      )}
    >
      {() => (
        <>
          <div class="pad">
            <input
              class="field"
              placeholder="Search"
              aria-label="Search axes"
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </div>
          {[...new Set([...axes, ...all])]
            .filter((path) => path.includes(text))
            .slice(0, 100)
            .map((path) => (
              <Item
                key={path}
                isFound
                isChecked={axes.includes(path)}
                onClick={() =>
                  setParams({
                    axes: axes.includes(path) ? axes.filter((p) => p !== path) : [...axes, path].slice(-MAX_AXES),
                  })
                }
              >
                {columnText(path, metrics)}
              </Item>
            ))}
          <Limit
            shown={100}
            of={[...new Set([...axes, ...all])].filter((path) => path.includes(text)).length}
            what="axes"
          />
        </>
      )}
    </Menu>
  );
}
