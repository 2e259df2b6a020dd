/** Charts paint one after the other, the nearest first, and never for longer than a part of a frame. */

interface Painter {
  distance: () => number;
}

class Queue<T extends Painter> {
  private readonly waiting = new Set<T>();
  private frame = 0;

  constructor(
    private readonly budgetMs: number,
    private readonly paint: (chart: T) => void,
  ) {}

  add(chart: T): void {
    this.waiting.add(chart);
    if (!this.frame) this.frame = requestAnimationFrame(() => this.run());
  }

  remove(chart: T): void {
    this.waiting.delete(chart);
  }

  private run(): void {
    this.frame = 0;
    const until = performance.now() + this.budgetMs;
    const order = [...this.waiting].map((chart): [number, T] => [chart.distance(), chart]).sort((a, b) => a[0] - b[0]);
    for (const [, chart] of order) {
      this.waiting.delete(chart);
      this.paint(chart);
      if (performance.now() > until) break;
    }
    if (this.waiting.size) this.frame ||= requestAnimationFrame(() => this.run());
  }
}

const LINES_MS = 10;
// What follows the pointer on the other charts may come a few frames later; the pointer itself must not wait.
const OVER_MS = 2;

export const lineQueue = new Queue<Painter & { paintNow: () => void }>(LINES_MS, (c) => c.paintNow());
export const overQueue = new Queue<Painter & { paintOver: () => void }>(OVER_MS, (c) => c.paintOver());
