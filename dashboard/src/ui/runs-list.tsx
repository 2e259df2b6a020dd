/** The list beside the charts: it is their legend, and says which runs they draw. */
import { follow } from "../state/follow";
import { useComputed } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { setHovered } from "../chart/chart";
import { atCursor, cursorPath, hovered } from "../chart/hover";
import { groupKey } from "../chart/lines";
import { slotColor } from "../lib/colors";
import { count, counted, duration, number, splitPath } from "../lib/format";
import { natural } from "../lib/metrics";
import { toNumber, toText } from "../lib/values";
import { runPath, setParams } from "../state/location";
import type { Project } from "../state/project";
import { MAX_DRAWN } from "../state/project";
import * as settings from "../state/settings";
import type { RunRow } from "../state/table";
import { isDark, runColor } from "../state/theme";
import { ColumnsMenu } from "./columns";
import { FilterBox } from "./filter";
import { Icon } from "./icons";
import { current, rowKeys } from "./keys";
import { Item, IconButton, Menu, StateMark } from "./parts";
import { placed, useView } from "./virtual";

const ROW = 30;
const HEAD = 32;
const MARGIN = 90;

export function RunsList({ project }: { project: Project }): JSX.Element {
  const columns = project.columns.value;
  return (
    <aside class={columns.length ? "left" : "left bare"} aria-label="Runs" style={{ "--k": String(columns.length) }}>
      <div class="lhead">
        <div class="lrow">
          <h1 class="h2">
            Runs<span class="cnt">{count(project.table.total.value)}</span>
          </h1>
          <span class="sp" />
          <SortMenu project={project} columns={columns} />
          <ColumnsMenu project={project} columns={columns} param="side" most={4} />
          <IconButton
            icon="trash"
            label={settings.isTrash.value ? "Leave the trash" : "Trash"}
            isSmall
            isPressed={settings.isTrash.value}
            onClick={() => setParams({ trash: settings.isTrash.peek() ? null : "1" })}
          />
        </div>
        <FilterBox project={project} />
      </div>
      <Header project={project} columns={columns} />
      <Rows project={project} columns={columns} />
      <Footer project={project} />
      <Resizer />
    </aside>
  );
}

export function sortBy(path: string): void {
  const [now] = settings.sort.peek();
  const isSame = now?.[0] === path;
  setParams({ sort: isSame && now[1] === "asc" ? null : isSame ? path : `-${path}` });
}

function Header({ project, columns }: { project: Project; columns: readonly string[] }): JSX.Element {
  const sort = settings.sort.value[0];
  const cursor = cursorPath.value;
  const cell = (path: string, name: string, className = ""): JSX.Element => {
    const isSorted = sort?.[0] === path;
    return (
      <div key={path}>
        <button
          type="button"
          class={`${className} ${isSorted ? "srt" : ""}`}
          title={`Sort by ${path}`}
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
          cell(path, shortName(path))
        ),
      )}
      {cell("sys/running_time", "Time")}
    </div>
  );
}

const shortName = (path: string): string => {
  const [before, name] = splitPath(path);
  const parent = before.split("/").at(-2);
  return parent && name.length < 9 ? `${parent}/${name}` : name;
};

