import fc from "fast-check";
import { expect, test } from "vitest";
import { constantOf, smooth } from "../src/lib/series/smooth";

const grid = (n: number): Float64Array => Float64Array.from({ length: n }, (_, i) => (i * 1000) / (n - 1));
const wave = (x: number): number => Math.sin(x / 150) + x / 1000;

test.each(["ema", "gauss", "mean"] as const)("%s is the same curve from 300 points and from 3,000", (kind) => {
  const constant = constantOf(0.9, 1000);
  const [few, many] = [grid(301), grid(3001)];
  const a = smooth(kind, few, few.map(wave), constant);
  const b = smooth(kind, many, many.map(wave), constant);
  for (let i = 20; i < few.length; i++) expect(Math.abs(a[i]! - b[i * 10]!)).toBeLessThan(0.02);
});

test.each(["ema", "gauss", "mean"] as const)("%s keeps a constant and never leaves the range of the values", (kind) => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 80 }),
      fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      (values, weight) => {
        const x = Float64Array.from(values, (_, i) => i);
        const y = Float64Array.from(values);
        const out = smooth(kind, x, y, constantOf(weight, values.length - 1));
        const [low, high] = [Math.min(...values), Math.max(...values)];
        const slack = (Math.abs(low) + Math.abs(high)) * 1e-9;
        for (const value of out) {
          expect(value).toBeGreaterThanOrEqual(low - slack);
          expect(value).toBeLessThanOrEqual(high + slack);
        }
      },
    ),
  );
});

test.each(["ema", "gauss", "mean"] as const)("%s leaves gaps where values are not finite", (kind) => {
  const out = smooth(kind, grid(5), Float64Array.from([1, NaN, 1, Infinity, 1]), 100);
  expect([...out].map((v) => Number.isFinite(v))).toEqual([true, false, true, false, true]);
  expect(out[4]).toBeCloseTo(1);
});

test("no weight changes nothing", () => {
  const y = Float64Array.from([3, 1, 2]);
  expect(smooth("ema", grid(3), y, constantOf(0, 1000))).toBe(y);
});

test("a part of a series goes on from what came before", () => {
  const x = grid(1001);
  const y = x.map(wave);
  const constant = constantOf(0.95, 1000);
  const whole = smooth("ema", x, y, constant);
  const part = smooth("ema", x.slice(500), y.slice(500), constant, whole[499]);
  expect(part[0]).toBeCloseTo(whole[500]!, 2);
  expect(part[300]).toBeCloseTo(whole[800]!, 6);
});
