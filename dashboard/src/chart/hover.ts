/** What is under the pointer, for all charts and lists at once. */
import { computed, signal } from "@preact/signals";

/** The run or group that stands out everywhere. */
export const hovered = signal<string | null>(null);

/** The values at the cursor, by run, for the list of runs; and whose they are. */
export const atCursor = signal<{ path: string; values: Map<string, number> } | null>(null);

/** Whose values they are; changes seldom, where the values change with every move. */
export const cursorPath = computed(() => atCursor.value?.path ?? null);

/** Shift is held: the tooltip shows all runs. */
export const isShift = signal(false);
for (const type of ["keydown", "keyup"] as const) {
  addEventListener(type, (event) => {
    if (event.key === "Shift") isShift.value = type === "keydown";
  });
}
