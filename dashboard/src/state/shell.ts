/**
 * What lies over every page: where its bar leads, and whether the palette or the list of keys is open,
 * and what the keys of the reader's machine are called.
 */
import { signal } from "@preact/signals";
import { keptParams, many, pagePath } from "./location";
import { project } from "./project";

export const isPaletteOpen = signal(false);
export const areKeysShown = signal(false);

/** The address of another page of the project, with the filter and the choice of runs. */
export const pageLink = (name: string, page: "workspace" | "table" | "compare"): string =>
  pagePath(name, page) + keptParams(page === "compare" ? { runs: comparable() } : {});

export const MAX_COMPARED = 10;
/** The runs that Compare begins with: those of the address, or the shown ones. */
export const comparable = (): string[] => {
  const chosen = many("runs");
  return chosen.length ? chosen : (project.value?.drawn.value ?? []).slice(0, MAX_COMPARED).map((row) => row.id);
};

const isApple = /Mac|iPhone|iPad/.test(navigator.userAgent);

/** What is held for a command of the page, as it stands before another key. */
export const COMMAND = isApple ? "⌘" : "Ctrl ";
export const ALT = isApple ? "⌥" : "Alt";
export const SHIFT = isApple ? "⇧" : "Shift";
