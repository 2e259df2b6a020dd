import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Series } from "../src/lib/series/series";
import { appended, FrameDecoder, lowerBound, nearest } from "../src/lib/series/series";

function frame(x: number[], last: number[], extra: object = {}): Uint8Array {
  const payload = new ArrayBuffer(x.length * 8 + Math.ceil((last.length * 4) / 8) * 8);
  new Float64Array(payload, 0, x.length).set(x);
  new Float32Array(payload, x.length * 8, last.length).set(last);
  const cols = [
    ["x", "f64", 0],
    ["last", "f32", x.length * 8],
  ];
  const one = { run: "r", path: "p", n: x.length, total: x.length, raw: true, nonfinite: [], cols, ...extra };
  let head = JSON.stringify({ rev: "1", bytes: payload.byteLength, next: null, series: [one] });
  head += " ".repeat((8 - (new TextEncoder().encode(head).length % 8)) % 8);
  const bytes = new TextEncoder().encode(head);
  const all = new Uint8Array(8 + bytes.length + payload.byteLength);
  all.set(new TextEncoder().encode("GSB1"));
  new DataView(all.buffer).setUint32(4, bytes.length, true);
  all.set(bytes, 8);
  all.set(new Uint8Array(payload), 8 + bytes.length);
  return all;
}

function series(x: number[], y: number[], from: number | null = null): Series {
  const last = Float64Array.from(y);
  const stats = {
    count: y.length,
    last: y.at(-1) ?? NaN,
    min: Math.min(...y),
    max: Math.max(...y),
    argmin: 0,
    argmax: 0,
  };
  const rest = { total: x.length, raw: true, nonfinite: [], cursor: "c", building: null, problem: null };
  return {
    run: "r",
    path: "p",
    n: x.length,
    x: Float64Array.from(x),
    last,
    min: last,
    max: last,
    mean: last,
    stats,
    from,
    ...rest,
  };
}

describe("frames", () => {
  test("are read whatever pieces they come in", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 30 }), (sizes) => {
        const whole = new Uint8Array([...frame([1, 2, 3], [4, 5, 6]), ...frame([7], [8], { path: "ä" })]);
        const decoder = new FrameDecoder();
        const found: Series[] = [];
        let at = 0;
        for (const size of sizes) {
          found.push(...decoder.push(whole.slice(at, at + size)));
          at += size;
        }
        found.push(...decoder.push(whole.slice(at)));
        expect(found.map((one) => [one.path, [...one.x], [...one.last]])).toEqual([
          ["p", [1, 2, 3], [4, 5, 6]],
          ["ä", [7], [8]],
        ]);
      }),
    );
  });

  test("of another format are refused", () => {
    expect(() => new FrameDecoder().push(new Uint8Array(8))).toThrow("format");
  });

  test("may hold evenly spaced x", () => {
    const [one] = new FrameDecoder().push(frame([], [], { n: 3, cols: [["x", "lin", 10, 0.5]] }));
    expect([...one!.x]).toEqual([10, 10.5, 11]);
  });
});

describe("live points", () => {
  test("take the place of everything from their first step on", () => {
    const next = appended(series([1, 2, 3], [1, 2, 3]), series([3, 4], [30, 40], 3));
    expect([...next.x]).toEqual([1, 2, 3, 4]);
    expect([...next.last]).toEqual([1, 2, 30, 40]);
    expect(next.stats).toMatchObject({ last: 40, min: 1, max: 40 });
  });

  test("that replace everything do", () => {
    expect([...appended(series([1], [1]), series([5], [5])).x]).toEqual([5]);
  });
});

test("bounds and neighbours", () => {
  const x = Float64Array.from([0, 10, 20]);
  expect([lowerBound(x, -1), lowerBound(x, 10), lowerBound(x, 11), lowerBound(x, 99)]).toEqual([0, 1, 2, 3]);
  expect([nearest(x, -5), nearest(x, 4), nearest(x, 6), nearest(x, 99)]).toEqual([0, 0, 1, 2]);
});
