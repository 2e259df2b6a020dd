/** The hardware's metrics of runs: which paths a shared name such as monitoring/<any>/cpu has in each of them. */
import { signal } from "@preact/signals";
import { api, ApiError } from "../../api/api";

const SHARED = "monitoring/*/";
const MAX_ASKED = 100;
const AGAIN_MS = 5000;

export const isShared = (path: string): boolean => path.startsWith(SHARED);

export class Hardware {
  /** Goes up when more is known. */
  readonly version = signal(0);
  private readonly known = new Map<string, Record<string, string[]>>();
  private readonly asked = new Map<string, number>();

  constructor(private readonly project: string) {}

  /** The run's own paths of a metric; null while that is not known. */
  sources(run: string, path: string): readonly string[] | null {
    if (!isShared(path)) return [path];
    const found = this.known.get(run);
    return found ? (found[path] ?? []) : null;
  }

  /** Ask about runs that are not known, or that may have more processes by now. */
  need(runs: readonly { id: string; state: string }[]): void {
    const now = performance.now();
    const isDue = (run: { id: string; state: string }): boolean => {
      const at = this.asked.get(run.id);
      return at === undefined || (run.state === "running" && now - at > AGAIN_MS);
    };
    const due = runs.filter(isDue).map((run) => run.id);
    for (const id of due) this.asked.set(id, now);
    for (let i = 0; i < due.length; i += MAX_ASKED) void this.ask(due.slice(i, i + MAX_ASKED));
  }

  private async ask(runs: readonly string[]): Promise<void> {
    try {
      const found = await api.hardware(this.project, runs);
      for (const run of runs) this.known.set(run, found.runs[run] ?? {});
      this.version.value++;
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      for (const run of runs) this.asked.delete(run);
    }
  }
}
