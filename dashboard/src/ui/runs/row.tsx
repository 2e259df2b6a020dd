/** One run in the list beside the charts. */
import { useComputed } from "@preact/signals";
import type { JSX } from "preact";
import { groupKey } from "../../chart/data/group-lines";
import { atCursor, cursorPath, hovered } from "../../chart/hover";
import { setHovered } from "../../chart/linked";
import { among, duration, spanOf } from "../../lib/format";
import { toNumber, toText } from "../../lib/values";
import { runLink, setParams } from "../../state/location";
import type { Project } from "../../state/project";
import { MAX_DRAWN, MAX_GROUPED } from "../../state/project";
import * as settings from "../../state/settings";
import type { RunRow } from "../../state/table";
import { current } from "../parts/keys";
import { StateMark } from "../parts/parts";
import { Name, Tags, wholeName } from "./name";

interface RowProps {
  project: Project;
  row: RunRow | undefined;
  index: number;
  y: number;
  columns: readonly string[];
  isShown: boolean;
  color: string;
}

export function Row({ row, y, ...rest }: RowProps): JSX.Element {
  if (!row) return <div class="row off" role="row" style={{ transform: `translateY(${y}px)` }} />;
  return <LoadedRow row={row} y={y} {...rest} />;
}

function LoadedRow({ project, row, index, y, columns, isShown, color }: RowProps & { row: RunRow }): JSX.Element {
  const isCursorShown = cursorPath.value !== null;
  const groupName = settings.groupBy.value.length ? groupKey(row, settings.groupBy.value) : "";
  // Drawn again only when this row begins or ceases to stand out, not whenever another one does.
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
        <a class="t" href={runLink(project.name, row.id)} title={wholeName(row)}>
          <Name text={row.name} />
        </a>
        <StateMark state={row.state} reason={row.reason} of={row} />
        <Tags tags={row.tags} />
      </span>
      {columns.map((path, i) => {
        if (isCursorShown && i === columns.length - 1) return <CursorValue key="cursor" of={row.id} />;
        const value = row.cells[path];
        const asNumber = toNumber(value);
        return (
          <span key={path} role="gridcell" class="num" title={toText(value)}>
            {asNumber === null ? toText(value) : among(asNumber, project.table.span(path))}
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
  const values = atCursor.value?.values;
  const value = values?.get(of);
  return (
    <span role="gridcell" class="num lg">
      {value === undefined ? "" : among(value, spanOf(values!.values()))}
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
  const most = settings.groupBy.peek().length ? MAX_GROUPED : MAX_DRAWN;
  setParams({ show: next.length ? next.slice(0, most) : "none" });
}
