import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { spans } from "../src/lib/ansi";
import { dashOf, onPaper, ramp, slotColor } from "../src/lib/colors";
import { parseDiff } from "../src/lib/diff";
import {
  ago,
  among,
  change,
  compact,
  duration,
  meanText,
  number,
  short,
  spanOf,
  splitPath,
  step,
} from "../src/lib/format";
import {
  bestColumn,
  byImportance,
  columnText,
  isMetricColumn,
  metricFilter,
  nameOf,
  pathsOf,
  sectionsOf,
  sharedPath,
} from "../src/lib/metrics";
import { brushTerms, plotAxis } from "../src/lib/series/axis";
import { suggestsLog, xDomain, yDomain } from "../src/lib/series/domain";
import { at, grouped } from "../src/lib/series/group";
import { logTicks } from "../src/lib/series/ticks";
import type { Series } from "../src/lib/series/series";
import { csv, direction, markdown, toNumber, toText } from "../src/lib/values";
import { abridged, differences, fitted, quotedPath, quotedValue, tagsIn, tagsText, wordAt } from "../src/lib/words";

const series = (x: number[], y: number[]): Series => {
  const last = Float64Array.from(y);
  const rest = {
    total: x.length,
    raw: true,
    nonfinite: [],
    cursor: null,
    building: null,
    problem: null,
    from: null,
    stats: null,
  };
  return { run: "r", path: "p", n: x.length, x: Float64Array.from(x), last, min: last, max: last, mean: last, ...rest };
};

describe("formats", () => {
  test.each([
    [0, "0"],
    [0.92171, "0.9217"],
    [-1.5, "−1.500"],
    [512, "512"],
    [37_200.5, "37.2k"],
    [2.47e-8, "2.47e-8"],
    [1e300, "1.00e300"],
    [NaN, "NaN"],
    [-Infinity, "−∞"],
  ])("number %d", (value, text) => expect(number(value)).toBe(text));

  test("a number is never longer than a cell", () => {
    fc.assert(fc.property(fc.double({ noNaN: true }), (value) => number(value).length <= 10));
  });

  test("others", () => {
    expect(compact(1_250_000)).toBe("1.25M");
    expect(step(19_678)).toBe("19,678");
    expect([duration(0.25), duration(42), duration(3075), duration(5000), duration(90_000)]).toEqual([
      "250ms",
      "42s",
      "51m 15s",
      "1h 23m",
      "1d 01h",
    ]);
    expect([ago(100, 105), ago(100, 150), ago(100, 8000), ago(0, 200_000)]).toEqual([
      "just now",
      "50s ago",
      "2h ago",
      "2d ago",
    ]);
    expect([change(0.9, 1), change(1.1, 1), change(1, 0)]).toEqual(["−10.0 %", "+10.0 %", ""]);
    expect(short(0.01)).toBe("0.01");
    expect(splitPath("a/b/c")).toEqual(["a/b/", "c"]);
  });
});

test("values that are not finite come as text", () => {
  expect([toNumber("NaN"), toNumber("Infinity"), toNumber("-Infinity"), toNumber("x"), toNumber(null)]).toEqual([
    NaN,
    Infinity,
    -Infinity,
    null,
    null,
  ]);
  expect(toText(["b", "a"])).toBe("b, a");
  expect([direction("val/acc"), direction("train/loss"), direction("lr")]).toEqual([1, -1, 0]);
});

test("colours stay, and 24 runs in a row differ", () => {
  expect(new Set(Array.from({ length: 24 }, (_, i) => slotColor(i, false))).size).toBe(24);
  expect(slotColor(25, true)).toBe(slotColor(1, true));
  expect(dashOf(0)).toEqual([]);
  expect(ramp(0.5, false)).toMatch(/^rgb\(\d+,\d+,\d+\)$/);
});

