/** The lines of the chart that is seen alone: their colours, and their values at the cursor or at their ends. */
import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import type { Line } from "../../chart/data/line";
import { atCursor, hovered } from "../../chart/hover";
import { setHovered } from "../../chart/linked";
import { among, meanText, spanOf } from "../../lib/format";
import { direction } from "../../lib/values";
import { Name } from "../runs/name";

const endOf = (line: Line): number => {
  for (let i = line.n - 1; i >= 0; i--) if (Number.isFinite(line.y[i]!)) return line.y[i]!;
  return NaN;
};

export function Legend({ lines, path }: { lines: Signal<readonly Line[]>; path: string }): JSX.Element {
  const cursor = atCursor.value;
  const sign = direction(path) || 1;
  const rows = lines.value
    .map((line) => ({ line, value: cursor ? cursor.values.get(line.key) : endOf(line) }))
    .sort((a, b) => sign * ((b.value ?? NaN) - (a.value ?? NaN)) || 0);
  const span = spanOf(rows.map(({ value }) => value));
  return (
    <aside class="legend" aria-label="Legend">
      <header>
        <span>{sign < 0 ? "lowest first" : "highest first"}</span>
        <span>{cursor ? "at the cursor" : "last"}</span>
      </header>
      <ul>
        {rows.map(({ line, value }) => (
          <li
            key={line.key}
            class={hovered.value === line.key ? "hl" : ""}
            title={line.label}
            onMouseEnter={() => setHovered(line.key)}
            onMouseLeave={() => setHovered(null)}
          >
            <span class="sw" style={{ "--c": line.color }} />
            <Name text={line.label} />
            <b>{value === undefined ? "" : valueText(line, value, span, cursor?.spread.get(line.key))}</b>
          </li>
        ))}
      </ul>
    </aside>
  );
}

function valueText(line: Line, value: number, span: number, spread: { std: number; n: number } | undefined): string {
  const [std, n] = spread ? [spread.std, spread.n] : [line.std?.[line.n - 1], line.count?.[line.n - 1]];
  return std !== undefined && n !== undefined && n > 1 ? `${meanText(value, std)}, n ${n}` : among(value, span);
}
