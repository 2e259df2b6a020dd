/** The grid of the table: rows and columns outside the view are not there at all. */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { splitPath } from "../../lib/format";
import { toText } from "../../lib/values";
import { params } from "../../state/location";
import type { Project } from "../../state/project";
import type { Selection } from "../../state/selection";
import * as settings from "../../state/settings";
import type { RunRow, RunTable } from "../../state/table";
import { follow } from "../../state/table";
import { isDark } from "../../state/theme";
import { Skeleton } from "../parts/empty";
import { current, rowKeys } from "../parts/keys";
import { placed, useView } from "../parts/virtual";
import { figures, groupSize } from "../runs/group-head";
import { Header } from "./header";
import { ROW, WIDTHS_KEY, layOut, pinnedColumns, readWidths, reordered } from "./layout";
import { GridRow } from "./row";

const MARGIN = 10 * ROW;
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
    const inputs = [
      row,
      y,
      index,
      isSelected,
      isCurrent,
      fixed,
      fixedWidth,
      visible,
      isDark.value,
      table.stats.value,
      params.value,
    ];
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
  // A row that scrolls out of view becomes the one that scrolls in: filling it again costs less than making one.
  const most = useRef(1);
  const pool = (most.current = Math.max(most.current, rows.length));
  const [first, last] = [rows[0]?.row ?? 0, rows.at(-1)?.row ?? 0];
  useEffect(() => {
    const heads = table.groups.peek().filter((group) => group.offset <= current.value).length;
    const [at, element] = [(current.value + heads) * ROW, box.current];
    if (current.value < 0 || !element) return;
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
      <div
        class="canvas"
        role="presentation"
        style={{ width: `${width}px`, height: `${Math.max(height + top, table.total.value ? 0 : 120)}px` }}
      >
        <div class="thd" role="row" style={{ width: `${width}px` }}>
          <Header
            {...parts}
            isAll={isAll}
            resize={resize}
            onReorder={(from, to) => onReorder(reordered(columns, from, to))}
          />
        </div>
        {!table.isLoaded.value && <Skeleton rows={16} />}
        {table.isLoaded.value && !table.total.value && !table.error.value && (
          <p class="nothing dim">
            {settings.isTrash.value
              ? settings.filter.value
                ? "No run in the trash passes this filter."
                : "The trash is empty."
              : settings.filter.value
                ? "No run passes this filter."
                : "No runs yet."}
          </p>
        )}
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
                <span class="dim"> {groupSize(item.group)}</span>
              </div>
              {visible.map(({ path, left, width: w }) => {
                const found = /_time$/.test(path) ? null : figures(item.group!, path, project.metricSet.value);
                return (
                  <div
                    key={path}
                    class="tc n"
                    role="gridcell"
                    style={{ left: `${left}px`, width: `${w}px` }}
                    title={found?.title}
                  >
                    {found?.text}
                    {found && found.n !== item.group!.counted && <span class="dim">, n {found.n}</span>}
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