describe("domains", () => {
  test("an outlier is cut off and said, unless everything is wanted", () => {
    const y = Array.from({ length: 200 }, (_, i) => (i === 100 ? 1e6 : Math.sin(i)));
    const one = series(
      y.map((_, i) => i),
      y,
    );
    expect(yDomain([one], 0, 199, false, false)).toMatchObject({ isClipped: true });
    expect(yDomain([one], 0, 199, true, false).high).toBeGreaterThanOrEqual(1e6);
  });

  test("a log axis begins at the smallest positive value", () => {
    const domain = yDomain([series([0, 1, 2], [-1, 0.001, 10])], 0, 2, false, true);
    expect([domain.low, domain.high]).toEqual([0.001, 10]);
    expect(suggestsLog(domain, 0.001)).toBe(true);
  });

  test("a log axis shows the positive values of buckets that go below zero", () => {
    const one = { x: Float64Array.of(0, 1), n: 2, min: Float64Array.of(-1, -3), max: Float64Array.of(0.5, 20) };
    const domain = yDomain([one], 0, 1, false, true);
    expect([domain.low, domain.high, domain.isEmpty]).toEqual([0.5, 20, undefined]);
    expect(logTicks(domain.low, domain.high).length).toBeGreaterThan(1);
  });

  test("neighbours have the digits that tell them apart", () => {
    const values = [1e9, 1e9 + 0.001, 1e9 + 0.002];
    const span = spanOf([...values, NaN, null]);
    expect(new Set(values.map((value) => among(value, span))).size).toBe(3);
    expect([among(0.5, 0.4), among(1e9, spanOf([1e9])), meanText(1e9, 0.001)]).toEqual([
      "0.5000",
      "1G",
      "1000000000 ± 0.001",
    ]);
  });

  test("x goes over everything, or over the zoom", () => {
    expect(xDomain([series([1, 5], [0, 0]), series([3, 9], [0, 0])], null)).toEqual([1, 9]);
    expect(xDomain([], [2, 3])).toEqual([2, 3]);
    expect(xDomain([series([4], [0])], null)).toEqual([3.5, 4.5]);
  });
});

test("groups: mean, spread and count of the runs that reached each x", () => {
  const line = grouped([series([0, 1, 2], [1, 2, 3]), series([0, 1], [3, 4])], "std");
  expect([...line.mean]).toEqual([2, 3, 3]);
  expect([...line.count]).toEqual([2, 2, 1]);
  expect(line.high[0]! - line.mean[0]!).toBeCloseTo(Math.SQRT2);
  const band = grouped([series([0], [1]), series([0], [5])], "minmax");
  expect([band.low[0], band.high[0]]).toEqual([1, 5]);
  expect(at(series([0, 10], [0, 100]), 2.5)).toBe(25);
  expect(at(series([0, 10], [0, 100]), 11)).toBeNaN();
});

test("metrics: filter and sections", () => {
  const matches = metricFilter("loss$ !train");
  expect(matches instanceof Error ? [] : ["train/loss", "val/loss", "val/losses"].filter(matches)).toEqual([
    "val/loss",
  ]);
  expect(metricFilter("(")).toBeInstanceOf(Error);
  expect(
    sectionsOf(["x", "monitoring/a/cpu", "train/layer10", "train/layer2", "val/acc"]).map((s) => [s.name, s.paths]),
  ).toEqual([
    ["val", ["val/acc"]],
    ["train", ["train/layer2", "train/layer10"]],
    ["metrics", ["x"]],
    ["monitoring", ["monitoring/a/cpu"]],
  ]);
});

test("terminal colours become spans, and nothing else of a terminal stays", () => {
  expect(spans("\x1b[1;32mok\x1b[0m \x1b]0;title\x07plain\x1b[2K\x07")).toEqual([
    { text: "ok", className: "a2 ab" },
    { text: " ", className: "" },
    { text: "plain", className: "" },
  ]);
  const names = (line: string): string[] => spans(line).map((span) => span.className);
  expect(names("\x1b[38;5;208morange\x1b[48;5;21mon blue\x1b[0;3;4;9mall\x1b[23;24mnot\x1b[7;29minverse")).toEqual([
    "a3",
    "a3 b4",
    "ai au as",
    "as",
    "an",
  ]);
  expect(names("\x1b[38;2;10;200;30mgreen\x1b[38:5:244mgrey\x1b[91mred")).toEqual(["a2", "", "a1"]);
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (line) => spans(line).every((span) => !span.text.includes("\x1b"))),
  );
});

