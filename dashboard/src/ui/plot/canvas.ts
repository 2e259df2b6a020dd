/** The canvas of a plot of all runs, and where things stand on it. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Table } from "../../api/api";
import type { Cell } from "../../lib/values";
import { isDark } from "../../state/theme";

export const HEIGHT = 250;
export const column = (table: Table, path: string): Cell[] => table.columns[path] ?? [];

/** Draws on a canvas of the element's width, again when that or the theme changes. */
export function useCanvas(
  draw: (g: CanvasRenderingContext2D, width: number) => void,
  inputs: readonly unknown[],
): { ref: { current: HTMLCanvasElement | null } } {
  const ref = useRef<HTMLCanvasElement | null>(null);
  const [width, setWidth] = useState(0);
  const dark = isDark.value;
  useEffect(() => {
    const sizes = new ResizeObserver(() => setWidth(ref.current?.clientWidth ?? 0));
    if (ref.current) sizes.observe(ref.current);
    return () => sizes.disconnect();
  }, []);
  useEffect(() => {
    const canvas = ref.current;
    if (!canvas || !width) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = HEIGHT * ratio;
    const g = canvas.getContext("2d")!;
    g.scale(ratio, ratio);
    draw(g, width);
  }, [width, dark, ...inputs]);
  return { ref };
}

export const BOX = { left: 60, right: 70, top: 34, bottom: 16 };
export const placeY = (part: number): number => BOX.top + (HEIGHT - BOX.top - BOX.bottom) * (1 - part);
