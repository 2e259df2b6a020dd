/** Draws where values are not finite: a shaded span with one label, however long it is. */
import { joined } from "../lib/series/spans";
import type { Line } from "./data/line";
import type { Area } from "./painter";
import { scalesOf } from "./painter";

// Spans closer to one another than this are one: nobody could tell them apart.
const APART_PX = 8;
const LEAST_PX = 2;
const BASE_PX = 24;
const GAP_PX = 4;

/** Draws the spans of all lines; no label covers another. */
export function drawSpans(
  g: OffscreenCanvasRenderingContext2D,
  area: Area,
  lines: readonly Line[],
  alpha: number,
): void {
  const { X } = scalesOf(area);
  const r = area.ratio;
  const taken: [number, number][] = [];
  g.save();
  g.font = `500 ${10.5 * r}px Geist, sans-serif`;
  g.textAlign = "left";
  for (const line of lines) {
    const seen = line.spans.filter((span) => span.to >= area.x[0] && span.from <= area.x[1]);
    const placed = seen.map((span) => ({ ...span, from: X(span.from), to: X(span.to) }));
    g.fillStyle = g.strokeStyle = line.color;
    for (const span of joined(placed, APART_PX * r)) {
      const left = Math.max(area.left, span.from);
      const right = Math.max(left + LEAST_PX * r, Math.min(area.left + area.width, span.to));
      g.globalAlpha = alpha;
      g.fillRect(left, area.top, right - left, area.height);
      g.globalAlpha = 0.8;
      g.lineWidth = r;
      edge(g, area, left, []);
      if (right - left > LEAST_PX * r) edge(g, area, right, [2 * r, 3 * r]);
      label(g, area, span.text, left, right, taken);
    }
  }
  g.restore();
}

function edge(g: OffscreenCanvasRenderingContext2D, area: Area, x: number, dash: number[]): void {
  g.setLineDash(dash);
  g.beginPath();
  g.moveTo(x, area.top);
  g.lineTo(x, area.top + area.height);
  g.stroke();
  g.setLineDash([]);
}

/** Inside the span where it fits, else beside it. */
function label(
  g: OffscreenCanvasRenderingContext2D,
  area: Area,
  text: string,
  left: number,
  right: number,
  taken: [number, number][],
): void {
  const [width, gap] = [g.measureText(text).width, GAP_PX * area.ratio];
  const end = area.left + area.width;
  const isInside = right - left >= width + 2 * gap;
  const from = isInside
    ? left + (right - left - width) / 2
    : right + gap + width <= end
      ? right + gap
      : Math.max(area.left, left - gap - width);
  if (taken.some(([a, b]) => from < b + gap && from + width > a - gap)) return;
  taken.push([from, from + width]);
  g.globalAlpha = 1;
  g.fillText(text, from, area.top + BASE_PX * area.ratio);
}
