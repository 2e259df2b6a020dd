/** The head of the table: sorting, moving, pinning and sizing columns. */
import type { JSX } from "preact";
import { splitPath } from "../../lib/format";
import { columnText, hardwareName, splitColumn } from "../../lib/metrics";
import * as settings from "../../state/settings";
import { Icon } from "../parts/icons";
import { sortBy } from "../runs/head";
import type { Laid, Parts } from "./layout";
import { NAME_WIDTH, numeric, togglePinned } from "./layout";

export function Header(
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
    const [own, aggregate] = splitColumn(path, props.project.metricSet.value);
    const [before, name] = splitPath(hardwareName(own));
    const what = aggregate || (props.project.metricSet.value.has(path) ? "last" : "");
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
          title={`Sort by ${columnText(path, props.project.metricSet.value)}; drag to move; Alt-click to ${isFixed ? "unpin" : "pin"}`}
          onClick={(event) => (event.altKey ? togglePinned(path) : sortBy(path))}
        >
          {before && !path.startsWith("sys/") && <span class="dim">{before}</span>}
          {LABELS[path] ?? name}
          {what && <span class="dim"> {what}</span>}
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

function dragWidth(event: PointerEvent, width: number, resize: (to: number) => void): void {
  event.preventDefault();
  event.stopPropagation();
  const from = event.clientX;
  const move = (e: PointerEvent): void => resize(width + e.clientX - from);
  addEventListener("pointermove", move);
  addEventListener("pointerup", () => removeEventListener("pointermove", move), { once: true });
}