test("a diff is read by the lengths of its hunks, whatever the lines hold", () => {
  const [one, two] = parseDiff(
    "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1,3 +1,3 @@ def f():\n same\n--- a comment\n+++ b/other\n tail\n\\ No newline at end of file\ndiff --git a/y b/y\nnew file mode 100644\n--- /dev/null\n+++ b/y\n@@ -0,0 +1 @@\n+one\n",
  );
  expect([one!.path, one!.added, one!.removed]).toEqual(["x.py", 1, 1]);
  expect(one!.lines.filter((line) => line.kind === "del").map((line) => line.text)).toEqual(["-- a comment"]);
  expect([two!.path, two!.added]).toEqual(["y", 1]);
});

test("CSV is safe for spreadsheets, and numbers stay numbers", () => {
  expect(
    csv(
      ["a", "b"],
      [
        ["=1+1", -2],
        ['say "hi"', null],
        ["-Infinity", "x,y"],
      ],
    ),
  ).toBe('a,b\r\n\'=1+1,-2\r\n"say ""hi""",\r\n-Infinity,"x,y"\r\n');
  expect(markdown(["a|b"], [["c\nd"]])).toBe("| a\\|b |\n| --- |\n| c d |\n");
});

test("the word under the caret", () => {
  expect(wordAt("lr<=1e-3 sta", 12)).toMatchObject({ start: 9, text: "sta", operator: "" });
  expect(wordAt("state:run", 9)).toMatchObject({ name: "state", operator: ":", text: "run" });
  expect(wordAt("not (val/acc:max>0.9", 20)).toMatchObject({ name: "val/acc", operator: ":" });
  expect([quotedPath("a/b"), quotedPath("a b"), quotedPath("val/acc:max")]).toEqual(["a/b", "`a b`", "val/acc:max"]);
  expect([quotedValue("lion"), quotedValue('a "b"')]).toEqual(["lion", '"a \\"b\\""']);
});

describe("axes of plots", () => {
  test("few values are choices in order, many are a scale, wide ones a logarithmic scale", () => {
    expect(plotAxis("lr", [0.01, 0.0001, 0.001], false).ticks.map((tick) => tick.text)).toEqual([
      "0.0001",
      "0.001",
      "0.01",
    ]);
    expect(plotAxis("acc:max", [0.5, 0.9], true).kind).toBe("linear");
    expect(plotAxis("lr:last", [1e-5, 1e-3, 1e-1], true).kind).toBe("log");
    expect(plotAxis("x", [1, null, "a"], false).place(null)).toBeNull();
  });

  test("a brush becomes a filter", () => {
    const acc = plotAxis("acc:max", [0, 1], true);
    expect(brushTerms(acc, 0.75, 0.25, quotedPath, quotedValue)).toEqual(["acc:max>=0.2500", "acc:max<=0.7500"]);
    const optimizer = plotAxis("optimizer", ["adamw", "lion", "sgd"], false);
    expect(brushTerms(optimizer, 0, 0.6, quotedPath, quotedValue)).toEqual(["(optimizer=adamw or optimizer=lion)"]);
  });
});

describe("columns", () => {
  const metrics = new Set(["val/acc", "val/loss", "lr", "loss:max"]);
  test("say what they are of a metric", () => {
    expect(
      ["val/acc:max", "val/acc", "parameters/lr", "loss:max", "loss:max:min"].map((c) => columnText(c, metrics)),
    ).toEqual(["val/acc max", "val/acc last", "parameters/lr", "loss:max last", "loss:max min"]);
    expect(["loss:max", "a:min", "parameters/lr"].map((c) => isMetricColumn(c, metrics))).toEqual([true, true, false]);
  });
  test("begin with the good direction of the metric", () => {
    expect(["val/acc", "val/loss", "lr"].map(bestColumn)).toEqual(["val/acc:max", "val/loss:min", "lr:last"]);
  });
});

describe("metrics", () => {
  test("validation and training come before parts of the model and the hardware", () => {
    const all = [
      "layers/00/grad_norm",
      "monitoring/*/cpu",
      "perf/wait",
      "train/loss",
      "val/acc",
      "train/grad_norm",
      "loss",
    ];
    expect(all.sort(byImportance)).toEqual([
      "val/acc",
      "train/loss",
      "loss",
      "perf/wait",
      "layers/00/grad_norm",
      "train/grad_norm",
      "monitoring/*/cpu",
    ]);
  });
  test("of the hardware have one name for all processes", () => {
    expect(["monitoring/ab12/gpu0/memory", "monitoring/cd/cpu", "val/acc"].map(sharedPath)).toEqual([
      "monitoring/*/gpu0/memory",
      "monitoring/*/cpu",
      "val/acc",
    ]);
  });
});

