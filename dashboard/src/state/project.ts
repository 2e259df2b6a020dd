/** The project on the screen: its runs, its metrics, and what changes while it is looked at. */
import { computed, effect, signal, untracked } from "@preact/signals";
import type { Changes } from "../api/api";
import { ApiError, api } from "../api/api";
import { bestColumn, byImportance, defaultColumns } from "../lib/metrics";
import { differences } from "../lib/words";
import { go, route } from "./location";
import type { Outcome } from "./polling";
import { Polling } from "./polling";
import { Selection } from "./selection";
import * as settings from "./settings";
import type { RunRow } from "./table";
import { BASE_COLUMNS, RunTable, follow, rowFrom } from "./table";

export const MAX_DRAWN = 100;
/** As many runs are counted in the means of groups, in the order of the list. */
export const MAX_GROUPED = 300;
const METRICS_PAGE = 1000;
// A live run may log a metric that it has not had, or move in a list sorted by its values.
const METRICS_MS = 5000;
const SORT_MS = 10_000;

export type Listener = (changes: Changes) => void;

/** What is known of one project while its pages are open. */
export class Project {
  readonly table: RunTable;
  /** All metrics, the more important ones first. */
  readonly metrics = signal<string[]>([]);
  readonly metricSet = computed(() => new Set(this.metrics.value));
  readonly areMetricsLoaded = signal(false);
  readonly running = signal(0);
  readonly totalRuns = signal<number | null>(null);
  /** The server has not answered for a while. */
  readonly isOffline = signal(false);
  readonly isPaused = signal(false);
  /** Runs that are drawn, in the order of the list. */
  readonly drawn = signal<RunRow[]>([]);
  /** Where runs are grouped: those that are counted in the means, shown or not. */
  readonly counted = signal<RunRow[]>([]);
  /** Runs that are ticked. */
  readonly selection = new Selection();
  /** There is no such project. */
  readonly isMissing = signal(false);
  /** Runs by id, whichever list they came from. */
  readonly known = new Map<string, RunRow>();

  private readonly listeners = new Set<Listener>();
  private readonly stops: (() => void)[] = [];
  private readonly polling = new Polling(() => this.look());
  private revision = "";
  private metricsAt = 0;
  private sortedAt = 0;
  /** Columns that another table of this project shows. */
  extraColumns: readonly string[] = [];
  private watched: () => { runs: string[]; paths: string[] } = () => ({ runs: [], paths: [] });

  constructor(readonly name: string) {
    this.table = new RunTable(name);
    const query = computed(() => ({
      filter: settings.filter.value,
      columns: [...new Set([...BASE_COLUMNS, ...this.columns.value, ...settings.groupBy.value])],
      sort: settings.sort.value,
      group_by: settings.groupBy.value,
      trashed: settings.isTrash.value ? ("only" as const) : ("no" as const),
    }));
    this.stops.push(
      effect(() => this.table.ask(query.value)),
      effect(() => {
        follow(this.table.version);
        for (const row of this.table.loaded) this.known.set(row.id, row);
      }),
      effect(() => {
        follow(this.table.version);
        follow(settings.groupBy);
        void this.choose(settings.shown.value);
      }),
    );
    void this.loadMetrics();
    const wake = (): void => {
      this.polling.hurry();
      this.polling.now();
    };
    document.addEventListener("visibilitychange", wake);
    this.stops.push(() => document.removeEventListener("visibilitychange", wake));
  }

  /** Columns of the list beside the charts. */
  readonly columns = computed(() => {
    const chosen = settings.sideColumns.value;
    if (chosen) return chosen;
    return defaultColumns(this.metrics.value).map(bestColumn);
  });

  /** Where the names of the list differ, if neither at their beginning nor at their end. */
  readonly differences = computed(() => {
    follow(this.table.version);
    return differences(this.table.loaded.map((row) => row.name));
  });

  close(): void {
    this.polling.close();
    for (const stop of this.stops) stop();
  }

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Which series the charts on the screen show: asked at every look for changes. */
  watch(what: () => { runs: string[]; paths: string[] }): void {
    this.watched = what;
  }

  run(id: string): RunRow {
    return this.known.get(id) ?? rowFrom(id, {});
  }

  /** Look at once, after a change of our own. */
  refresh(): void {
    this.polling.now();
  }

  togglePause(): void {
    this.isPaused.value = !this.isPaused.value;
    this.polling.now();
  }

