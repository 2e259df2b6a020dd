import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Tick } from "../src/lib/series/ticks";
import { linearTicks, logTicks, timeTicks, wallTicks } from "../src/lib/series/ticks";

const texts = (ticks: readonly Tick[]): string[] => ticks.map((tick) => tick.text);

describe("ticks of an axis", () => {
  test("are round numbers, written shortly", () => {
    expect(texts(linearTicks(0, 1, 5))).toEqual(["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    expect(texts(linearTicks(-0.5, 0.5, 3))).toEqual(["−0.5", "0", "0.5"]);
    expect(texts(linearTicks(0, 20_000, 4))).toEqual(["0", "5k", "10k", "15k", "20k"]);
  });
  test("are there for huge and tiny values", () => {
    expect(texts(linearTicks(-1e300, 1e300, 4))).toEqual(["−1e300", "−5e299", "0", "5e299", "1e300"]);
    const most = Number.MAX_VALUE;
    expect(texts(linearTicks(-most, most, 4))).toEqual(["−1e308", "0", "1e308"]);
    expect(logTicks(1e300, most).every((tick) => tick.at <= most)).toBe(true);
    expect(texts(linearTicks(0, 1e-300, 2))).toEqual(["0", "5e-301", "1e-300"]);
  });
  test("of values that hardly differ say by how much they do", () => {
    expect(texts(linearTicks(1e9, 1e9 + 0.1, 4))).toEqual(["1G", "+0.05", "+0.10"]);
  });
  test("are the two ends where there is hardly a double between them", () => {
    const [low, high] = [-1.7976931348623127e308, -1.7976931348623123e308];
    expect(linearTicks(low, high, 5).map((tick) => tick.at)).toEqual([low, high]);
  });
  test("are few, inside, in order and all different, whatever the range", () => {
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(finite, finite, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        fc.pre(low < high);
        const ticks = linearTicks(low, high, 5);
        expect(ticks.length).toBeLessThan(14);
        const slack = high * 1e-6 - low * 1e-6;
        for (const { at } of ticks) expect(at >= low - slack && at <= high + slack).toBe(true);
        for (let i = 1; i < ticks.length; i++) expect(ticks[i]!.at).toBeGreaterThan(ticks[i - 1]!.at);
        expect(texts(ticks).every((text) => text.length <= 12)).toBe(true);
      }),
    );
  });
});

describe("ticks of a logarithmic axis", () => {
  test("are the multiples of powers of ten", () => {
    const ticks = logTicks(0.5, 30);
    expect(ticks.map((tick) => tick.at)).toEqual([0.5, 0.6, 0.7, 0.8, 0.9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30]);
    expect(texts(ticks).filter(Boolean)).toEqual(["1", "10"]);
  });
  test("end, wherever the axis begins", () => {
    const low = Math.fround(1e-9);
    expect(logTicks(low, 3e-3).map((tick) => tick.at)).toContain(1e-3);
    expect(logTicks(1, Infinity)).toEqual([]);
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), (a, b) => {
        expect(logTicks(a, b).length).toBeLessThan(650);
      }),
    );
  });
});

describe("ticks of times", () => {
  test("are round durations, and fractions of a second where there is no more", () => {
    expect(texts(timeTicks(0, 7200, 4))).toEqual(["0", "30m 00s", "1h 00m", "1h 30m", "2h 00m"]);
    expect(texts(timeTicks(0, 1, 2))).toEqual(["0", "0.5s", "1.0s"]);
  });
  test("are round moments of the day", () => {
    const noon = new Date(2026, 0, 31, 12, 0, 0).getTime() / 1000;
    expect(texts(wallTicks(noon, noon + 7200, 4))).toEqual(["12:00", "12:30", "13:00", "13:30", "14:00"]);
    expect(texts(wallTicks(noon, noon + 1, 2))).toEqual(["12:00:00.0", "12:00:00.5", "12:00:01.0"]);
  });
});