function Rows({ project, columns }: { project: Project; columns: readonly string[] }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const view = useView(box, ROW);
  const { table } = project;
  follow(table.version);
  const groups = table.groups.value;
  const pinned = settings.pinnedRuns.value;
  const { items, height } = placed(
    table.total.value,
    groups,
    ROW,
    HEAD,
    view.top - MARGIN - pinned.length * ROW,
    view.top + view.height + MARGIN,
  );
  const isEmpty = !items.length && !pinned.length;
  const rows = items.filter((item) => !item.group);
  const [first, last] = [rows[0]?.row ?? 0, rows.at(-1)?.row ?? 0];
  useEffect(() => table.need(first, last), [first, last, table.version.value]);
  useEffect(() => {
    const at = current.value;
    const element = box.current;
    if (at < 0 || !element) return;
    const y = at * ROW;
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + ROW > element.scrollTop + element.clientHeight) element.scrollTop = y + ROW - element.clientHeight;
  }, [current.value]);
  const drawn = new Set(project.drawn.value.map((row) => row.id));
  const names = [...new Set(project.drawn.value.map((row) => groupKey(row, settings.groupBy.value)))].sort(natural);
  const colorOf = (row: RunRow): string =>
    groups.length
      ? slotColor(Math.max(0, names.indexOf(groupKey(row, settings.groupBy.value))), isDark.value)
      : runColor(row);
  return (
    <div
      class="list"
      ref={box}
      tabIndex={0}
      role={isEmpty ? "region" : "grid"}
      aria-label="Runs"
      aria-rowcount={isEmpty ? undefined : table.total.value}
      aria-activedescendant={isEmpty || current.value < 0 ? undefined : `row-${current.value}`}
      onKeyDown={rowKeys(project.name, table, (id, at) =>
        toggleShown(project, id, at, { altKey: false, shiftKey: false }),
      )}
      onMouseLeave={() => setHovered(null)}
    >
      {pinned.length > 0 && (
        <div class="pinned" role="rowgroup" style={{ height: `${pinned.length * ROW}px` }}>
          {pinned.map((id, i) => (
            <Row
              key={id}
              project={project}
              row={project.run(id)}
              index={-1}
              y={i * ROW}
              columns={columns}
              isShown={drawn.has(id)}
              color={colorOf(project.run(id))}
            />
          ))}
        </div>
      )}
      <div role={isEmpty ? "presentation" : "rowgroup"} style={{ position: "relative", height: `${height}px` }}>
        {items.map((item) =>
          item.group ? (
            <div class="grp" role="row" key={`g${item.row}`} style={{ transform: `translateY(${item.y}px)` }}>
              <span role="gridcell">
                {item.group.key.map((value, i) => (
                  <span key={i}>
                    <span class="dim">{splitPath(settings.groupBy.value[i] ?? "")[1]}</span> {toText(value) || "–"}{" "}
                  </span>
                ))}
                <span class="dim">{counted(item.group.n, "run")}</span>
              </span>
              <span class="sp" />
              {columns.slice(0, 1).map((path) => {
                const mean = toNumber(item.group!.agg[path]?.mean);
                const std = toNumber(item.group!.agg[path]?.std);
                return mean === null ? null : (
                  <span class="num" key={path} role="gridcell" title={`mean of ${path}`}>
                    {number(mean)} {std !== null && <span class="dim">± {number(std)}</span>}
                  </span>
                );
              })}
            </div>
          ) : (
            <Row
              key={table.row(item.row)?.id ?? `r${item.row}`}
              project={project}
              row={table.row(item.row)}
              index={item.row}
              y={item.y}
              columns={columns}
              isShown={drawn.has(table.row(item.row)?.id ?? "")}
              color={table.row(item.row) ? colorOf(table.row(item.row)!) : ""}
            />
          ),
        )}
      </div>
      {table.isLoaded.value && !table.total.value && !table.error.value && (
        <p class="more dim" style={{ padding: "0 14px" }}>
          {settings.isTrash.value
            ? "The trash is empty."
            : settings.filter.value
              ? "No run passes this filter."
              : "No runs yet."}
        </p>
      )}
    </div>
  );
}

interface RowProps {
  project: Project;
  row: RunRow | undefined;
  index: number;
  y: number;
  columns: readonly string[];
  isShown: boolean;
  color: string;
}

function Row({ row, y, ...rest }: RowProps): JSX.Element {
  if (!row) return <div class="row off" role="row" style={{ transform: `translateY(${y}px)` }} />;
  return <LoadedRow row={row} y={y} {...rest} />;
}

function LoadedRow({ project, row, index, y, columns, isShown, color }: RowProps & { row: RunRow }): JSX.Element {
  const isCursorShown = cursorPath.value !== null;
  const groupName = settings.groupBy.value.length ? groupKey(row, settings.groupBy.value) : "";
  // Drawn anew only when this row begins or ceases to stand out, not whenever another one does.
  const isHovered = useComputed(
    () => hovered.value !== null && (hovered.value.split("\n")[0] === row.id || hovered.value === groupName),
  );
  return (
    <div
      class={`row${isShown ? "" : " off"}${isHovered.value ? " hl" : ""}`}
      role="row"
      id={index < 0 ? undefined : `row-${index}`}
      aria-selected={index >= 0 && index === current.value}
      aria-rowindex={index + 1}
      style={{ transform: `translateY(${y}px)`, "--c": color }}
      onMouseEnter={() => setHovered(isShown ? groupName || row.id : null)}
    >
      <span role="gridcell">
        <button
          type="button"
          class="eye"
          aria-label={`Show ${row.name}`}
          aria-pressed={isShown}
          onClick={(event) => toggleShown(project, row.id, index, event)}
        >
          <span class="sw" />
        </button>
      </span>
      <span class="nm" role="gridcell">
        <a class="t" href={runPath(project.name, row.id)} title={row.name}>
          {row.name}
        </a>
        {row.tags.slice(0, 2).map((tag) => (
          <span class="tag" key={tag}>
            {tag}
          </span>
        ))}
        <StateMark state={row.state} of={row} />
      </span>
      {columns.map((path, i) => {
        if (isCursorShown && i === columns.length - 1) return <CursorValue key="cursor" of={groupName || row.id} />;
        const value = row.cells[path];
        const asNumber = toNumber(value);
        return (
          <span key={path} role="gridcell" class="num" title={toText(value)}>
            {asNumber === null ? toText(value) : number(asNumber)}
          </span>
        );
      })}
      <span role="gridcell" class="num d">
        {duration(row.duration)}
      </span>
    </div>
  );
}

