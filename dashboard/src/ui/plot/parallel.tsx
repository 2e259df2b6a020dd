/** Parallel coordinates: a line a run, from axis to axis. */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Table } from "../../api/api";
import { ramp } from "../../lib/colors";
import { columnText, isMetricColumn } from "../../lib/metrics";
import type { PlotAxis } from "../../lib/series/axis";
import { brushTerms, plotAxis } from "../../lib/series/axis";
import { direction } from "../../lib/values";
import { fitted, quotedPath, quotedValue } from "../../lib/words";
import { setParams } from "../../state/location";
import * as settings from "../../state/settings";
import { isDark, token } from "../../state/theme";
import { BOX, HEIGHT, column, placeY, useCanvas } from "./canvas";

// Less than this between two axes, and their names run into each other: the plot is scrolled instead.
const AXIS_PX = 96;

export function Parallel({
  metrics,
  table,
  axes,
  color,
}: {
  metrics: ReadonlySet<string>;
  table: Table;
  axes: readonly string[];
  color: string;
}): JSX.Element {
  const laid = useMemo(
    () => axes.map((path) => plotAxis(path, column(table, path), isMetricColumn(path, metrics))),
    [table, axes.join("\n")],
  );
  const shade = useMemo(() => plotAxis(color, column(table, color), true), [table, color]);
  const [brush, setBrush] = useState<{ axis: number; from: number; to: number } | null>(null);
  const isLess = direction(color) < 0;
  const placeX = (i: number, width: number): number =>
    BOX.left + ((width - BOX.left - BOX.right) * i) / Math.max(1, laid.length - 1);
  const { ref } = useCanvas(
    (g, width) => {
      const order = table.ids
        .map((_, i) => i)
        .sort((a, b) => (shade.place(column(table, color)[a]) ?? 0) - (shade.place(column(table, color)[b]) ?? 0));
      if (isLess) order.reverse();
      for (const i of order) {
        const raw = shade.place(column(table, color)[i]);
        const t = raw === null ? 0 : isLess ? 1 - raw : raw;
        g.strokeStyle = ramp(t, isDark.peek());
        g.globalAlpha = table.ids.length > 100 ? 0.12 + 0.6 * t * t : 0.75;
        g.lineWidth = 1.2;
        drawRun(
          g,
          laid.map((axis) => axis.place(column(table, axis.path)[i])),
          (k) => placeX(k, width),
        );
      }
      g.globalAlpha = 1;
      const gap = (width - BOX.left - BOX.right) / Math.max(1, laid.length - 1);
      laid.forEach((axis, k) => {
        const room = Math.min(
          laid.length > 1 ? gap : width,
          2 * (k === laid.length - 1 ? BOX.right : k ? gap : BOX.left + gap / 2),
        );
        drawAxis(g, axis, columnText(axis.path, metrics), placeX(k, width), {
          name: room - 8,
          tick: Math.min(gap, BOX.right + 20) - 12,
        });
      });
      if (brush) {
        g.fillStyle = token("--accent");
        g.globalAlpha = 0.25;
        const [a, b] = [placeY(brush.from), placeY(brush.to)];
        g.fillRect(placeX(brush.axis, width) - 7, Math.min(a, b), 14, Math.abs(a - b));
        g.globalAlpha = 1;
      }
    },
    [table, laid, brush, color],
  );
  const partAt = (event: PointerEvent): number => {
    const y = event.clientY - ref.current!.getBoundingClientRect().top;
    return Math.max(0, Math.min(1, 1 - (y - BOX.top) / (HEIGHT - BOX.top - BOX.bottom)));
  };
  const down = (event: PointerEvent): void => {
    const canvas = ref.current!;
    const x = event.clientX - canvas.getBoundingClientRect().left;
    const axis = laid.findIndex((_, k) => Math.abs(placeX(k, canvas.clientWidth) - x) < 16);
    if (axis < 0) return;
    canvas.setPointerCapture(event.pointerId);
    setBrush({ axis, from: partAt(event), to: partAt(event) });
  };
  const up = (): void => {
    if (brush && Math.abs(brush.from - brush.to) > 0.01) {
      const terms = brushTerms(laid[brush.axis]!, brush.from, brush.to, quotedPath, quotedValue);
      setParams({ q: [settings.filter.peek(), ...terms].filter(Boolean).join(" ") });
    }
    setBrush(null);
  };
  return (
    <div class="wideplot" tabIndex={0} role="region" aria-label="Parallel coordinates">
      <canvas
        ref={ref}
        height={HEIGHT}
        style={{ height: `${HEIGHT}px`, minWidth: `${axes.length * AXIS_PX}px` }}
        role="img"
        aria-label={`Parallel coordinates of ${table.ids.length} runs over ${axes.join(", ")}`}
        onPointerDown={down}
        onPointerMove={(event) => brush && setBrush({ ...brush, to: partAt(event) })}
        onPointerUp={up}
      />
    </div>
  );
}

/** One run from axis to axis; an axis on which it has no value is left out. */
function drawRun(g: CanvasRenderingContext2D, parts: readonly (number | null)[], x: (k: number) => number): void {
  g.beginPath();
  let before: [number, number] | null = null;
  parts.forEach((part, k) => {
    if (part === null) return;
    const [px, py] = [x(k), placeY(part)];
    if (before) g.bezierCurveTo((px + before[0]) / 2, before[1], (px + before[0]) / 2, py, px, py);
    else g.moveTo(px, py);
    before = [px, py];
  });
  g.stroke();
}

function drawAxis(
  g: CanvasRenderingContext2D,
  axis: PlotAxis,
  name: string,
  x: number,
  room: { name: number; tick: number },
): void {
  const fit = (text: string, width: number): string => fitted(text, width, (one) => g.measureText(one).width);
  g.strokeStyle = token("--border-2");
  g.lineWidth = 1;
  g.beginPath();
  g.moveTo(x, BOX.top);
  g.lineTo(x, HEIGHT - BOX.bottom);
  g.stroke();
  g.fillStyle = token("--text");
  g.font = "500 12px Geist, sans-serif";
  g.textAlign = "center";
  const short = fit(name.replace(/^(config|parameters|params|hparams)\//, ""), room.name);
  g.fillText(short, Math.max(x, g.measureText(short).width / 2 + 2), 16);
  g.font = "11px Geist, sans-serif";
  g.textAlign = "left";
  let last = Infinity;
  for (const { part, text } of axis.ticks) {
    const y = placeY(part);
    // Labels need some room between them.
    if (Math.abs(last - y) < 13) continue;
    last = y;
    const label = fit(text, room.tick);
    g.fillStyle = token("--bg");
    g.globalAlpha = 0.8;
    g.fillRect(x + 4, y - 16, g.measureText(label).width + 4, 13);
    g.globalAlpha = 1;
    g.fillStyle = token("--text-2");
    g.fillText(label, x + 6, y - 6);
  }
}
