/** Runs that are ticked, and what can be done with all of them at once. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { api } from "../../api/api";
import { count, counted } from "../../lib/format";
import { columnText } from "../../lib/metrics";
import { toText } from "../../lib/values";
import { go, keptParams, pagePath, setParams } from "../../state/location";
import type { Project } from "../../state/project";
import type { Selection } from "../../state/selection";
import * as settings from "../../state/settings";
import { MAX_COMPARED } from "../../state/shell";
import type { RunTable } from "../../state/table";
import { follow } from "../../state/table";
import { runColor } from "../../state/theme";
import { Icon } from "../parts/icons";
import { Menu } from "../parts/menu";
import { attempt, say } from "../parts/say";
import type { Edited } from "../runs/edit";
import { EditDialog } from "../runs/edit";

export function SelectionBar({
  project,
  table,
  selection,
}: {
  project: Project;
  table: RunTable;
  selection: Selection;
}): JSX.Element {
  const [edited, setEdited] = useState<Edited | null>(null);
  follow(selection.version);
  const ids = selection.all;
  const isTrash = settings.isTrash.value;
  const bulk = async (op: Op, done: string, value?: string, undo?: Op): Promise<void> => {
    const chosen = selection.all;
    const result = await attempt(() => api.bulk(project.name, changeOf(chosen, op, value)));
    if (!result) return;
    const [failed] = result.failed;
    const back: [string, () => void] | undefined = undo
      ? ["Undo", () => void attempt(() => api.bulk(project.name, changeOf(result.done, undo, value))).then(refresh)]
      : undefined;
    const text = `${done}: ${counted(result.done.length, "run")}`;
    say(
      failed ? `${text}. Not changed: ${result.failed.map((f) => f.id).join(", ")}. ${failed.message}` : text,
      ...(back ? [back] : []),
    );
    if (/trash|restore|archive/.test(op)) selection.clear();
    refresh();
  };
  const refresh = (): void => {
    table.reload();
    project.table.reload();
    project.refresh();
  };
  const open = (): void => {
    const row = table.loaded.find((one) => one.id === ids[0]);
    if (row)
      setEdited({
        id: row.id,
        name: toText(row.cells["sys/name"]),
        description: toText(row.cells["sys/description"]),
        tags: row.tags,
        color: row.color,
      });
  };
  const editedRow = edited && table.loaded.find((one) => one.id === edited.id);
  return (
    <div class="tfoot" role="toolbar" aria-label="Selected runs">
      {ids.length ? (
        <>
          <b>{count(ids.length)}</b> selected
          <button
            type="button"
            class="btn"
            disabled={ids.length < 2 || ids.length > MAX_COMPARED}
            title={`2 to ${MAX_COMPARED} runs`}
            onClick={() => go(comparePath(project.name, ids))}
          >
            <Icon name="compare" isSmall />
            Compare
          </button>
          <button type="button" class="btn gh" disabled={ids.length !== 1} onClick={open}>
            <Icon name="edit" isSmall />
            Edit
          </button>
          <TagMenu act={(op, tag) => void bulk(op, op === "tag" ? `Tagged “${tag}”` : `Tag “${tag}” removed`, tag)} />
          <button
            type="button"
            class="btn gh"
            onClick={() => setParams({ pinrun: [...new Set([...settings.pinnedRuns.peek(), ...ids])] })}
          >
            <Icon name="pin" isSmall />
            Pin
          </button>
          <button type="button" class="btn gh" onClick={() => setParams({ show: ids })}>
            <Icon name="eye" isSmall />
            Show in charts
          </button>
          {/\barchived\b/.test(settings.filter.value) ? (
            <button
              type="button"
              class="btn gh"
              onClick={() => void bulk("unarchive", "Back from the archive", undefined, "archive")}
            >
              Unarchive
            </button>
          ) : (
            <button
              type="button"
              class="btn gh"
              title="Hide them; the filter archived:true shows them"
              onClick={() => void bulk("archive", "Archived", undefined, "unarchive")}
            >
              Archive
            </button>
          )}
          {isTrash ? (
            <button type="button" class="btn gh" onClick={() => void bulk("restore", "Restored")}>
              <Icon name="restore" isSmall />
              Restore
            </button>
          ) : (
            <button
              type="button"
              class="btn gh bad"
              onClick={() => void bulk("trash", "Moved to the trash", undefined, "restore")}
            >
              <Icon name="trash" isSmall />
              Trash
            </button>
          )}
          <button type="button" class="btn gh" onClick={() => selection.clear()}>
            Clear
          </button>
        </>
      ) : (
        <span>Tick runs to compare, tag, pin or remove them</span>
      )}
      <span class="sp" />
      {table.isLoaded.value && (
        <span>
          Sorted on the server by{" "}
          {settings.sort.value[0] ? columnText(settings.sort.value[0][0], project.metricSet.value) : "creation"} ·{" "}
          {Math.round(table.milliseconds.value)} ms
        </span>
      )}
      {edited && (
        <EditDialog
          project={project}
          run={edited}
          shownColor={editedRow ? runColor(editedRow) : "#000000"}
          onClose={() => setEdited(null)}
          onSaved={refresh}
        />
      )}
    </div>
  );
}

const comparePath = (project: string, ids: readonly string[]): string =>
  pagePath(project, "compare") + keptParams({ runs: ids });

function TagMenu({ act }: { act: (op: "tag" | "untag", tag: string) => void }): JSX.Element {
  const [tag, setTag] = useState("");
  return (
    <Menu
      label="Tags"
      button={(toggle, isOpen) => (
        <button type="button" class="btn gh" aria-expanded={isOpen} onClick={toggle}>
          <Icon name="tag" isSmall />
          Tag
        </button>
      )}
    >
      {(close) => (
        <form
          class="pad lrow"
          onSubmit={(event) => {
            event.preventDefault();
            if (tag.trim()) act("tag", tag.trim());
            close();
          }}
        >
          <input
            class="field"
            placeholder="A tag"
            aria-label="Tag"
            value={tag}
            onInput={(event) => setTag(event.currentTarget.value)}
          />
          <button type="submit" class="btn pri" disabled={!tag.trim()}>
            Add
          </button>
          <button
            type="button"
            class="btn"
            disabled={!tag.trim()}
            onClick={() => {
              act("untag", tag.trim());
              close();
            }}
          >
            Remove
          </button>
        </form>
      )}
    </Menu>
  );
}

type Op = "archive" | "unarchive" | "trash" | "restore" | "tag" | "untag";

/** What the server is asked to do to many runs. */
const changeOf = (ids: readonly string[], op: Op, value = ""): Parameters<typeof api.bulk>[1] =>
  op === "tag" || op === "untag" ? { ids, op, value } : { ids, op };
