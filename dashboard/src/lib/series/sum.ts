/** Sums that lose nothing: a small value counts beside a huge one, and huge ones that cancel leave what is left. */

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