  private async choose(shown: { first: number } | { ids: string[] }): Promise<void> {
    if (!this.table.isLoaded.peek()) return;
    const isGrouped = settings.groupBy.peek().length > 0;
    if (isGrouped) {
      // Every group is drawn without choosing.
      const rows = await this.firstRows(MAX_GROUPED);
      if (looksOf(rows) !== looksOf(this.counted.peek())) this.counted.value = rows;
      if ("first" in shown) {
        this.draw(rows);
        return;
      }
    }
    if ("first" in shown) {
      this.draw(this.table.loaded.slice(0, shown.first));
      return;
    }
    const missing = shown.ids.filter((id) => !this.known.has(id));
    if (missing.length) {
      try {
        const found = await api.runs(this.name, {
          ids: missing.slice(0, 1000),
          columns: [...BASE_COLUMNS],
          limit: 1000,
          trashed: "all",
        });
        found.ids.forEach((id, i) => {
          const cells = Object.fromEntries(
            Object.entries(found.columns).map(([path, values]) => [path, values[i] ?? null]),
          );
          this.known.set(id, rowFrom(id, cells));
        });
      } catch (problem) {
        if (!(problem instanceof ApiError)) throw problem;
      }
    }
    const order = new Map(this.table.loaded.map((row, i) => [row.id, i]));
    const ids = shown.ids.filter((id) => this.known.has(id));
    ids.sort((a, b) => (order.get(a) ?? Infinity) - (order.get(b) ?? Infinity));
    this.draw(ids.slice(0, isGrouped ? MAX_GROUPED : MAX_DRAWN).map((id) => this.run(id)));
  }

  private async firstRows(most: number): Promise<RunRow[]> {
    const rows: RunRow[] = [];
    for (let i = 0; i < Math.min(most, this.table.total.peek()); i++) {
      const row = this.table.row(i) ?? (await this.table.rowAt(i));
      if (row) rows.push(row);
    }
    return rows;
  }

  private draw(rows: RunRow[]): void {
    if (looksOf(rows) !== looksOf(this.drawn.peek())) this.drawn.value = rows;
  }

  private async loadMetrics(): Promise<void> {
    this.metricsAt = performance.now();
    let cursor: string | undefined;
    const found: string[] = [];
    try {
      do {
        const page = await api.attributes(this.name, {
          kind: "series",
          limit: METRICS_PAGE,
          ...(cursor ? { cursor } : {}),
        });
        for (const item of page.items) found.push(item.path);
        cursor = page.next ?? undefined;
      } while (cursor && !this.polling.isClosed);
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
    }
    found.sort(byImportance);
    if (found.length !== this.metrics.peek().length || found.some((path, i) => path !== this.metrics.peek()[i]))
      this.metrics.value = found;
    this.areMetricsLoaded.value = true;
  }

  private async look(): Promise<Outcome> {
    if (document.hidden || this.isPaused.peek()) return "paused";
    const { runs, paths } = this.watched();
    try {
      const changes = await api.changes(
        this.name,
        {
          ...(this.revision ? { since: this.revision } : {}),
          watch: runs.slice(0, 200),
          paths: paths.slice(0, 500),
          columns: [
            ...new Set([...BASE_COLUMNS, ...this.columns.peek(), ...settings.groupBy.peek(), ...this.extraColumns]),
          ],
        },
        this.revision ? `"${this.revision}"` : "",
      );
      this.isOffline.value = false;
      if (changes) this.take(changes);
      if (this.isMissing.peek() && changes?.total) this.begin();
      if (this.totalRuns.peek() === 0) await this.lookForIt();
      return this.running.peek() > 0 ? "running" : "quiet";
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      this.isOffline.value = problem.status === 0;
      if (problem.status === 404) this.isMissing.value = true;
      return this.isMissing.peek() ? "missing" : "failed";
    }
  }

  /** The project that was not there has its first run. */
  private begin(): void {
    this.isMissing.value = false;
    this.table.reload();
    void this.loadMetrics();
  }

  /** A project without runs may have some in the trash, or may not be there at all. */
  private async lookForIt(): Promise<void> {
    const all = await api.projects();
    this.isMissing.value = !all.some((one) => one.name === this.name);
  }

  private take(changes: Changes): void {
    const isFirst = !this.revision;
    this.revision = changes.rev;
    this.running.value = changes.running;
    const isOther = this.totalRuns.peek() !== null && this.totalRuns.peek() !== changes.total;
    this.totalRuns.value = changes.total;
    if (isFirst) return;
    this.polling.hurry();
    const isNew = changes.runs.some(
      (run) => !this.known.has(run.id) && !this.table.loaded.some((row) => row.id === run.id),
    );
    if (changes.reset || changes.removed.length || isNew || isOther) this.table.reload();
    else this.table.patch(changes.runs);
    const now = performance.now();
    if (changes.reset || isNew || now - this.metricsAt > METRICS_MS) void this.loadMetrics();
    if (now - this.sortedAt > SORT_MS && settings.sort.peek().length) {
      this.sortedAt = now;
      this.table.reload();
    }
    for (const listener of this.listeners) listener(changes);
  }
}

/** All of runs that a chart draws otherwise when it changes. */
const looksOf = (all: readonly RunRow[]): string =>
  JSON.stringify(
    all.map((r) => [r.id, r.name, r.state, r.color, r.ordinal, settings.groupBy.peek().map((g) => r.cells[g])]),
  );

/** The project of the address; one is open at a time. */
export const project = signal<Project | null>(null);
effect(() => {
  const { project: name } = route.value;
  untracked(() => {
    if ((project.value?.name ?? "") === name) return;
    project.value?.close();
    const remembered = settings.rememberedSettings(name);
    if (name && remembered && !location.search && route.value.page !== "run")
      go(`${location.pathname}?${remembered}`, true);
    project.value = name ? new Project(name) : null;
  });
});
