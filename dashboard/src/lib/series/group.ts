/** Runs of a group as one line: the mean, how far they spread, and sums that lose nothing. */
import type { Series } from "./series";
import { lowerBound } from "./series";

export type Spread = "std" | "sem" | "minmax";

export interface GroupLine {
  x: Float64Array;
  n: number;
  mean: Float64Array;
  /** The sample's standard deviation, whatever the band shows. */
  std: Float64Array;
  low: Float64Array;
  high: Float64Array;
  /** How many runs reached each x. */
  count: Uint16Array;
}

const POINTS = 300;

/** Mean and spread over the runs that reached each x. Where all runs have the same few x, those are used as they are. */
export function grouped(members: readonly Series[], spread: Spread): GroupLine {
  const drawn = members.filter((s) => s.n > 0);
  const x = grid(drawn);
  const line: GroupLine = {
    x,
    n: x.length,
    mean: new Float64Array(x.length),
    std: new Float64Array(x.length),
    low: new Float64Array(x.length),
    high: new Float64Array(x.length),
    count: new Uint16Array(x.length),
  };
  for (let i = 0; i < x.length; i++) {
    const values = drawn.map((s) => at(s, x[i]!)).filter(Number.isFinite);
    const { mean, std } = meanAndDeviation(values);
    const half = spread === "sem" ? std / Math.sqrt(values.length) : std;
    line.count[i] = values.length;
    line.mean[i] = mean;
    line.std[i] = std;
    line.low[i] = spread === "minmax" && values.length ? Math.min(...values) : mean - half;
    line.high[i] = spread === "minmax" && values.length ? Math.max(...values) : mean + half;
  }
  return line;
}

function grid(members: readonly Series[]): Float64Array {
  const all = new Set<number>();
  for (const s of members) {
    for (let i = 0; i < s.n && all.size <= POINTS; i++) all.add(s.x[i]!);
  }
  if (all.size <= POINTS) return Float64Array.from(all).sort();
  let [low, high] = [Infinity, -Infinity];
  for (const s of members) {
    low = Math.min(low, s.x[0]!);
    high = Math.max(high, s.x[s.n - 1]!);
  }
  return Float64Array.from({ length: POINTS }, (_, i) => low + ((high - low) * i) / (POINTS - 1));
}

/** The value of a series at `x`, on the straight line between its neighbours; NaN before its first and after its last point. */
export function at(s: Pick<Series, "x" | "n" | "mean">, x: number): number {
  if (!s.n || x < s.x[0]! || x > s.x[s.n - 1]!) return NaN;
  const i = lowerBound(s.x, x);
  if (s.x[i] === x) return s.mean[i]!;
  const part = (x - s.x[i - 1]!) / (s.x[i]! - s.x[i - 1]!);
  return s.mean[i - 1]! + part * (s.mean[i]! - s.mean[i - 1]!);
}

/** The sum of the values, rounded once (Shewchuk's partial sums, as Python's math.fsum). */
export function exactSum(values: Iterable<number>): number {
  const partials: number[] = [];
  for (let x of values) {
    let kept = 0;
    for (let i = 0; i < partials.length; i++) {
      let y = partials[i]!;
      if (Math.abs(x) < Math.abs(y)) [x, y] = [y, x];
      const high = x + y;
      const low = y - (high - x);
      if (low) partials[kept++] = low;
      x = high;
    }
    partials.length = kept;
    partials.push(x);
  }
  let sum = 0;
  for (let i = partials.length - 1; i >= 0; i--) sum += partials[i]!;
  return sum;
}

/** The mean and the sample's standard deviation of finite values of any size; a deviation of 0 for one value. */
export function meanAndDeviation(values: readonly number[]): { mean: number; std: number } {
  if (!values.length) return { mean: NaN, std: NaN };
  if (values.length === 1) return { mean: values[0]!, std: 0 };
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  // A power of two, so that scaling is exact, and neither a sum nor a square overflows or vanishes.
  const scale = largest > 2 ** 500 || (largest > 0 && largest < 2 ** -500) ? 2 ** Math.floor(Math.log2(largest)) : 1;
  const parts = scale === 1 ? values : values.map((value) => value / scale);
  const mean = exactSum(parts) / parts.length;
  const std = Math.sqrt(exactSum(parts.map((part) => (part - mean) ** 2)) / (parts.length - 1));
  return { mean: mean * scale, std: std * scale };
}
