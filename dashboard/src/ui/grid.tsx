/** The grid of the table: rows and columns outside the view are not there at all. */
import { follow } from "../state/follow";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { counted, duration, number, short, splitPath, time } from "../lib/format";
import { direction, toNumber, toText } from "../lib/values";
import { runPath, setParams, many } from "../state/location";
import type { Project } from "../state/project";
import * as settings from "../state/settings";
import type { RunRow, RunTable } from "../state/table";
import { isDark, runColor } from "../state/theme";
import { moved } from "./columns";
import { Icon } from "./icons";
import { current, rowKeys } from "./keys";
import { IconButton, StateMark } from "./parts";
import { sortBy } from "./runs-list";
import type { Selection } from "./selection";
import { placed, useView } from "./virtual";

const ROW = 32;
const NAME_WIDTH = 250;
const MARGIN = 10 * ROW;
const WIDTHS_KEY = "goodseed-column-widths";

const pinnedColumns = (): string[] => many("pincol");

interface Laid {
  path: string;
  left: number;
  width: number;
}

interface GridProps {
  project: Project;
  table: RunTable;
  columns: readonly string[];
  selection: Selection;
  onReorder: (columns: string[]) => void;
}

export function Grid({ project, table, columns, selection, onReorder }: GridProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const view = useView(box, ROW * 2);
  const [widths, setWidths] = useState<Record<string, number>>(readWidths);
  follow(table.version);
  follow(selection.version);
  const pins = pinnedColumns().filter((path) => columns.includes(path));
  const layout = [columns.join("\n"), pins.join("\n"), widths];
  const { fixed, fixedWidth, free } = useMemo(() => layOut(columns, pins, widths), layout);
  const width = Math.max(view.width, fixedWidth + free.reduce((sum, one) => sum + one.width, 0));
  const visible = useMemo(
    () =>
      free.filter(
        (one) => one.left + one.width > view.left + fixedWidth - 300 && one.left < view.left + view.width + 400,
      ),
    [free, view.left, view.width],
  );
  const parts = { fixed, fixedWidth, visible, table, project, selection };
  const drawn = useRef(new Map<string, Drawn>());
  const seen = new Map<string, Drawn>();
  // A row that is as it was is not looked at again: scrolling makes new rows only.
  const rowAt = (row: RunRow | undefined, y: number, index: number, key: string): JSX.Element => {
    const isSelected = row !== undefined && selection.has(row.id);
    const isCurrent = index >= 0 && index === current.value;
    const inputs = [row, y, index, isSelected, isCurrent, fixed, fixedWidth, visible, isDark.value, table.stats.value];
    const known = drawn.current.get(key);
    const isSame = known?.inputs.every((one, i) => one === inputs[i]);
    const element = isSame ? (
      known!.element
    ) : (
      <GridRow key={key} {...parts} row={row} y={y} index={index} isSelected={isSelected} isCurrent={isCurrent} />
    );
    seen.set(key, { inputs, element });
    return element;
  };
  useEffect(() => {
    drawn.current = seen;
  });
  const ids = table.loaded.map((row) => row.id);
  const isAll = ids.length > 0 && ids.every((id) => selection.has(id));
  const pinnedRuns = settings.pinnedRuns.value;
  const top = ROW * (1 + pinnedRuns.length);
  const groups = table.groups.value;
  const { items, height } = placed(
    table.total.value,
    groups,
    ROW,
    ROW,
    view.top - MARGIN - top,
    view.top + view.height + MARGIN,
  );
  const rows = items.filter((item) => !item.group);
  // A row that scrolls out of view becomes the one that scrolls in: filling it anew costs less than making one.
  const most = useRef(1);
  const pool = (most.current = Math.max(most.current, rows.length));
  const [first, last] = [rows[0]?.row ?? 0, rows.at(-1)?.row ?? 0];
  useEffect(() => {
    const [at, element] = [current.value * ROW, box.current];
    if (at < 0 || !element) return;
    if (at < element.scrollTop) element.scrollTop = at;
    else if (at + top + ROW > element.scrollTop + element.clientHeight)
      element.scrollTop = at + top + ROW - element.clientHeight;
  }, [current.value]);
  useEffect(() => table.need(first, last), [first, last, table.version.value]);
  const resize = (path: string, to: number): void => {
    const next = { ...widths, [path]: Math.max(60, Math.min(600, Math.round(to))) };
    setWidths(next);
    localStorage.setItem(WIDTHS_KEY, JSON.stringify(next));
  };
  return (
    <div
      class="tbl"
      ref={box}
      tabIndex={0}
      role="grid"
      aria-label="Runs"
      aria-rowcount={table.total.value}
      aria-activedescendant={current.value < 0 ? undefined : `row-${current.value}`}
      onKeyDown={rowKeys(project.name, table, (id, at) => selection.toggle(id, at, null))}
      aria-colcount={columns.length + 1}
    >
      <div class="canvas" role="presentation" style={{ width: `${width}px`, height: `${height + top}px` }}>
        <div class="thd" role="row" style={{ width: `${width}px` }}>
          <Header
            {...parts}
            isAll={isAll}
            resize={resize}
            onReorder={(from, to) => onReorder(reordered(columns, from, to))}
          />
        </div>
        {pinnedRuns.map((id, i) => rowAt(project.run(id), ROW * (i + 1), -1, `p${id}`))}
        {items.map((item) =>
          item.group ? (
            <div class="tgrp" role="row" key={`g${item.row}`} style={{ transform: `translateY(${item.y + top}px)` }}>
              <div
                class="fixed lrow"
                role="gridcell"
                style={{ "--w": `${fixedWidth}px`, padding: "0 12px", lineHeight: "31px" }}
              >
                {item.group.key.map((value, i) => (
                  <span key={i}>
                    <span class="dim">{splitPath(settings.groupBy.value[i] ?? "")[1]}</span> {toText(value) || "–"}
                  </span>
                ))}
                <span class="dim">{counted(item.group.n, "run")}</span>
              </div>
              {visible.map(({ path, left, width: w }) => {
                const aggregate = item.group!.agg[path];
                const [mean, std] = [toNumber(aggregate?.mean), toNumber(aggregate?.std)];
                return (
                  <div
                    key={path}
                    class="tc n"
                    role="gridcell"
                    style={{ left: `${left}px`, width: `${w}px` }}
                    title={`mean of ${path}, ± standard deviation`}
                  >
                    {mean === null ? "" : path.endsWith("_time") ? "" : number(mean)}{" "}
                    {std !== null && mean !== null && !path.endsWith("_time") && (
                      <span class="dim">± {number(std)}</span>
                    )}
                  </div>
                );
              })}
            </div>
          ) : (
            rowAt(table.row(item.row), item.y + top, item.row, `r${item.row % pool}`)
          ),
        )}
      </div>
    </div>
  );
}

