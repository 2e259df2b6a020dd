/** Keys of the page. They rest while somebody types or a dialog is open. */
import { useLayoutEffect, useRef } from "preact/hooks";

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
