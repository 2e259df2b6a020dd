/**
 * Smoothing. How much is smoothed depends on the extent of x alone, so the same curve comes out of 500 points or
 * 500,000 and of points that are far from even.
 */
import type { Column } from "./series";

export type Kind = "ema" | "gauss" | "mean";

// What a weight of the slider means is fixed for a series of this many points: the next point takes (1 - weight).
const NOMINAL_POINTS = 500;

/** The time constant, in units of x, for a slider's `weight` from 0 to 0.99. */
export const constantOf = (weight: number, extent: number): number =>
  weight <= 0 || extent <= 0 ? 0 : extent / NOMINAL_POINTS / -Math.log(weight);

/**
 * The smoothed values.
 *
 * @param x where the values are, in ascending order
 * @param constant from `constantOf`; 0 leaves the values as they are
 * @param before the smoothed value and the weight of what came before x[0], for a part of a longer series
 */
export function smooth(kind: Kind, x: Float64Array, y: Column, constant: number, before?: number): Column {
  if (constant <= 0 || x.length < 2) return y;
  if (kind === "ema") return exponential(x, y, constant, before);
  return kind === "gauss" ? gaussian(x, y, constant) : mean(x, y, constant);
}

/**
 * An exponential moving average in which every stretch of x weighs the same. The start is without bias: the first
 * values are an average of what there is, not of an invented zero.
 */
function exponential(x: Float64Array, y: Column, constant: number, before?: number): Column {
  const out = new Float64Array(y.length);
  const typical = (x[x.length - 1]! - x[0]!) / (x.length - 1);
  let [sum, weight] = before === undefined ? [0, 0] : [before, 1];
  let previous = x[0]! - typical;
  for (let i = 0; i < y.length; i++) {
    const value = y[i]!;
    if (!Number.isFinite(value)) {
      out[i] = NaN;
      continue;
    }
    const keep = Math.exp(-(x[i]! - previous) / constant);
    previous = x[i]!;
    sum = sum * keep + value * (1 - keep);
    weight = weight * keep + (1 - keep);
    out[i] = weight > 0 ? sum / weight : value;
  }
  return out;
}

function gaussian(x: Float64Array, y: Column, sigma: number): Column {
  const out = new Float64Array(y.length);
  let first = 0;
  for (let i = 0; i < y.length; i++) {
    while (x[first]! < x[i]! - 3 * sigma) first++;
    let [average, weight] = [0, 0];
    for (let j = first; j < y.length && x[j]! <= x[i]! + 3 * sigma; j++) {
      if (!Number.isFinite(y[j]!)) continue;
      const w = Math.exp(-0.5 * ((x[j]! - x[i]!) / sigma) ** 2) * width(x, j);
      weight += w;
      // By parts: a sum of large values would overflow.
      average = average * (1 - w / weight) + y[j]! * (w / weight);
    }
    out[i] = Number.isFinite(y[i]!) && weight > 0 ? average : NaN;
  }
  return out;
}

/**
 * The mean over a window that slides along x. Nothing is ever taken out of a sum, which would leave the rounding of a
 * huge value behind: the window is a queue of two stacks, each with the sums up to every one of its points.
 */
function mean(x: Float64Array, y: Column, constant: number): Column {
  const out = new Float64Array(y.length);
  // Points on their way out, the next one last; with the sums of each and of all that leave after it.
  const front: { sum: number; weight: number }[] = [];
  let back: { sum: number; weight: number } = { sum: 0, weight: 0 };
  let [first, turn, next] = [0, 0, 0];
  const part = (i: number): { sum: number; weight: number } => {
    const weight = Number.isFinite(y[i]!) ? width(x, i) : 0;
    return { sum: weight && y[i]! * weight, weight };
  };
  const leave = (): void => {
    if (!front.length) {
      let [sum, weight] = [0, 0];
      for (let i = next - 1; i >= turn; i--) {
        const one = part(i);
        [sum, weight] = [sum + one.sum, weight + one.weight];
        front.push({ sum, weight });
      }
      turn = next;
      back = { sum: 0, weight: 0 };
    }
    front.pop();
    first++;
  };
  for (let i = 0; i < y.length; i++) {
    for (; next < y.length && x[next]! <= x[i]! + constant; next++) {
      const one = part(next);
      back = { sum: back.sum + one.sum, weight: back.weight + one.weight };
    }
    while (first < next && x[first]! < x[i]! - constant) leave();
    const top = front.at(-1);
    const weight = back.weight + (top?.weight ?? 0);
    out[i] = Number.isFinite(y[i]!) && weight > 0 ? (back.sum + (top?.sum ?? 0)) / weight : NaN;
  }
  return out;
}

/** The stretch of x that a point stands for: half of the way to each neighbour. */
function width(x: Float64Array, i: number): number {
  const before = i > 0 ? x[i]! - x[i - 1]! : 0;
  const after = i + 1 < x.length ? x[i + 1]! - x[i]! : 0;
  return (before + after) / (before && after ? 2 : 1) || 1;
}