interface Drawn {
  inputs: unknown[];
  element: JSX.Element;
}

interface Parts {
  project: Project;
  table: RunTable;
  selection: Selection;
  fixed: Laid[];
  fixedWidth: number;
  visible: Laid[];
}

function Header(
  props: Parts & {
    isAll: boolean;
    resize: (path: string, to: number) => void;
    onReorder: (from: string, to: string) => void;
  },
): JSX.Element {
  const { table, selection, isAll } = props;
  const sort = settings.sort.value[0];
  const cell = ({ path, left, width }: Laid, isFixed: boolean): JSX.Element => {
    const isSorted = sort?.[0] === path;
    const [before, name] = splitPath(path);
    return (
      <div
        key={path}
        class={`tc h${numeric(path, table) ? " n" : ""}${isSorted ? " srt" : ""}`}
        role="columnheader"
        aria-sort={isSorted ? (sort[1] === "desc" ? "descending" : "ascending") : "none"}
        style={{ left: `${left}px`, width: `${width}px` }}
        draggable
        onDragStart={(event) => event.dataTransfer?.setData("text/plain", path)}
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          const from = event.dataTransfer?.getData("text/plain");
          if (from) props.onReorder(from, path);
        }}
      >
        <button
          type="button"
          title={`Sort by ${path}; drag to move; Alt-click to ${isFixed ? "unpin" : "pin"}`}
          onClick={(event) => (event.altKey ? togglePinned(path) : sortBy(path))}
        >
          {before && !path.startsWith("sys/") && <span class="dim">{before}</span>}
          {LABELS[path] ?? name}
          {isSorted ? (sort[1] === "desc" ? " ↓" : " ↑") : ""}
        </button>
        <span
          class="grip"
          aria-hidden="true"
          onPointerDown={(event) => dragWidth(event, width, (to) => props.resize(path, to))}
        />
      </div>
    );
  };
  const isByName = sort?.[0] === "sys/name";
  return (
    <>
      <div
        class={props.fixed.length ? "fixed edge" : "fixed"}
        role="presentation"
        style={{ "--w": `${props.fixedWidth}px` }}
      >
        <div
          class="tc name h"
          role="columnheader"
          style={{ left: 0, width: `${NAME_WIDTH}px`, padding: "0 10px" }}
          aria-sort={isByName ? (sort[1] === "desc" ? "descending" : "ascending") : "none"}
        >
          <button
            type="button"
            role="checkbox"
            aria-checked={isAll}
            aria-label="Select all loaded runs"
            onClick={() => (isAll ? selection.clear() : selection.add(table.loaded.map((row) => row.id)))}
            style={{ width: "auto", padding: 0 }}
          >
            <span class="cb">
              <Icon name="check" />
            </span>
          </button>
          <button type="button" title="Sort by name" onClick={() => sortBy("sys/name")}>
            Name{isByName ? (sort[1] === "desc" ? " ↓" : " ↑") : ""}
          </button>
        </div>
        {props.fixed.map((one) => cell(one, true))}
      </div>
      {props.visible.map((one) => cell(one, false))}
    </>
  );
}

