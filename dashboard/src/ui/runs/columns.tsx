/** The choice of columns: configs, and metrics with what of them. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Attribute } from "../../api/api";
import { api } from "../../api/api";
import { AGGREGATES, bestOf, byImportance, columnText, hardwareName } from "../../lib/metrics";
import { setParams } from "../../state/location";
import type { Project } from "../../state/project";
import { Icon } from "../parts/icons";
import { Item, Menu } from "../parts/menu";
import { useAnswer } from "../parts/parts";

const SYSTEM = [
  "sys/state",
  "sys/id",
  "sys/creation_time",
  "sys/modification_time",
  "sys/running_time",
  "sys/progress",
  "sys/eta",
  "sys/tags",
  "sys/description",
];
const OFFERED = AGGREGATES.filter((one) => one !== "count");

interface ColumnsMenuProps {
  project: Project;
  columns: readonly string[];
  /** The parameter of the address that holds them. */
  param: "side" | "cols";
  most: number;
  label?: string;
}

export function ColumnsMenu({ project, columns, param, most, label }: ColumnsMenuProps): JSX.Element {
  const set = (next: readonly string[]): void => setParams({ [param]: next.length ? next.slice(0, most) : "none" });
  return (
    <Menu
      label="Columns"
      button={(toggle, isOpen) => (
        <button
          type="button"
          class={label ? "btn" : "ib sm"}
          title="Columns"
          aria-label="Columns"
          aria-expanded={isOpen}
          onClick={toggle}
        >
          <Icon name="columns" isSmall />
          {label && (
            <>
              Columns <span class="v">{columns.length}</span>
            </>
          )}
        </button>
      )}
    >
      {() => (
        <Choice
          project={project.name}
          metrics={project.metricSet.value}
          columns={columns}
          set={set}
          reset={() => setParams({ [param]: null })}
          most={most}
        />
      )}
    </Menu>
  );
}

interface ChoiceProps {
  project: string;
  metrics: ReadonlySet<string>;
  columns: readonly string[];
  set: (next: readonly string[]) => void;
  reset: () => void;
  most: number;
}

function Choice({ project, metrics, columns, set, reset, most }: ChoiceProps): JSX.Element {
  const [text, setText] = useState("");
  const { data } = useAnswer(() => api.attributes(project, { q: text, limit: 200 }), [project, text]);
  const found = (data?.items ?? []).filter((item) => item.kind === "config" || item.kind === "series");
  const plain = found.filter((item) => !item.path.startsWith("monitoring/") || text);
  const system = SYSTEM.filter((path) => path.includes(text.toLowerCase()));
  const toggle = (path: string): void => {
    if (columns.includes(path)) set(columns.filter((one) => one !== path));
    else if (columns.length < most) set([...columns, path]);
    else set([...columns.slice(1), path]);
  };
  return (
    <>
      <div class="pad">
        <input
          class="field"
          placeholder="Search configs and metrics"
          aria-label="Search columns"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      {columns.map((path, i) => (
        <div class="lrow" key={path}>
          <Item isChecked onClick={() => toggle(path)}>
            {columnText(path, metrics)}
          </Item>
          {i > 0 && (
            <button
              type="button"
              class="ib sm"
              aria-label={`Move ${path} forward`}
              title="Move forward"
              onClick={() => set(moved(columns, i, i - 1))}
            >
              <Icon name="up" isSmall />
            </button>
          )}
        </div>
      ))}
      <Item icon="restore" onClick={reset}>
        Usual columns
      </Item>
      <div class="ln" />
      {plain
        .filter((item) => item.kind === "series")
        .sort((a, b) => byImportance(a.path, b.path))
        .map((item) => (
          <MetricItem key={item.path} item={item} columns={columns} toggle={toggle} />
        ))}
      {plain
        .filter((item) => item.kind === "config" && !columns.includes(item.path) && !SYSTEM.includes(item.path))
        .map((item) => (
          <Item
            key={item.path}
            isChecked={false}
            isFound
            right={item.n_distinct === 1 ? "same in all" : item.type}
            onClick={() => toggle(item.path)}
          >
            {item.path}
          </Item>
        ))}
      {system
        .filter((path) => !columns.includes(path))
        .map((path) => (
          <Item key={path} isChecked={false} isFound onClick={() => toggle(path)}>
            {path}
          </Item>
        ))}
      {data && data.total > plain.length && <div class="hd">{data.total} in all: search to find more</div>}
    </>
  );
}

function MetricItem({
  item,
  columns,
  toggle,
}: {
  item: Attribute;
  columns: readonly string[];
  toggle: (path: string) => void;
}): JSX.Element {
  return (
    <div class="it">
      <span>{hardwareName(item.path)}</span>
      <span class="r">
        {OFFERED.map((aggregate) => {
          const path = `${item.path}:${aggregate}`;
          return (
            <button
              type="button"
              key={aggregate}
              class="tag"
              aria-pressed={columns.includes(path)}
              data-found={aggregate === bestOf(item.path) ? "" : undefined}
              onClick={() => toggle(path)}
            >
              {aggregate}
            </button>
          );
        })}
      </span>
    </div>
  );
}

/** A list with the item at `from` put to `to`. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const next = [...list];
  next.splice(to, 0, ...next.splice(from, 1));
  return next;
}
