/** Where the columns of the table stand, and how wide they are. */
import { setParams, many } from "../../state/location";
import type { Project } from "../../state/project";
import type { Selection } from "../../state/selection";
import type { RunTable } from "../../state/table";
import { moved } from "../runs/columns";

export const ROW = 32;
export const NAME_WIDTH = 250;
export const WIDTHS_KEY = "goodseed-column-widths";

export const pinnedColumns = (): string[] => many("pincol");

export interface Laid {
  path: string;
  left: number;
  width: number;
}

export function layOut(
  columns: readonly string[],
  pins: readonly string[],
  widths: Record<string, number>,
): { fixed: Laid[]; fixedWidth: number; free: Laid[] } {
  const fixed = lay(pins, widths, NAME_WIDTH);
  const fixedWidth = NAME_WIDTH + fixed.reduce((sum, one) => sum + one.width, 0);
  return {
    fixed,
    fixedWidth,
    free: lay(
      columns.filter((path) => !pins.includes(path)),
      widths,
      fixedWidth,
    ),
  };
}

function lay(paths: readonly string[], widths: Record<string, number>, from: number): Laid[] {
  let left = from;
  return paths.map((path) => {
    const width =
      widths[path] ??
      (path === "sys/state" ? 112 : Math.max(path.includes(":") ? 136 : 86, Math.min(220, path.length * 7 + 40)));
    const laid = { path, left, width };
    left += width;
    return laid;
  });
}

export function togglePinned(path: string): void {
  const now = pinnedColumns();
  setParams({ pincol: now.includes(path) ? now.filter((one) => one !== path) : [...now, path] });
}

export function reordered(columns: readonly string[], from: string, to: string): string[] {
  const [a, b] = [columns.indexOf(from), columns.indexOf(to)];
  return a < 0 || b < 0 ? [...columns] : moved(columns, a, b);
}

export function readWidths(): Record<string, number> {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(WIDTHS_KEY) ?? "{}");
    return typeof found === "object" && found !== null ? (found as Record<string, number>) : {};
  } catch {
    return {};
  }
}

/** What the head and every row of the table are drawn from. */
export interface Parts {
  project: Project;
  table: RunTable;
  selection: Selection;
  fixed: Laid[];
  fixedWidth: number;
  visible: Laid[];
}

/** Whether a column holds numbers. */
export function numeric(path: string, table: RunTable): boolean {
  return path.endsWith("_time") || table.stats.peek()[path]?.max !== null;
}
