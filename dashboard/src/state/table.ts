/** A table of runs that are on the server: pages of it are fetched as they come into view. */
import { signal } from "@preact/signals";
import type { Group, Query, Table } from "../api/api";
import { api, ApiError } from "../api/api";
import { spanOf } from "../lib/format";
import type { Cell } from "../lib/values";
import { toNumber } from "../lib/values";

const PAGE = 200;

export interface RunRow {
  id: string;
  name: string;
  state: string;
  /** Why it ended, where that was said. */
  reason: string | null;
  tags: string[];
  ordinal: number;
  color: string | null;
  created: number | null;
  duration: number | null;
  /** How much of its steps it has made, 0 to 1, and the seconds that it still takes; null where it does not say. */
  progress: number | null;
  eta: number | null;
  cells: Record<string, Cell>;
}

export const BASE_COLUMNS = [
  "sys/name",
  "sys/state",
  "sys/tags",
  "sys/ordinal",
  "sys/color",
  "sys/creation_time",
  "sys/running_time",
  "sys/progress",
  "sys/eta",
  "sys/end_reason",
] as const;

function rowOf(table: Table, index: number): RunRow {
  const cells: Record<string, Cell> = {};
  for (const [path, values] of Object.entries(table.columns)) cells[path] = values[index] ?? null;
  return rowFrom(table.ids[index]!, cells);
}

export function rowFrom(id: string, cells: Record<string, Cell>): RunRow {
  const tags = cells["sys/tags"];
  const color = cells["sys/color"];
  const state = cells["sys/state"];
  const name = cells["sys/name"];
  return {
    id,
    name: typeof name === "string" && name ? name : id,
    state: typeof state === "string" ? state : "",
    reason: typeof cells["sys/end_reason"] === "string" ? cells["sys/end_reason"] : null,
    tags: Array.isArray(tags) ? tags : [],
    ordinal: toNumber(cells["sys/ordinal"]) ?? 0,
    color: typeof color === "string" ? color : null,
    created: toNumber(cells["sys/creation_time"]),
    duration: toNumber(cells["sys/running_time"]),
    progress: toNumber(cells["sys/progress"]),
    eta: toNumber(cells["sys/eta"]),
    cells,
  };
}

export class RunTable {
  readonly total = signal(0);
  readonly groups = signal<Group[]>([]);
  readonly stats = signal<Table["stats"]>({});
  readonly unknown = signal<string[]>([]);
  readonly error = signal<ApiError | null>(null);
  /** The first answer is here. */
  readonly isLoaded = signal(false);
  /** Goes up whenever rows have come or changed. */
  readonly version = signal(0);
  readonly milliseconds = signal(0);

  /** How far the values of a column are apart. */
  span(path: string): number {
    const stats = this.stats.value[path];
    return spanOf([toNumber(stats?.min), toNumber(stats?.max)]);
  }

  private rows: (RunRow | undefined)[] = [];
  private asked = new Set<number>();
  private request: Query = {};
  private abort = new AbortController();

  constructor(private readonly project: string) {}

  /** Show another table. What is on the screen stays until its first rows are here. */
  ask(request: Query): void {
    if (JSON.stringify(request) === JSON.stringify(this.request)) return;
    this.request = request;
    this.reload();
  }

  reload(): void {
    this.abort.abort();
    this.abort = new AbortController();
    this.asked = new Set([0]);
    void this.fetchPage(0, true);
  }

  row(index: number): RunRow | undefined {
    return this.rows[index];
  }

  get loaded(): RunRow[] {
    return this.rows.filter((row) => row !== undefined);
  }

  /** A row, fetched where it is not here; undefined outside the table. */
  async rowAt(index: number): Promise<RunRow | undefined> {
    if (!this.isLoaded.peek()) await this.fetchPage(0, true);
    if (index < 0 || index >= this.total.peek()) return undefined;
    if (!this.rows[index]) await this.fetchPage(Math.floor(index / PAGE), false);
    return this.rows[index];
  }

  /** The place of a run in the table; -1 where it is none of it. */
  async indexOf(id: string): Promise<number> {
    await this.rowAt(0);
    for (let from = 0; from < this.total.peek(); from += PAGE) {
      await this.rowAt(from);
      const found = this.rows.findIndex((row, index) => index >= from && index < from + PAGE && row?.id === id);
      if (found >= 0) return found;
    }
    return -1;
  }

  /** Rows from `first` to `last` come into view. */
  need(first: number, last: number): void {
    for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page++) {
      if (page * PAGE >= this.total.peek() || this.asked.has(page)) continue;
      this.asked.add(page);
      void this.fetchPage(page, false);
    }
  }

  /** Put in what has changed of runs that are here. */
  patch(changes: readonly ({ id: string } & Record<string, Cell>)[]): void {
    const byId = new Map(changes.map((change) => [change.id, change]));
    let isChanged = false;
    for (const [index, row] of this.rows.entries()) {
      const change = row && byId.get(row.id);
      if (!change) continue;
      const cells = { ...row.cells };
      for (const [path, value] of Object.entries(change)) {
        if (path === "id") continue;
        cells[path] = value;
      }
      this.rows[index] = rowFrom(row.id, cells);
      isChanged = true;
    }
    if (isChanged) this.version.value++;
  }

  private async fetchPage(page: number, isFirst: boolean): Promise<void> {
    const { signal: isAborted } = this.abort;
    const began = performance.now();
    try {
      const table = await api.runs(this.project, { ...this.request, offset: page * PAGE, limit: PAGE }, isAborted);
      if (isAborted.aborted) return;
      if (isFirst) {
        // Rows of other pages stay, old as they are, until they come into view again.
        this.rows.length = table.total;
        this.milliseconds.value = performance.now() - began;
      }
      table.ids.forEach((_, index) => (this.rows[page * PAGE + index] = rowOf(table, index)));
      this.total.value = table.total;
      this.groups.value = table.groups ?? [];
      this.stats.value = table.stats;
      this.unknown.value = table.unknown;
      this.error.value = null;
      this.isLoaded.value = true;
      this.version.value++;
    } catch (problem) {
      if (isAborted.aborted) return;
      this.asked.delete(page);
      if (problem instanceof ApiError) {
        this.error.value = problem;
        this.isLoaded.value = true;
      } else throw problem;
    }
  }
}

export const follow = (signal: { readonly value: unknown }): unknown => signal.value;
