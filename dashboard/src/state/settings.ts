/** What the reader has set, as it stands in the address. */
import { computed, signal } from "@preact/signals";
import { pathsOf } from "../lib/metrics";
import type { Spread } from "../lib/series/group";
import type { Kind } from "../lib/series/smooth";
import { many, one, params, route, setParams } from "./location";

export type XAxis = "step" | "time" | "wall" | (string & {});

export const filter = computed(() => one("q"));
export const sort = computed<[string, "asc" | "desc"][]>(() =>
  many("sort").map((text) => (text.startsWith("-") ? [text.slice(1), "desc"] : [text, "asc"])),
);
export const groupBy = computed(() => many("g"));
/** The axis where the address names none: that of the hardware is time. */
export const usualAxis = signal<XAxis>("step");
export const xAxis = computed<XAxis>(() => one("x", usualAxis.value));
export const smoothing = computed(() => Math.min(0.99, Math.max(0, Number(one("sm", "0")) || 0)));
export const smoothKind = computed<Kind>(() => {
  const kind = one("smk");
  return kind === "gauss" || kind === "mean" ? kind : "ema";
});
export const spread = computed<Spread>(() => {
  const kind = one("band");
  return kind === "sem" || kind === "minmax" ? kind : "std";
});
export const metricText = computed(() => one("m"));
export const zoom = computed<readonly [number, number] | null>(() => {
  const ends = one("z").split("~").map(Number);
  return ends.length === 2 && ends.every(Number.isFinite) && ends[0]! < ends[1]! ? [ends[0]!, ends[1]!] : null;
});
export const logPaths = computed(() => new Set(many("y")));
export const isLogX = computed(() => one("xlog") === "1");
export const isFull = computed(() => one("full") === "1");
export const pins = computed(() => many("pin"));
export const pinnedRuns = computed(() => many("pinrun"));
export const openSections = computed(() => new Set(many("open")));
export const closedSections = computed(() => new Set(many("fold")));
export const baseline = computed(() => one("base"));
export const columnCount = computed(() => Math.min(6, Math.max(1, Number(one("n", "3")) || 3)));
export const isTrash = computed(() => one("trash") === "1");
export const fullScreen = computed(() => one("f"));
/** Charts of several metrics: each parameter holds its metrics, joined by "|". */
export const panels = computed(() => many("panel").map((text) => pathsOf(text)));

export const DEFAULT_SHOWN = 10;
/** Which runs are drawn: the first n of the list, or those chosen. */
export const shown = computed<{ first: number } | { ids: string[] }>(() => {
  const values = many("show");
  const auto = /^auto:(\d+)$/.exec(values[0] ?? `auto:${DEFAULT_SHOWN}`);
  if (auto) return { first: Math.min(100, Number(auto[1])) };
  return { ids: values.filter((id) => id !== "none") };
});

export function setLog(path: string, isLog: boolean): void {
  const next = new Set(logPaths.peek());
  if (isLog) next.add(path);
  else next.delete(path);
  setParams({ y: [...next] });
}

export function togglePin(path: string): void {
  const now = pins.peek();
  setParams({ pin: now.includes(path) ? now.filter((p) => p !== path) : [...now, path] });
}

/** Show a part of the x axis: its ends are rounded to a hundred-thousandth of it. */
export function setZoom(range: readonly [number, number] | null): void {
  const digits = range ? Math.max(0, Math.min(20, 5 - Math.floor(Math.log10(range[1] - range[0])))) : 0;
  setParams({ z: range ? range.map((end) => Number(end.toFixed(digits))).join("~") : null, full: null });
}

// What a reader sets once and wants again next time, for each project.
const REMEMBERED = ["cols", "pincol", "pin", "panel", "sm", "smk", "n", "side", "sort", "band"];
const key = (project: string): string => `goodseed-settings:${project}`;

/** Keep what the address says, for the next visit without one. */
export function rememberSettings(): void {
  const { project, page } = route.value;
  if (!project || page === "run" || page === "compare") return;
  const kept = new URLSearchParams();
  for (const name of REMEMBERED) for (const value of params.value.getAll(name)) kept.append(name, value);
  localStorage.setItem(key(project), kept.toString());
}

/** What was set on the last visit, where the address says nothing of its own. */
export const rememberedSettings = (project: string): string => localStorage.getItem(key(project)) ?? "";

/** Columns of the list beside the charts, where the reader chose any. */
export const sideColumns = computed<string[] | null>(() => {
  const chosen = many("side");
  return chosen.length ? chosen.filter((path) => path !== "none") : null;
});
