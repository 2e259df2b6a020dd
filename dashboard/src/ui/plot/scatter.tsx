/** One column of all runs against another. */
import type { JSX } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import type { Table } from "../../api/api";
import { ramp } from "../../lib/colors";
import { number } from "../../lib/format";
import { columnText } from "../../lib/metrics";
import { plotAxis } from "../../lib/series/axis";
import type { Cell } from "../../lib/values";
import { direction, toText } from "../../lib/values";
import { fitted } from "../../lib/words";
import { go, runLink } from "../../state/location";
import { isDark, token } from "../../state/theme";
import { BOX, HEIGHT, column, placeY, useCanvas } from "./canvas";

export function Scatter({
  project,
  metrics,
  table,
  x,
  y,
  color,
}: {
  project: string;
  metrics: ReadonlySet<string>;
  table: Table;
  x: string;
  y: string;
  color: string;
}): JSX.Element {
  const [xAxis, yAxis, shade] = useMemo(
    () =>
      [
        plotAxis(x, column(table, x), true),
        plotAxis(y, column(table, y), true),
        plotAxis(color, column(table, color), true),
      ] as const,
    [table, x, y, color],
  );
  const [under, setUnder] = useState(-1);
  const points = useRef<{ i: number; px: number; py: number }[]>([]);
  const { ref } = useCanvas(
    (g, width) => {
      const inner = width - BOX.left - BOX.right;
      g.font = "11px Geist, sans-serif";
      g.fillStyle = token("--text-3");
      g.strokeStyle = token("--grid");
      for (const { part, text } of yAxis.ticks) {
        g.beginPath();
        g.moveTo(BOX.left, placeY(part));
        g.lineTo(width - BOX.right, placeY(part));
        g.stroke();
        g.textAlign = "right";
        g.fillText(
          fitted(text, 52, (one) => g.measureText(one).width),
          BOX.left - 6,
          placeY(part) + 4,
        );
      }
      g.textAlign = "center";
      for (const { part, text } of xAxis.ticks)
        g.fillText(
          fitted(text, 110, (one) => g.measureText(one).width),
          BOX.left + part * inner,
          HEIGHT - 2,
        );
      g.fillStyle = token("--text");
      g.textAlign = "left";
      g.fillText(columnText(y, metrics), 4, 14);
      g.textAlign = "right";
      g.fillText(columnText(x, metrics), width - 6, HEIGHT - 20);
      points.current = [];
      table.ids.forEach((_, i) => {
        const [a, b] = [xAxis.place(column(table, x)[i]), yAxis.place(column(table, y)[i])];
        if (a === null || b === null) return;
        const [px, py] = [BOX.left + a * inner, placeY(b)];
        points.current.push({ i, px, py });
        const raw = shade.place(column(table, color)[i]) ?? 0;
        g.fillStyle = ramp(direction(color) < 0 ? 1 - raw : raw, isDark.peek());
        g.globalAlpha = 0.85;
        g.beginPath();
        g.arc(px, py, i === under ? 6.5 : 4, 0, 7);
        g.fill();
        g.globalAlpha = 1;
      });
    },
    [table, xAxis, yAxis, shade, under],
  );
  const find = (event: MouseEvent): number => {
    const box = ref.current!.getBoundingClientRect();
    const [mx, my] = [event.clientX - box.left, event.clientY - box.top];
    let [best, away] = [-1, 12];
    for (const { i, px, py } of points.current) {
      const distance = Math.hypot(px - mx, py - my);
      if (distance < away) [best, away] = [i, distance];
    }
    return best;
  };
  return (
    <>
      <canvas
        ref={ref}
        height={HEIGHT}
        style={{ height: `${HEIGHT}px`, cursor: under >= 0 ? "pointer" : "default" }}
        role="img"
        aria-label={`${y} against ${x} of ${table.ids.length} runs`}
        onMouseMove={(event) => setUnder(find(event))}
        onMouseLeave={() => setUnder(-1)}
        onClick={(event) => {
          const i = find(event);
          if (i >= 0) go(runLink(project, table.ids[i]!));
        }}
      />
      <p class="dim" aria-live="off">
        {under >= 0
          ? `${toText(column(table, "sys/name")[under]) || table.ids[under]!}: ${columnText(x, metrics)} ${shown(column(table, x)[under])}, ${columnText(y, metrics)} ${shown(column(table, y)[under])}`
          : "\u00a0"}
      </p>
    </>
  );
}

const shown = (cell: Cell | undefined): string => (typeof cell === "number" ? number(cell) : toText(cell));