test("names are cut in their middle", () => {
  const cut = fitted("vit-b16-imagenet100-adamw-lr0.0003-s2", 20, (text) => text.length);
  expect(cut.length).toBe(20);
  expect(cut.startsWith("vit-")).toBe(true);
  expect(cut.endsWith("lr0.0003-s2".slice(-10))).toBe(true);
  expect(fitted("short", 20, (text) => text.length)).toBe("short");
});

test("the name of a chart tells its metrics, whatever signs they have", () => {
  expect(nameOf(["train/loss", "val/loss"])).toBe("train/loss|val/loss");
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1, unit: "binary" }), { minLength: 1 }), (paths) => {
      expect(pathsOf(nameOf(paths))).toEqual(paths);
    }),
  );
});

test("tags: what is written is read again, and a hand may write what it likes", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(
        fc
          .string({ minLength: 1 })
          .map((text) => text.trim())
          .filter(Boolean),
      ),
      (tags) => {
        expect(tagsIn(tagsText(tags))).toEqual([...tags].sort());
      },
    ),
  );
  expect(tagsIn(' b,a ,, "x, y"')).toEqual(["a", "b", "x, y"]);
});

test("metrics: a pattern that could take minutes is refused", () => {
  for (const slow of ["(l+)+x", "(a|b*)*", "((a+))+", "!(x+)*", "(?:[a-z]+)+", ".*a.*b.*c.*d.*"])
    expect(metricFilter(slow)).toBeInstanceOf(Error);
  for (const fine of ["(train|val)/.*", "loss.*", "a+b+", String.raw`\(a+\)+`, "[+*]", "!lr"])
    expect(metricFilter(fine)).toBeInstanceOf(Function);
});

test("domain: values near the largest double, and few points, have one", () => {
  const huge = yDomain([series([0, 1], [-1.7e308, 1.7e308])], 0, 1, false, false);
  expect([huge.low <= -1.7e308, huge.high >= 1.7e308, huge.isClipped]).toEqual([true, true, false]);
  expect([huge.low, huge.high].every(Number.isFinite)).toBe(true);
  const x = Array.from({ length: 40 }, (_, i) => i);
  const falling = x.map((i) => 1 / (i + 1));
  expect(yDomain([series(x, falling)], 0, 39, false, false).isClipped).toBe(false);
  expect(yDomain([series([0, 100], [1, 3])], 40, 60, false, false)).toMatchObject({ isClipped: false });
  expect(yDomain([series([0, 100], [1, 3])], 40, 60, false, false).high).toBeGreaterThan(2);
});

test("long names that differ in their middle are told apart", () => {
  const [one, other] = ["1", "2"].map((seed) => `${"x".repeat(45)}-seed${seed}-${"y".repeat(45)}`) as [string, string];
  const found = differences([one, other, "short", `${"z".repeat(40)}1`, `${"z".repeat(40)}2`, other]);
  expect([...found.keys()]).toEqual([one, other]);
  expect(abridged(one, found.get(one))).toContain("1");
  expect(abridged(one, found.get(one))).not.toBe(abridged(other, found.get(other)));
  expect(abridged("short", undefined)).toBe("short");
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 60 })), (names) => {
      for (const [name, at] of differences(names)) expect(at).toBeLessThan(name.length - 10);
    }),
  );
});

test("values that hardly differ are written with the digits in which they do", () => {
  expect(among(1e9 + 0.199, 0.2)).toBe("1000000000.199");
  expect(among(1e300 * (1 + 1e-6), 1e295)).toBe("1.000001e300");
  expect(among(0.92171, 1)).toBe("0.9217");
  expect(among(3, 0)).toBe("3");
  expect(among(NaN, 1)).toBe("NaN");
});

test("on paper a run has its colour of the light theme, and the one that a user chose", () => {
  for (let slot = 0; slot < 24; slot++)
    for (const isDark of [true, false]) expect(onPaper(slotColor(slot, isDark))).toBe(slotColor(slot, false));
  expect(onPaper("#123456")).toBe("#123456");
});
