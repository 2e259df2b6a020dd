/** When to ask the server what has changed: twice a second while something runs, seldom where nothing does. */

const FAST_MS = 500;
const SLOW_MS = 10_000;
const WORST_MS = 30_000;
const MISSING_MS = 1000;

/** How a look at the server went. */
export type Outcome = "running" | "quiet" | "missing" | "failed" | "paused";

/** Looks again and again. After `paused` it waits until it is woken. */
export class Polling {
  private timer = 0;
  private delay = FAST_MS;
  isClosed = false;

  constructor(private readonly look: () => Promise<Outcome>) {
    this.now();
  }

  /** Look at once. */
  now(): void {
    this.schedule(0);
  }

  /** Something has happened: what follows may come soon. */
  hurry(): void {
    this.delay = FAST_MS;
  }

  close(): void {
    clearTimeout(this.timer);
    this.isClosed = true;
  }

  private schedule(ms: number): void {
    if (this.isClosed) return;
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.run(), ms);
  }

  private async run(): Promise<void> {
    const outcome = await this.look();
    if (outcome === "paused") return;
    this.delay = this.after(outcome);
    this.schedule(this.delay);
  }

  private after(outcome: Exclude<Outcome, "paused">): number {
    if (outcome === "running") return FAST_MS;
    if (outcome === "missing") return MISSING_MS;
    if (outcome === "failed") return Math.min(WORST_MS, this.delay * 2);
    return Math.min(SLOW_MS, this.delay * 1.5);
  }
}
