/** Runs that are ticked in the table. */
import { signal } from "@preact/signals";
import type { RunTable } from "./table";

export class Selection {
  readonly version = signal(0);
  private readonly ids = new Set<string>();
  private last = -1;

  has(id: string): boolean {
    return this.ids.has(id);
  }

  get all(): string[] {
    return [...this.ids];
  }

  /** Tick or untick; with `range` everything from the last one ticked. */
  toggle(id: string, index: number, range: RunTable | null): void {
    const isOn = !this.ids.has(id);
    const ids = [id];
    if (range && this.last >= 0 && index >= 0) {
      for (let i = Math.min(this.last, index); i <= Math.max(this.last, index); i++) {
        const row = range.row(i);
        if (row) ids.push(row.id);
      }
    }
    for (const one of ids) {
      if (isOn) this.ids.add(one);
      else this.ids.delete(one);
    }
    this.last = index;
    this.version.value++;
  }

  add(ids: readonly string[]): void {
    for (const id of ids) this.ids.add(id);
    this.version.value++;
  }

  clear(): void {
    this.ids.clear();
    this.version.value++;
  }
}
