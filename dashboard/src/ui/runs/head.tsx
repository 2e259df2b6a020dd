/** The head of the list of runs: its columns, and its order. */
import type { JSX } from "preact";
import { cursorPath } from "../../chart/hover";
import { splitPath } from "../../lib/format";
import { columnText } from "../../lib/metrics";
import { direction } from "../../lib/values";
import { setParams } from "../../state/location";
import type { Project } from "../../state/project";
import { MAX_DRAWN } from "../../state/project";
import * as settings from "../../state/settings";
import { Icon } from "../parts/icons";
import { Item, Menu } from "../parts/menu";
import { IconButton } from "../parts/parts";

/** Sort by a column, the best first; then the other way round; then no more. */
export function sortBy(path: string): void {
  const [now] = settings.sort.peek();
  const isSame = now?.[0] === path;
  const [first, second] = direction(path) < 0 ? [path, `-${path}`] : [`-${path}`, path];
  const written = isSame ? (now[1] === "desc" ? `-${path}` : path) : null;
  setParams({ sort: written === null ? first : written === first ? second : null });
}

export function Header({ project, columns }: { project: Project; columns: readonly string[] }): JSX.Element {
  const sort = settings.sort.value[0];
  const cursor = cursorPath.value;
  const metrics = project.metricSet.value;
  const cell = (path: string, name: string, className = ""): JSX.Element => {
    const isSorted = sort?.[0] === path;
    return (
      <div key={path}>
        <button
          type="button"
          class={`${className} ${isSorted ? "srt" : ""}`}
          title={`Sort by ${columnText(path, metrics)}`}
          onClick={() => sortBy(path)}
        >
          {name}
          {isSorted ? (sort[1] === "desc" ? " ↓" : " ↑") : ""}
        </button>
      </div>
    );
  };
  const cycle = (): void => {
    const drawn = project.drawn.peek().length;
    const all = Math.min(MAX_DRAWN, project.table.total.peek());
    setParams({
      show: drawn === 0 ? null : drawn < all && drawn === settings.DEFAULT_SHOWN ? `auto:${MAX_DRAWN}` : "none",
    });
  };
  return (
    <div class="thead">
      <div>
        <button
          type="button"
          class="c"
          title="Show none, the first 10, all"
          aria-label="Show none, the first 10, all"
          onClick={cycle}
        >
          <Icon name="eye" isSmall />
        </button>
      </div>
      {cell("sys/name", "Name", "l")}
      {columns.map((path, i) =>
        cursor && i === columns.length - 1 ? (
          <div key="cursor" class="num lg" title={`${cursor} at the cursor`}>
            @ cursor
          </div>
        ) : (
          cell(path, shortName(columnText(path, metrics)))
        ),
      )}
      {cell("sys/running_time", "Time")}
    </div>
  );
}

const HEAD_CHARACTERS = 12;
const LEAST_CHARACTERS = 3;

/** Parent, name and aggregate of a column, the name cut as far as it must be: `val/acc… max`. */
const shortName = (path: string): string => {
  const [before, name] = splitPath(path);
  const parent = before.split("/").at(-2);
  const whole = parent ? `${parent}/${name}` : name;
  if (whole.length <= HEAD_CHARACTERS || !parent) return whole;
  const space = name.lastIndexOf(" ");
  const [leaf, rest] = space < 0 ? [name, ""] : [name.slice(0, space), name.slice(space)];
  const room = Math.max(LEAST_CHARACTERS, HEAD_CHARACTERS - rest.length - 1);
  const start = `${parent.slice(0, LEAST_CHARACTERS)}/${leaf}`;
  return `${start.slice(0, Math.max(LEAST_CHARACTERS + 2, room))}…${rest}`;
};

export function SortMenu({ project, columns }: { project: Project; columns: readonly string[] }): JSX.Element {
  const now = settings.sort.value[0];
  const options: [string, string][] = [
    ["", "Newest first"],
    ["sys/creation_time", "Oldest first"],
    ["sys/name", "Name"],
    ["-sys/running_time", "Longest first"],
    ["-sys/modification_time", "Changed last"],
    ...columns.flatMap((path): [string, string][] => [
      [`-${path}`, `${columnText(path, project.metricSet.peek())}, highest first`],
      [path, `${columnText(path, project.metricSet.peek())}, lowest first`],
    ]),
  ];
  const chosen = now ? (now[1] === "desc" ? `-${now[0]}` : now[0]) : "";
  return (
    <Menu
      label={`Sort the runs of ${project.name}`}
      button={(toggle, isOpen) => <IconButton icon="sort" label="Sort" isSmall onClick={toggle} isExpanded={isOpen} />}
    >
      {(close) =>
        options.map(([value, name]) => (
          <Item
            key={value}
            isChecked={value === chosen}
            onClick={() => {
              setParams({ sort: value || null });
              close();
            }}
          >
            {name}
          </Item>
        ))
      }
    </Menu>
  );
}
