/** Find one run by name, id or tag. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { api } from "../../api/api";
import { ago } from "../../lib/format";
import type { RunRow } from "../../state/table";
import { BASE_COLUMNS, rowFrom } from "../../state/table";
import { runColor } from "../../state/theme";
import { Item, Limit } from "../parts/menu";
import { useAnswer } from "../parts/parts";

export function RunPicker({
  project,
  without,
  onPick,
}: {
  project: string;
  without: readonly string[];
  onPick: (row: RunRow) => void;
}): JSX.Element {
  const [text, setText] = useState("");
  const filter = text ? `"${text.replace(/["\\]/g, "\\$&")}"` : "";
  const { data } = useAnswer(
    () => api.runs(project, { filter, columns: [...BASE_COLUMNS], limit: 40 }),
    [project, text],
  );
  const rows = (data?.ids ?? [])
    .map((id, i) =>
      rowFrom(id, Object.fromEntries(Object.entries(data!.columns).map(([path, values]) => [path, values[i] ?? null]))),
    )
    .filter((row) => !without.includes(row.id));
  return (
    <>
      <div class="pad">
        <input
          class="field"
          placeholder="Find a run"
          aria-label="Find a run"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      {rows.map((row) => (
        <Item key={row.id} isFound right={ago(row.created)} onClick={() => onPick(row)}>
          <span class="sw" style={{ "--c": runColor(row) }} /> {row.name}
        </Item>
      ))}
      {data && <Limit shown={data.ids.length} of={data.total} what="runs, newest first" />}
      {data && !rows.length && <div class="hd">No such run</div>}
    </>
  );
}
