/** The list beside the charts: it is their legend, and says which runs they draw. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { groupKey, groupNames, isCounted } from "../../chart/data/group-lines";
import { setHovered } from "../../chart/linked";
import { slotColor } from "../../lib/colors";
import { count, counted } from "../../lib/format";
import { setParams } from "../../state/location";
import type { Project } from "../../state/project";
import { MAX_DRAWN, MAX_GROUPED } from "../../state/project";
import * as settings from "../../state/settings";
import type { RunRow } from "../../state/table";
import { follow } from "../../state/table";
import { isDark, runColor } from "../../state/theme";
import { Skeleton } from "../parts/empty";
import { current, rowKeys } from "../parts/keys";
import { IconButton } from "../parts/parts";
import { Resizer } from "../parts/resizer";
import { placed, useView } from "../parts/virtual";
import { ColumnsMenu } from "./columns";
import { FilterBox } from "./filter";
import { GroupHead, groupName } from "./group-head";
import { Header, SortMenu } from "./head";
import { Row, toggleShown } from "./row";

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
            Runs{project.table.isLoaded.value && <span class="cnt">{count(project.table.total.value)}</span>}
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
    const y = at * ROW + table.groups.peek().filter((group) => group.offset <= at).length * HEAD;
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + ROW > element.scrollTop + element.clientHeight) element.scrollTop = y + ROW - element.clientHeight;
  }, [current.value]);
  const drawn = new Set(project.drawn.value.map((row) => row.id));
  const names = groupNames(project.counted.value, settings.groupBy.value);
  const groupColor = (name: string): string => slotColor(Math.max(0, names.indexOf(name)), isDark.value);
  const colorOf = (row: RunRow): string =>
    groups.length ? groupColor(groupKey(row, settings.groupBy.value)) : runColor(row);
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
            <GroupHead
              key={`g${item.row}`}
              project={project}
              group={item.group}
              y={item.y}
              column={columns[0]}
              color={groupColor(groupName(item.group, settings.groupBy.value))}
            />
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
      {!table.isLoaded.value && <Skeleton rows={12} />}
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

function Footer({ project }: { project: Project }): JSX.Element {
  const isAuto = "first" in settings.shown.value;
  const total = project.table.total.value;
  const isGrouped = settings.groupBy.value.length > 0;
  return (
    <div class="lfoot">
      {!project.table.isLoaded.value ? (
        <span>Loading</span>
      ) : isGrouped ? (
        <span title={total > MAX_GROUPED ? `In the order of the list` : "Failed and crashed runs are left out"}>
          <b>{count(project.counted.value.filter(isCounted).length)}</b> of {counted(total, "run")} counted
          {total > MAX_GROUPED && `, of the first ${count(MAX_GROUPED)}`}
        </span>
      ) : (
        <>
          <span>
            <b>{project.drawn.value.length}</b> shown
          </span>
          <span>· max {MAX_DRAWN}</span>
        </>
      )}
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
