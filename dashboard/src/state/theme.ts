/** Light or dark, and colours for canvases, which know nothing of CSS. */
import { computed, signal } from "@preact/signals";
import { slotColor } from "../lib/colors";

const system = matchMedia("(prefers-color-scheme: dark)");
const isSystemDark = signal(system.matches);
system.addEventListener("change", () => (isSystemDark.value = system.matches));

const stored = localStorage.getItem("goodseed-theme");
const chosen = signal<"light" | "dark" | null>(stored === "light" || stored === "dark" ? stored : null);

export const isDark = computed(() => (chosen.value ? chosen.value === "dark" : isSystemDark.value));

export function applyTheme(): void {
  document.documentElement.dataset["theme"] = isDark.value ? "dark" : "light";
  resolved.clear();
}

export function toggleTheme(): void {
  chosen.value = isDark.value ? "light" : "dark";
  localStorage.setItem("goodseed-theme", chosen.value);
}

const resolved = new Map<string, string>();

/** A token of style.css, as a canvas takes it. */
export function token(name: string): string {
  let value = resolved.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    resolved.set(name, value);
  }
  return value;
}

/** The colour of a run: what its user chose, else that of its place in the order of creation. */
export const runColor = (run: { color: string | null; ordinal: number }): string =>
  run.color ?? slotColor(run.ordinal, isDark.value);
