/** Draws lines, bands and marks from typed arrays. Coordinates are device pixels. */
import type { Column } from "../lib/series/series";
import { lowerBound } from "../lib/series/series";
import type { Line } from "./data/line";

export interface Area {
  left: number;
  top: number;
  width: number;
  height: number;
  x: readonly [number, number];
  y: readonly [number, number];
  isLogX: boolean;
  isLogY: boolean;
  ratio: number;
}

export interface Look {
  rawAlpha: number;
  width: number;
  /** Bands of many lines would only cover one another. */
  hasBands: boolean;
}

const TINY = Number.MIN_VALUE;
const log = (value: number): number => Math.log10(Math.max(value, TINY));

const HUGE = 1e307;

/** Where a value is between two others, 0 at the first: no difference of doubles is too large or too small for it. */
function part(value: number, low: number, high: number): number {
  if (Math.abs(low) > HUGE || Math.abs(high) > HUGE) return (value / 2 - low / 2) / (high / 2 - low / 2 || 1);
  return (value - low) / (high - low || 1);
}

// A canvas draws no line to a place that is no number.
const FAR_PX = 1e6;
const inReach = (px: number): number => (px > FAR_PX ? FAR_PX : px < -FAR_PX ? -FAR_PX : px);

/** Functions from values to pixels. */
export function scalesOf(area: Area): { X: (v: number) => number; Y: (v: number) => number } {
  const [x0, x1] = area.isLogX ? [log(area.x[0]), log(area.x[1])] : area.x;
  const [y0, y1] = area.isLogY ? [log(area.y[0]), log(area.y[1])] : area.y;
  const x = (v: number): number => inReach(area.left + part(v, x0, x1) * area.width);
  const y = (v: number): number => inReach(area.top + area.height - part(v, y0, y1) * area.height);
  return {
    X: area.isLogX ? (v) => x(log(v)) : x,
    Y: area.isLogY ? (v) => y(log(v)) : y,
  };
}

/** The value at a place between 0 and 1 of the axis of x. */
export function valueAt(area: Pick<Area, "x" | "isLogX">, at: number): number {
  const [low, high] = area.x;
  if (!area.isLogX) return low + (high - low) * at;
  return 10 ** (log(low) + (log(high) - log(low)) * at);
}

/** Where a value is on an axis, from 0 to 1. */
export function partOf([low, high]: readonly [number, number], isLog: boolean, value: number): number {
  return isLog ? part(log(value), log(low), log(high)) : part(value, low, high);
}

interface Paths {
  signature: string;
  line: Path2D;
  raw: Path2D | null;
  band: Path2D | null;
}

const kept = new WeakMap<Line, Paths>();

export function drawLine(g: OffscreenCanvasRenderingContext2D, area: Area, line: Line, look: Look): void {
  const paths = pathsOf(line, area);
  g.strokeStyle = g.fillStyle = line.color;
  g.lineJoin = "round";
  if (paths.band && look.hasBands) {
    g.globalAlpha = line.members ? 0.14 : 0.18;
    g.fill(paths.band);
  }
  if (line.members && look.hasBands) {
    g.globalAlpha = 0.16;
    g.lineWidth = area.ratio * 0.75;
    const scales = scalesOf(area);
    for (const member of line.members)
      if (!line.unseen?.has(member.run))
        g.stroke(pathOf(member.x, member.raw ? member.last : member.mean, member.n, area, scales));
  } else if (paths.raw) {
    g.globalAlpha = look.rawAlpha;
    g.lineWidth = area.ratio;
    g.stroke(paths.raw);
  }
  g.globalAlpha = line.isKept ? 0.75 : 1;
  g.lineWidth = look.width * area.ratio * (line.isKept ? 0.65 : 1);
  g.setLineDash(line.dash.map((part) => part * area.ratio));
  g.stroke(paths.line);
  g.setLineDash([]);
  g.globalAlpha = 1;
  drawEnd(g, area, line);
}

function pathsOf(line: Line, area: Area): Paths {
  const signature = [
    area.left,
    area.top,
    area.width,
    area.height,
    ...area.x,
    ...area.y,
    area.isLogX,
    area.isLogY,
  ].join();
  let paths = kept.get(line);
  if (paths?.signature !== signature) {
    const scales = scalesOf(area);
    paths = {
      signature,
      line: pathOf(line.x, line.y, line.n, area, scales),
      raw: line.raw ? pathOf(line.x, line.raw, line.n, area, scales) : null,
      band: line.low && line.high ? bandOf(line, area, scales) : null,
    };
    kept.set(line, paths);
  }
  return paths;
}