interface RowParts extends Parts {
  row: RunRow | undefined;
  y: number;
  index: number;
  /** Told, not asked for: a component that gets what it had is not drawn anew. */
  isSelected: boolean;
  isCurrent: boolean;
}

function GridRow(props: RowParts): JSX.Element {
  const { row, table, selection, project, isSelected } = props;
  if (!row) return <div class="trow" role="row" style={{ transform: `translateY(${props.y}px)` }} />;
  const cell = ({ path, left, width }: Laid): JSX.Element => (
    <Value key={path} project={project} row={row} path={path} left={left} width={width} table={table} />
  );
  return (
    <div
      class={`trow${isSelected ? " sel" : ""}${props.isCurrent ? " cur" : ""}`}
      role="row"
      id={props.index < 0 ? undefined : `row-${props.index}`}
      aria-selected={isSelected}
      aria-rowindex={props.index + 2}
      style={{ transform: `translateY(${props.y}px)` }}
    >
      <div
        class={props.fixed.length ? "fixed edge" : "fixed"}
        role="presentation"
        style={{ "--w": `${props.fixedWidth}px` }}
      >
        <div class="tc name" role="rowheader" style={{ left: 0, width: `${NAME_WIDTH}px` }}>
          <button
            type="button"
            role="checkbox"
            aria-checked={isSelected}
            aria-label={`Select ${row.name}`}
            onClick={(event) => selection.toggle(row.id, props.index, event.shiftKey ? table : null)}
          >
            <span class="cb">
              <Icon name="check" />
            </span>
          </button>
          <span class="sw" style={{ "--c": runColor(row) }} />
          <a href={runPath(project.name, row.id)} title={row.name}>
            {row.name}
          </a>
          {row.tags.slice(0, 2).map((tag) => (
            <span class="tag" key={tag}>
              {tag}
            </span>
          ))}
          {props.index < 0 && (
            <IconButton
              icon="close"
              label={`Unpin ${row.name}`}
              isSmall
              onClick={() => setParams({ pinrun: settings.pinnedRuns.peek().filter((id) => id !== row.id) })}
            />
          )}
        </div>
        {props.fixed.map(cell)}
      </div>
      {props.visible.map(cell)}
    </div>
  );
}

const LABELS: Record<string, string> = {
  "sys/state": "State",
  "sys/id": "ID",
  "sys/creation_time": "Created",
  "sys/modification_time": "Changed",
  "sys/running_time": "Duration",
  "sys/progress": "Progress",
  "sys/eta": "ETA",
  "sys/tags": "Tags",
  "sys/description": "Note",
};

