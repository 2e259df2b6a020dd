/** All charts on the page together: one cursor, one run that stands out, one colour scheme. */
import { hovered } from "./hover";
import { overQueue } from "./queue";

/** What the others do to a chart. */
export interface LinkedChart {
  distance: () => number;
  followCursor: (x: number | null) => void;
  paintOver: () => void;
  repaint: () => void;
}

const charts = new Set<LinkedChart>();

/** The chart is on the page. */
export function link(chart: LinkedChart): void {
  charts.add(chart);
}

/** The chart is no longer on the page. */
export function unlink(chart: LinkedChart): void {
  charts.delete(chart);
  cursors.remove(chart);
}

/** Make a run stand out, on all charts. */
export function setHovered(key: string | null, by?: LinkedChart): void {
  if (key === hovered.peek()) return;
  hovered.value = key;
  for (const chart of charts) if (chart !== by) overQueue.add(chart);
}

export function repaintAll(): void {
  for (const chart of charts) chart.repaint();
}

const MIN_LINKED = 6;

/** Lets the cursors of the other charts follow: a third of them each frame, as all at once take longer than one. */
class Cursors {
  private readonly waiting = new Set<LinkedChart>();
  private frame = 0;
  private x: number | null = null;

  tell(x: number | null, from: LinkedChart): void {
    this.x = x;
    for (const chart of charts) if (chart !== from) this.waiting.add(chart);
    this.waiting.delete(from);
    this.frame ||= requestAnimationFrame(() => this.run());
  }

  remove(chart: LinkedChart): void {
    this.waiting.delete(chart);
  }

  private run(): void {
    this.frame = 0;
    let left = Math.max(MIN_LINKED, Math.ceil(charts.size / 3));
    for (const chart of this.waiting) {
      if (!left--) break;
      this.waiting.delete(chart);
      chart.followCursor(this.x);
    }
    if (this.waiting.size) this.frame = requestAnimationFrame(() => this.run());
  }
}

const cursors = new Cursors();
/** The cursor of a chart is at `x`; null where it is on none. */
export const tellLinked = (x: number | null, from: LinkedChart): void => cursors.tell(x, from);
