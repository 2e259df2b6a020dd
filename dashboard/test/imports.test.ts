/** Which part of the page may import which: an order without circles, in which types count, too. */
import ts from "typescript";
import { expect, test } from "vitest";

/** Every room with what it may import besides itself. */
const ROOMS: Record<string, readonly string[]> = {
  lib: [],
  "lib/series": ["lib"],
  api: ["lib", "lib/series"],
  state: ["lib", "lib/series", "api"],
  "chart/data": ["lib", "lib/series", "api", "state"],
  chart: ["lib", "lib/series", "state", "chart/data"],
  "ui/parts": ["lib", "api", "state"],
  "ui/runs": ["lib", "api", "state", "chart", "chart/data", "ui/parts"],
  "ui/grid": ["lib", "api", "state", "ui/parts", "ui/runs"],
  "ui/charts": ["lib", "lib/series", "api", "state", "chart", "chart/data", "ui/parts", "ui/runs"],
  "ui/plot": ["lib", "lib/series", "api", "state", "ui/parts"],
  "ui/shell": ["lib", "api", "state", "ui/parts"],
  "pages/compare": ["lib", "api", "state", "chart/data", "ui/parts", "ui/runs", "ui/plot"],
  "pages/run": ["lib", "lib/series", "api", "state", "chart", "chart/data", "ui/parts", "ui/runs", "ui/charts"],
  pages: ["lib", "api", "state", "chart", "chart/data", "ui/parts", "ui/runs", "ui/grid", "ui/charts"],
  "": ["state", "chart", "ui/parts", "ui/shell", "pages", "pages/compare", "pages/run"],
};
const MOST_FILES = 12;

const sources = import.meta.glob<string>("../src/**/*.{ts,tsx}", { query: "?raw", import: "default", eager: true });

const files = new Map(Object.entries(sources).map(([path, text]) => [path.replace("../src/", ""), text]));

const roomOf = (file: string): string => file.slice(0, Math.max(0, file.lastIndexOf("/")));

/** The files that a file imports, be it for types or later. */
function importsOf(file: string): string[] {
  const { importedFiles } = ts.preProcessFile(files.get(file)!, true, true);
  return importedFiles
    .map(({ fileName }) => fileName)
    .filter((name) => name.startsWith(".") && !name.endsWith(".css"))
    .map((name) => {
      const path = new URL(name, `file:///${file}`).pathname.slice(1);
      const found = [`${path}.ts`, `${path}.tsx`].find((one) => files.has(one));
      expect(found, `${file} imports ${name}`).toBeDefined();
      return found!;
    });
}

const imports = new Map([...files.keys()].map((file) => [file, importsOf(file)]));

test("the files of the page are found, with lazy imports and those of types", () => {
  expect(imports.get("main.tsx")).toContain("app.tsx");
  expect(imports.get("app.tsx")).toContain("pages/table.tsx");
  expect(imports.get("chart/data/line.ts")).toContain("lib/values.ts");
});

test("each room imports only what stands below it", () => {
  const wrong = [...imports].flatMap(([file, targets]) =>
    targets
      .filter((target) => roomOf(target) !== roomOf(file) && !ROOMS[roomOf(file)]?.includes(roomOf(target)))
      .map((target) => `${file} imports ${target}`),
  );

  expect(wrong).toEqual([]);
});

test("the order of the rooms is one: none may import a room that may import it", () => {
  const names = Object.keys(ROOMS);
  const below = (room: string): string[] => [
    room,
    ...ROOMS[room]!.filter((one) => one !== room).flatMap((one) => below(one)),
  ];

  for (const room of names) for (const other of ROOMS[room]!) expect(below(other)).not.toContain(room);
});

test("no file imports itself on a way round", () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(" → "));
    if (done.has(file) || way.includes(file)) return;
    for (const target of imports.get(file)!) visit(target, [...way, file]);
    done.add(file);
  };
  for (const file of files.keys()) visit(file, []);

  expect(circles).toEqual([]);
});

test("a room has few enough files to be seen at a glance, and none is too long", () => {
  const sizes = new Map<string, number>();
  for (const file of files.keys()) sizes.set(roomOf(file), (sizes.get(roomOf(file)) ?? 0) + 1);
  const long = [...files].filter(([file, text]) => file !== "api/schema.ts" && text.split("\n").length > 301);

  expect([...sizes].filter(([, size]) => size > MOST_FILES)).toEqual([]);
  expect(long.map(([file]) => file)).toEqual([]);
});