function Value({
  project,
  row,
  path,
  left,
  width,
  table,
}: Laid & { project: Project; row: RunRow; table: RunTable }): JSX.Element {
  const cell = row.cells[path];
  const value = toNumber(cell);
  const style = { left: `${left}px`, width: `${width}px` };
  if (path === "sys/state") {
    return (
      <div class="tc x" role="gridcell" style={style}>
        <StateMark state={row.state} /> {row.state}
        {row.state === "running" && row.progress !== null && (
          <span class="dim" title={row.eta === null ? undefined : `${duration(row.eta)} left`}>
            {` ${Math.round(row.progress * 100)} %`}
          </span>
        )}
      </div>
    );
  }
  if (value === null || (typeof cell === "string" && !Number.isFinite(value) && !numeric(path, table))) {
    return (
      <div class="tc" role="gridcell" style={style} title={toText(cell)}>
        {toText(cell)}
      </div>
    );
  }
  const isMetric = path.includes(":") || project.metricSet.value.has(path);
  const text =
    path === "sys/running_time" || path === "sys/eta"
      ? duration(value)
      : path === "sys/progress"
        ? `${Math.round(value * 100)} %`
        : path.endsWith("_time")
          ? time(value)
          : isMetric
            ? number(value)
            : short(value);
  return (
    <div class="tc n" role="gridcell" style={style} title={path.endsWith("_time") ? "" : String(value)}>
      {isMetric && direction(path) !== 0 && <Bar value={value} stats={table.stats.peek()[path]} width={width} />}
      {text}
    </div>
  );
}

/** How high a value of a metric is among all. */
function Bar({
  value,
  stats,
  width,
}: {
  value: number;
  stats: RunTable["stats"]["value"][string] | undefined;
  width: number;
}): JSX.Element | null {
  const [low, high] = [toNumber(stats?.min), toNumber(stats?.max)];
  if (low === null || high === null || !(high > low) || !Number.isFinite(value)) return null;
  return <span class="bar" style={{ width: `${Math.max(2, ((value - low) / (high - low)) * (width - 14))}px` }} />;
}

function numeric(path: string, table: RunTable): boolean {
  return path.endsWith("_time") || table.stats.peek()[path]?.max !== null;
}

function layOut(
  columns: readonly string[],
  pins: readonly string[],
  widths: Record<string, number>,
): { fixed: Laid[]; fixedWidth: number; free: Laid[] } {
  const fixed = lay(pins, widths, NAME_WIDTH);
  const fixedWidth = NAME_WIDTH + fixed.reduce((sum, one) => sum + one.width, 0);
  return {
    fixed,
    fixedWidth,
    free: lay(
      columns.filter((path) => !pins.includes(path)),
      widths,
      fixedWidth,
    ),
  };
}

function lay(paths: readonly string[], widths: Record<string, number>, from: number): Laid[] {
  let left = from;
  return paths.map((path) => {
    const width = widths[path] ?? (path === "sys/state" ? 112 : Math.max(86, Math.min(220, path.length * 7 + 26)));
    const laid = { path, left, width };
    left += width;
    return laid;
  });
}

function togglePinned(path: string): void {
  const now = pinnedColumns();
  setParams({ pincol: now.includes(path) ? now.filter((one) => one !== path) : [...now, path] });
}

function reordered(columns: readonly string[], from: string, to: string): string[] {
  const [a, b] = [columns.indexOf(from), columns.indexOf(to)];
  return a < 0 || b < 0 ? [...columns] : moved(columns, a, b);
}

function dragWidth(event: PointerEvent, width: number, resize: (to: number) => void): void {
  event.preventDefault();
  event.stopPropagation();
  const from = event.clientX;
  const move = (e: PointerEvent): void => resize(width + e.clientX - from);
  addEventListener("pointermove", move);
  addEventListener("pointerup", () => removeEventListener("pointermove", move), { once: true });
}

function readWidths(): Record<string, number> {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(WIDTHS_KEY) ?? "{}");
    return typeof found === "object" && found !== null ? (found as Record<string, number>) : {};
  } catch {
    return {};
  }
}
