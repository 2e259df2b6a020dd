/** All runs of the filter in one plot: parallel coordinates, or a scatter of one column against another. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { api } from "../api";
import { direction } from "../lib/values";
import { many, one, setParams } from "../state/location";
import type { Project } from "../state/project";
import { defaultColumns } from "../state/project";
import * as settings from "../state/settings";
import { Icon } from "./icons";
import { Seg, useAnswer } from "./parts";
import { Item, Menu } from "./menu";
import { Parallel } from "./plot/parallel";
import { Scatter } from "./plot/scatter";

const MAX_RUNS = 1000;
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
    metrics: metrics.map((path) => `${path}:${direction(path) > 0 ? "max" : direction(path) < 0 ? "min" : "last"}`),
  };
}

export function PlotBox({ project }: { project: Project }): JSX.Element {
  const { data: known } = useAnswer(() => candidates(project), [project.name, project.metrics.value.length]);
  const kind = one("plot") === "scatter" ? "scatter" : "parallel";
  const target = defaultColumns(project.metrics.value).map((path) => `${path}:${direction(path) < 0 ? "min" : "max"}`);
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
        ? api.runs(project.name, {
            filter: settings.filter.value,
            columns: [...new Set([...columns, color, "sys/name", "sys/state"])],
            limit: MAX_RUNS,
          })
        : Promise.resolve(null),
    [columns.join("\n"), color, settings.filter.value, known, project.table.total.value],
  );
  const all = [...(known?.configs ?? []), ...(known?.metrics ?? []), "sys/running_time", "sys/creation_time"];
  const choice = (label: string, value: string, param: string): JSX.Element => (
    <label class="lrow dim">
      {label}
      <select class="field" value={value} onChange={(event) => setParams({ [param]: event.currentTarget.value })}>
        {[...new Set([value, ...all])].map((path) => (
          <option key={path} value={path}>
            {path}
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
        {kind === "parallel" && <AxesMenu all={all} axes={axes} />}
      </header>
      {error && <p class="fault">{error}</p>}
      {data &&
        (kind === "scatter" ? (
          <Scatter project={project.name} table={data} x={x} y={y} color={color} />
        ) : (
          <Parallel table={data} axes={axes} color={color} />
        ))}
      {data && data.total > MAX_RUNS && <p class="dim">The newest {MAX_RUNS} of them are drawn.</p>}
    </section>
  );
}

function AxesMenu({ all, axes }: { all: readonly string[]; axes: readonly string[] }): JSX.Element {
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
                isChecked={axes.includes(path)}
                onClick={() =>
                  setParams({
                    axes: axes.includes(path) ? axes.filter((p) => p !== path) : [...axes, path].slice(-MAX_AXES),
                  })
                }
              >
                {path}
              </Item>
            ))}
        </>
      )}
    </Menu>
  );
}
