/** What is under the pointer, for all charts and lists at once. */
import { computed, signal } from "@preact/signals";

/** The run or group that stands out everywhere. */
export const hovered = signal<string | null>(null);

/** The values at the cursor, by run, for the list of runs; and whose they are. */
export interface AtCursor {
  path: string;
  /** By run, group and line. */
  values: Map<string, number>;
  /** Of groups: how far their runs are apart, and how many there are. */
  spread: Map<string, { std: number; n: number }>;
}

export const atCursor = signal<AtCursor | null>(null);

// Nobody reads fifty numbers sixty times a second, and laying them out costs as much as drawing the cursor.
const LIST_MS = 90;
let listAt = 0;
let listTimer = 0;

/** Tell the list of runs of the values at the cursor, some times a second; null, that there is no cursor, at once. */
export function tellCursor(now: AtCursor | null): void {
  clearTimeout(listTimer);
  const wait = now ? listAt + LIST_MS - performance.now() : 0;
  const tell = (): void => {
    listAt = performance.now();
    atCursor.value = now;
  };
  if (wait > 0) listTimer = window.setTimeout(tell, wait);
  else tell();
}

/** Whose values they are; changes seldom, where the values change with every move. */
export const cursorPath = computed(() => atCursor.value?.path ?? null);

/** Shift is held: the tooltip shows all runs. */
export const isShift = signal(false);
for (const type of ["keydown", "keyup"] as const) {
  addEventListener(type, (event) => {
    if (event.key === "Shift") isShift.value = type === "keydown";
  });
}
