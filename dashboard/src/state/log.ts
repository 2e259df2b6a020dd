/** Lines of a console by number, fetched by pages. */
import type { LogLine, Logs } from "../api/api";
import { api } from "../api/api";

export const PAGE = 500;
const UPDATE_LINES = 5000;
const EXPORT_PAGE = 5000;
export type Stream = "all" | "out" | "err";

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

  async search(q: string): Promise<{ matches: number[]; total: number }> {
    if (!q) return { matches: [], total: 0 };
    const logs = await api.logs(this.project, this.id, { ...this.fields, q, limit: 1 });
    return { matches: logs.matches, total: logs.match_total };
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