type Scales = ReturnType<typeof scalesOf>;

/** One more point than is in view on each side, so that lines go on to the edge. */
function visible(x: Float64Array, n: number, area: Area): [number, number] {
  return [Math.max(0, lowerBound(x, area.x[0]) - 1), Math.min(n - 1, lowerBound(x, area.x[1]) + 1)];
}

/**
 * The line through the points. Where several share a column of pixels, only those are drawn that can be seen: the
 * lowest, the highest and the last of them.
 */
function pathOf(x: Float64Array, y: Column, n: number, area: Area, { X, Y }: Scales): Path2D {
  const path = new Path2D();
  const [first, last] = visible(x, n, area);
  let isDown = false;
  let column = NaN;
  let [enter, low, high, lowAt, highAt, count, length] = [0, 0, 0, 0, 0, 0, 0];
  let [px, py] = [0, 0];
  const flush = (): void => {
    if (!count) return;
    if (!isDown) path.moveTo(px, enter);
    else if (count === 1 || high - low < 1) path.lineTo(px, count === 1 ? py : enter);
    if (count > 1) {
      if (high - low >= 1) {
        path.lineTo(px, lowAt < highAt ? low : high);
        path.lineTo(px, lowAt < highAt ? high : low);
      }
      path.lineTo(px, py);
    }
    isDown = true;
    count = 0;
  };
  const end = (): void => {
    flush();
    // A point without neighbours is a dot.
    if (length === 1) {
      path.moveTo(px + 1.75 * area.ratio, py);
      path.arc(px, py, 1.75 * area.ratio, 0, 7);
    }
    isDown = false;
    length = 0;
    column = NaN;
  };
  for (let i = first; i <= last; i++) {
    const value = y[i]!;
    if (!Number.isFinite(value) || (area.isLogY && value <= 0) || (area.isLogX && x[i]! <= 0)) {
      end();
      continue;
    }
    const [nextX, nextY] = [X(x[i]!), Y(value)];
    const nextColumn = Math.floor(nextX);
    if (nextColumn !== column) {
      flush();
      column = nextColumn;
      enter = low = high = nextY;
      lowAt = highAt = i;
    } else if (nextY < low) [low, lowAt] = [nextY, i];
    else if (nextY > high) [high, highAt] = [nextY, i];
    [px, py] = [nextX, nextY];
    count++;
    length++;
  }
  end();
  return path;
}

function bandOf(line: Line, area: Area, { X, Y }: Scales): Path2D {
  const path = new Path2D();
  const [first, last] = visible(line.x, line.n, area);
  const floor = area.isLogY ? area.y[0] : -Infinity;
  let stretch: number[] = [];
  const close = (): void => {
    if (stretch.length > 1) {
      stretch.forEach((i, k) => path[k ? "lineTo" : "moveTo"](X(line.x[i]!), Y(line.high![i]!)));
      for (const i of stretch.reverse()) path.lineTo(X(line.x[i]!), Y(Math.max(floor, line.low![i]!)));
      path.closePath();
    } else if (stretch.length === 1) {
      const i = stretch[0]!;
      path.rect(
        X(line.x[i]!) - area.ratio / 2,
        Y(line.high![i]!),
        area.ratio,
        Y(Math.max(floor, line.low![i]!)) - Y(line.high![i]!),
      );
    }
    stretch = [];
  };
  for (let i = first; i <= last; i++) {
    if (Number.isFinite(line.low![i]!) && Number.isFinite(line.high![i]!)) stretch.push(i);
    else close();
  }
  close();
  return path;
}

/** Where a running run is now. */
function drawEnd(g: OffscreenCanvasRenderingContext2D, area: Area, line: Line): void {
  if (!line.isLive || !line.n) return;
  const { X, Y } = scalesOf(area);
  const [x, value] = [line.x[line.n - 1]!, line.y[line.n - 1]!];
  if (x > area.x[1] || x < area.x[0] || !Number.isFinite(value)) return;
  g.beginPath();
  g.arc(X(x), Y(value), 3 * area.ratio, 0, 7);
  g.fill();
  g.beginPath();
  g.arc(X(x), Y(value), 5.5 * area.ratio, 0, 7);
  g.globalAlpha = 0.35;
  g.lineWidth = 1.5 * area.ratio;
  g.stroke();
  g.globalAlpha = 1;
}
