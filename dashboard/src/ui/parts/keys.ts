/** Keys of the page. They rest while somebody types or a dialog is open. */
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { go, runLink } from "../../state/location";
import type { RunTable } from "../../state/table";

/** The row of runs that the keyboard is on. */
export const current = signal(-1);

export function moveRow(table: RunTable, by: number): void {
  const next = Math.max(0, Math.min(table.total.peek() - 1, current.peek() + by));
  table.need(next, next);
  current.value = next;
}

/** What a list of runs does with keys while it has the focus itself: arrows move, Enter opens, Space does its own. */
export const rowKeys =
  (project: string, table: RunTable, toggle: (id: string, index: number) => void) =>
  (event: KeyboardEvent): void => {
    if (event.target !== event.currentTarget) return;
    const row = table.row(current.peek());
    if (event.key === "ArrowDown" || event.key === "ArrowUp") moveRow(table, event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "Enter" && row) go(runLink(project, row.id));
    else if (event.key === " " && row) toggle(row.id, current.peek());
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && target.getAttribute("type") !== "range"));

export function useKeys(keys: Record<string, () => void>): void {
  const latest = useRef(keys);
  latest.current = keys;
  useLayoutEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
      const isInDialog = document.querySelector("[aria-modal]") !== null;
      const work = latest.current[event.key];
      if (!work || (isInDialog && !["f", "l", "[", "]", "0"].includes(event.key))) return;
      // Space presses the button that has the focus.
      if (event.key === " " && event.target instanceof HTMLButtonElement) return;
      event.preventDefault();
      work();
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);
}