/** A run's value at the cursor: the only part of the list that changes with every move of the pointer. */
function CursorValue({ of }: { of: string }): JSX.Element {
  const value = atCursor.value?.values.get(of);
  return (
    <span role="gridcell" class="num lg">
      {value === undefined ? "" : number(value)}
    </span>
  );
}

let lastToggled = -1;

/** Show or hide a run; with Alt it alone; with Shift all up to the one toggled before. */
export function toggleShown(
  project: Project,
  id: string,
  index: number,
  keys: { altKey: boolean; shiftKey: boolean },
): void {
  const now = project.drawn.peek().map((row) => row.id);
  const isShown = now.includes(id);
  let next = isShown ? now.filter((one) => one !== id) : [...now, id];
  if (keys.altKey)
    next =
      isShown && now.length === 1 ? project.table.loaded.slice(0, settings.DEFAULT_SHOWN).map((row) => row.id) : [id];
  else if (keys.shiftKey && lastToggled >= 0 && index >= 0) {
    const range: string[] = [];
    for (let i = Math.min(lastToggled, index); i <= Math.max(lastToggled, index); i++) {
      const row = project.table.row(i);
      if (row) range.push(row.id);
    }
    next = isShown ? now.filter((one) => !range.includes(one)) : [...new Set([...now, ...range])];
  }
  lastToggled = index;
  setParams({ show: next.length ? next.slice(0, MAX_DRAWN) : "none" });
}

function Footer({ project }: { project: Project }): JSX.Element {
  const isAuto = "first" in settings.shown.value;
  return (
    <div class="lfoot">
      <span>
        <b>{project.drawn.value.length}</b> shown
      </span>
      <span>· max {MAX_DRAWN}</span>
      <span class="sp" />
      <button
        type="button"
        class="btn gh"
        aria-pressed={isAuto}
        title="Always show the first 10 of the list, also when new runs come"
        onClick={() => setParams({ show: null })}
      >
        Auto-show first {settings.DEFAULT_SHOWN}
      </button>
    </div>
  );
}

function SortMenu({ project, columns }: { project: Project; columns: readonly string[] }): JSX.Element {
  const now = settings.sort.value[0];
  const options: [string, string][] = [
    ["", "Newest first"],
    ["sys/creation_time", "Oldest first"],
    ["sys/name", "Name"],
    ["-sys/running_time", "Longest first"],
    ["-sys/modification_time", "Changed last"],
    ...columns.flatMap((path): [string, string][] => [
      [`-${path}`, `${path}, highest first`],
      [path, `${path}, lowest first`],
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

const WIDTH_KEY = "goodseed-list-width";

/** The width of the list is the reader's own and no part of a link. */
function Resizer(): JSX.Element {
  useEffect(() => setWidth(Number(localStorage.getItem(WIDTH_KEY)) || 0), []);
  const drag = (event: PointerEvent): void => {
    const element = event.currentTarget as HTMLElement;
    element.setPointerCapture(event.pointerId);
    const move = (e: PointerEvent): void => setWidth(e.clientX);
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", () => element.removeEventListener("pointermove", move), { once: true });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowLeft" ? -20 : event.key === "ArrowRight" ? 20 : 0;
    if (by) setWidth((event.currentTarget as HTMLElement).parentElement!.clientWidth + by);
  };
  return (
    <div
      class="rz"
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the list"
      aria-valuenow={412}
      tabIndex={0}
      onPointerDown={drag}
      onKeyDown={onKeyDown}
    />
  );
}

function setWidth(width: number): void {
  if (!width) return;
  const fitting = Math.round(Math.max(260, Math.min(innerWidth * 0.6, width)));
  document.documentElement.style.setProperty("--lw", `${fitting}px`);
  localStorage.setItem(WIDTH_KEY, String(fitting));
}
