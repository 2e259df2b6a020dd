import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exactSum, grouped, meanAndDeviation } from "../src/lib/series/group";
import type { Series } from "../src/lib/series/series";
import { constantOf, smooth } from "../src/lib/series/smooth";
import { joined, spansOf } from "../src/lib/series/spans";

const steps = (n: number): Float64Array => Float64Array.from({ length: n }, (_, i) => i);
const series = (y: number[]): Series => {
  const last = Float64Array.from(y);
  return {
    run: "",
    path: "",
    n: y.length,
    total: y.length,
    raw: true,
    x: steps(y.length),
    last,
    min: last,
    max: last,
    mean: last,
    nonfinite: [],
    stats: null,
    cursor: null,
    from: null,
    building: null,
    problem: null,
  };
};

describe("sums", () => {
  test("keep small values beside huge ones", () => {
    expect(exactSum([1e20, 0.01, -1e20])).toBe(0.01);
    expect(exactSum(Array<number>(10).fill(0.1))).toBe(1);
  });
  test("of any size give a mean and a deviation", () => {
    expect(meanAndDeviation([1e300, 3e300]).mean).toBeCloseTo(2e300, -290);
    expect(meanAndDeviation([1e300, 3e300]).std / 1e300).toBeCloseTo(Math.SQRT2, 12);
    expect(meanAndDeviation([1e-300, 3e-300]).std / 1e-300).toBeCloseTo(Math.SQRT2, 12);
    expect(meanAndDeviation([1e9, 1e9 + 0.001, 1e9 + 0.002]).std).toBeCloseTo(0.001, 6);
    expect(meanAndDeviation([5])).toEqual({ mean: 5, std: 0 });
  });
});

describe("smoothing", () => {
  test("by the mean has no trace of a huge value that has left the window", () => {
    const y = Float64Array.from({ length: 500 }, (_, i) => (i === 50 ? 1e20 : 0.01));
    for (const weight of [0.3, 0.6, 0.9]) {
      const out = smooth("mean", steps(500), y, constantOf(weight, 499));
      expect(out[499]).toBeCloseTo(0.01, 15);
      expect(out[0]).toBeCloseTo(0.01, 15);
    }
  });
  test("by the mean is the mean of the window, at every point", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 3, maxLength: 60 }),
        fc.integer({ min: 1, max: 9 }),
        (values, half) => {
          const out = smooth("mean", steps(values.length), Float64Array.from(values), half);
          for (let i = 0; i < values.length; i++) {
            const window = values.slice(Math.max(0, i - half), i + half + 1);
            const mean = window.reduce((a, b) => a + b, 0) / window.length;
            expect(Math.abs(out[i]! - mean)).toBeLessThan(1e-6);
          }
        },
      ),
    );
  });
  test("by a Gaussian of the largest doubles stays finite", () => {
    const out = smooth("gauss", steps(50), new Float64Array(50).fill(1.7e308), 3);
    expect(out.every((value) => Math.abs(value / 1.7e308 - 1) < 1e-9)).toBe(true);
  });
});

test("a group's mean is sound beside values that cancel", () => {
  const line = grouped([series([1e20, 1]), series([0.03, 2]), series([-1e20, 3])], "std");
  expect(line.mean[0]).toBeCloseTo(0.01, 12);
  expect([line.mean[1], line.std[1], line.count[1]]).toEqual([2, 1, 3]);
});

describe("values that are not finite", () => {
  test("are one span, however many follow one another", () => {
    const nonfinite = Array.from({ length: 400 }, (_, i): [number, number, "nan"] => [100 + i, 1, "nan"]);
    expect(spansOf({ x: steps(600), nonfinite })).toEqual([{ from: 100, to: 499, text: "NaN" }]);
  });
  test("are several where finite ones lie between them, and say what they are", () => {
    expect(
      spansOf({
        x: steps(50),
        nonfinite: [
          [1, 1, "inf"],
          [10, 1, "nan"],
          [11, 1, "-inf"],
        ],
      }),
    ).toEqual([
      { from: 1, to: 1, text: "+∞" },
      { from: 10, to: 11, text: "NaN, −∞" },
    ]);
  });
  test("of several runs are one span where they overlap", () => {
    const [a, b] = [
      { from: 0, to: 5, text: "NaN" },
      { from: 4, to: 9, text: "NaN" },
    ];
    expect(joined([b, a])).toEqual([{ from: 0, to: 9, text: "NaN" }]);
  });
});
