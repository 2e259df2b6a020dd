/** The edge of the list of runs, which can be moved. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

const WIDTH_KEY = "goodseed-list-width";

/** The width of the list is the reader's own and no part of a link. */
export function Resizer(): JSX.Element {
  useEffect(() => setWidth(Number(localStorage.getItem(WIDTH_KEY)) || 0), []);
  const drag = (event: PointerEvent): void => {
    const element = event.currentTarget as HTMLElement;
    element.setPointerCapture(event.pointerId);
    const move = (e: PointerEvent): void => setWidth(e.clientX);
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", () => element.removeEventListener("pointermove", move), { once: true });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowLeft" ? -20 : event.key === "ArrowRight" ? 20 : 0;
    if (by) setWidth((event.currentTarget as HTMLElement).parentElement!.clientWidth + by);
  };
  return (
    <div
      class="rz"
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the list"
      aria-valuenow={412}
      tabIndex={0}
      onPointerDown={drag}
      onKeyDown={onKeyDown}
    />
  );
}

function setWidth(width: number): void {
  if (!width) return;
  const fitting = Math.round(Math.max(260, Math.min(innerWidth * 0.6, width)));
  document.documentElement.style.setProperty("--lw", `${fitting}px`);
  localStorage.setItem(WIDTH_KEY, String(fitting));
}
