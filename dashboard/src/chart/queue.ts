/** Charts paint one after the other, the nearest first, and never for longer than a part of a frame. */

const BUDGET_MS = 10;

interface Painted {
  distance: () => number;
  paintNow: () => void;
}

const waiting = new Set<Painted>();
let frame = 0;

export function paintSoon(chart: Painted): void {
  waiting.add(chart);
  if (!frame) frame = requestAnimationFrame(paintSome);
}

export const forgetPaint = (chart: Painted): boolean => waiting.delete(chart);

function paintSome(): void {
  frame = 0;
  const until = performance.now() + BUDGET_MS;
  const order = [...waiting].map((chart): [number, Painted] => [chart.distance(), chart]).sort((a, b) => a[0] - b[0]);
  for (const [, chart] of order) {
    waiting.delete(chart);
    chart.paintNow();
    if (performance.now() > until) break;
  }
  if (waiting.size && !frame) frame = requestAnimationFrame(paintSome);
}
