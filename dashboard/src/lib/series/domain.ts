/** Which part of the y axis a chart shows. */
import type { Series } from "./series";
import { lowerBound } from "./series";

export interface Domain {
  low: number;
  high: number;
  /** Values lie outside: the warm-up or a divergence would have flattened everything else. */
  isClipped: boolean;
  /** There is nothing to show: the ends mean nothing. */
  isEmpty?: boolean;
}

const SAMPLES = 200;
// Of fewer points each is worth seeing.
const MIN_CLIPPED = 100;

/**
 * The y domain of what is drawn between two x.
 *
 * @param isFull shows everything; else the outermost 2 % may be cut, where they take more than half of the height
 */
export function yDomain(
  series: Iterable<Pick<Series, "x" | "n" | "min" | "max">>,
  from: number,
  to: number,
  isFull: boolean,
  isLog: boolean,
): Domain {
  const values: number[] = [];
  let [low, high] = [Infinity, -Infinity];
  for (const s of series) {
    let first = lowerBound(s.x, from);
    let last = Math.min(s.n, lowerBound(s.x, to)) - (s.x[lowerBound(s.x, to)] === to ? 0 : 1);
    // Between two points there is the line from one to the other.
    if (last < first) [first, last] = [Math.max(0, first - 1), Math.min(s.n - 1, first)];
    const stride = Math.max(1, Math.floor((last - first) / SAMPLES));
    for (let i = first; i <= last; i++) {
      const b = s.max[i]!;
      // Of several points, of which some are not positive, a log axis shows the highest.
      const a = isLog && s.min[i]! <= 0 && b > 0 ? b : s.min[i]!;
      if (!Number.isFinite(a) || !Number.isFinite(b) || (isLog && a <= 0)) continue;
      if (a < low) low = a;
      if (b > high) high = b;
      if ((i - first) % stride === 0) values.push(a, b);
    }
  }
  if (low > high) return { low: isLog ? 0.1 : 0, high: 1, isClipped: false, isEmpty: true };
  if (isLog) return { low, high: low === high ? low * 10 : high, isClipped: false };
  let isClipped = false;
  if (!isFull && values.length >= 2 * MIN_CLIPPED) {
    values.sort((a, b) => a - b);
    const at = (part: number): number => values[Math.round(part * (values.length - 1))]!;
    const [inner, outer] = [at(0.02), at(0.98)];
    const pad = (outer - inner) * 0.15;
    if (outer > inner && high - low > 2 * (outer - inner)) {
      const [tight, wide] = [Math.max(low, inner - pad), Math.min(high, outer + pad)];
      isClipped = tight > low || wide < high;
      [low, high] = [tight, wide];
    }
  }
  // By halves: the whole of the largest range is no number.
  const pad = (high / 2 - low / 2 || Math.abs(high) / 2 || 0.5) * 0.12;
  const [bottom, top] = [Math.max(-Number.MAX_VALUE, low - pad), Math.min(Number.MAX_VALUE, high + pad)];
  return { low: low >= 0 && bottom < 0 ? 0 : bottom, high: top, isClipped };
}

/** Whether a log axis would show more: all values positive, over three orders of magnitude. */
export const suggestsLog = (domain: Domain, smallest: number): boolean => smallest > 0 && domain.high / smallest > 1000;

/** What the axis of x goes over: the zoom, or all that there is. */
export function xDomain(
  series: Iterable<Pick<Series, "x" | "n">>,
  zoom: readonly [number, number] | null,
): [number, number] {
  if (zoom) return [zoom[0], zoom[1]];
  let [low, high] = [Infinity, -Infinity];
  for (const s of series) {
    if (!s.n) continue;
    low = Math.min(low, s.x[0]!);
    high = Math.max(high, s.x[s.n - 1]!);
  }
  if (low > high) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}
