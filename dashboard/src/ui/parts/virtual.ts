/** Long lists: only the rows in view are there. */
import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Group } from "../../api/api";

export interface View {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** Where a scrolling element is, in steps, so that a few pixels of scrolling draw nothing again. */
export function useView(element: RefObject<HTMLElement | null>, step: number): View {
  const [view, setView] = useState<View>({ top: 0, left: 0, height: 900, width: 1400 });
  useEffect(() => {
    const box = element.current;
    if (!box) return;
    let frame = 0;
    const read = (): void => {
      frame = 0;
      const next = {
        top: Math.floor(box.scrollTop / step) * step,
        left: Math.floor(box.scrollLeft / 100) * 100,
        height: box.clientHeight,
        width: box.clientWidth,
      };
      setView((old) =>
        old.top === next.top && old.left === next.left && old.height === next.height && old.width === next.width
          ? old
          : next,
      );
    };
    const soon = (): void => {
      if (!frame) frame = requestAnimationFrame(read);
    };
    box.addEventListener("scroll", soon, { passive: true });
    const sizes = new ResizeObserver(soon);
    sizes.observe(box);
    read();
    return () => {
      box.removeEventListener("scroll", soon);
      sizes.disconnect();
      cancelAnimationFrame(frame);
    };
  }, []);
  return view;
}

export interface Placed {
  y: number;
  /** A run, by its place in the table; or the head of a group. */
  row: number;
  group: Group | null;
}

/** What stands between two heights in a list of rows in which each group begins with a head. */
export function placed(
  total: number,
  groups: readonly Group[],
  row: number,
  head: number,
  from: number,
  to: number,
): { items: Placed[]; height: number } {
  const height = total * row + groups.length * head;
  const items: Placed[] = [];
  if (!groups.length) {
    for (let i = Math.max(0, Math.floor(from / row)); i < total && i * row < to; i++)
      items.push({ y: i * row, row: i, group: null });
    return { items, height };
  }
  groups.forEach((group, g) => {
    const y = group.offset * row + g * head;
    if (y > to || y + head + group.n * row < from) return;
    items.push({ y, row: group.offset, group });
    for (let i = Math.max(0, Math.floor((from - y - head) / row)); i < group.n; i++) {
      const at = y + head + i * row;
      if (at > to) break;
      items.push({ y: at, row: group.offset + i, group: null });
    }
  });
  return { items, height };
}
