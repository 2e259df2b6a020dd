/** Lines of a console by number, fetched by pages. */
import type { LogLine, Logs } from "../api/api";
import { api } from "../api/api";

export const PAGE = 500;
const UPDATE_LINES = 5000;
const EXPORT_PAGE = 5000;
const MOST_MATCHES = 10_000;
export type Stream = "all" | "out" | "err";

/** What a search has found by now; `total` counts also what is beyond the most that are kept. */
export interface Found {
  matches: number[];
  total: number;
  isWhole: boolean;
}

/** Lines by number, fetched by pages. */
export class LogModel {
  lines = new Map<number, LogLine>();
  total = 0;
  folded = 0;
  streams: Logs["streams"] = [];
  cursor = "";
  /** Lines of which only the beginning was sent. */
  readonly cut = new Set<number>();
  private asked = new Set<number>();

  constructor(
    private readonly project: string,
    private readonly id: string,
    private readonly stream: Stream,
    private readonly changed: () => void,
  ) {}

  private get fields(): { stream?: string } {
    return { stream: this.stream === "all" ? "out,err" : this.stream };
  }

  async page(index: number): Promise<void> {
    if (this.asked.has(index) || index < 0) return;
    this.asked.add(index);
    this.take(await api.logs(this.project, this.id, { ...this.fields, from: index * PAGE, limit: PAGE }));
  }

  async around(ms: number): Promise<number> {
    const logs = await api.logs(this.project, this.id, { ...this.fields, around_ms: ms, limit: PAGE });
    this.take(logs);
    return logs.lines.findLast((line) => (line[1] ?? 0) <= ms)?.[0] ?? logs.first;
  }

  /** The lines that hold a text: those of the first lines at once, then those of more. */
  async *search(q: string): AsyncGenerator<Found> {
    const found: Found = { matches: [], total: 0, isWhole: false };
    for (let from = 0; q && !found.isWhole;) {
      const logs = await api.logs(this.project, this.id, { ...this.fields, q, search_from: from, limit: 1 });
      found.matches = [...found.matches, ...logs.matches].slice(0, MOST_MATCHES);
      found.total += logs.match_total;
      from = logs.searched;
      found.isWhole = from >= logs.total;
      yield { ...found };
    }
  }

  /** Lines that are new, or that have been written over. */
  async more(): Promise<void> {
    if (this.cursor)
      this.take(
        await api.logs(this.project, this.id, { ...this.fields, cursor: this.cursor, limit: UPDATE_LINES }),
        true,
      );
  }

  async *all(): AsyncGenerator<LogLine[]> {
    for (let from = 0; from < Math.max(1, this.total);) {
      const logs = await api.logs(this.project, this.id, { ...this.fields, from, limit: EXPORT_PAGE, full: true });
      if (!logs.lines.length) return;
      yield logs.lines;
      from = logs.lines.at(-1)![0] + 1;
    }
  }

  private take(logs: Logs, isUpdate = false): void {
    for (const line of logs.lines) this.lines.set(line[0], line);
    for (const n of logs.cut) this.cut.add(n);
    // What came after the end of a page is in the update, unless that was too much for one.
    if (isUpdate && logs.lines.length >= UPDATE_LINES) this.asked.clear();
    [this.total, this.folded, this.streams, this.cursor] = [logs.total, logs.folded, logs.streams, logs.cursor];
    this.changed();
  }
}
