/** The series that charts show: fetched once for each run, path, axis and zoom, in the order in which they are seen. */
import type { Changes, SeriesAsk } from "../../api/api";
import { ApiError, api } from "../../api/api";
import type { Series } from "../../lib/series/series";
import { appended } from "../../lib/series/series";

/** As many points as a series may have before the server sends buckets instead. */
export const POINTS = 1000;
const MAX_SERIES = 400;
const IN_FLIGHT = 2;
// About 24 bytes a point: this is 120 MB.
const MAX_POINTS = 5_000_000;
// A live series that has grown by this much in small pieces is asked for again, as fewer, larger buckets.
const MAX_GROWTH = 4 * POINTS;

export interface Window {
  x: string;
  range: readonly [number, number] | null;
}

/** A series of a run. */
export interface Wanted {
  run: string;
  path: string;
}

/** Somebody who shows series: what it wants, and what to do when some of it has come. */
export interface Viewer {
  wants: () => readonly Wanted[];
  /** The smallest is served first. */
  distance: () => number;
  update: () => void;
}

export class SeriesStore {
  window: Window = { x: "step", range: null };
  /** In a zoom, ask for whole series, too: how much a curve is smoothed depends on them. */
  private needsWhole = false;
  private readonly series = new Map<string, Series>();
  private readonly pending = new Set<string>();
  private readonly failed = new Map<string, number>();
  private readonly viewers = new Set<Viewer>();
  private readonly dirty = new Set<string>();
  private readonly old = new Set<string>();
  private points = 0;
  private inFlight = 0;
  private frame = 0;
  private abort = new AbortController();
  private generation = 0;

  constructor(private readonly project: string) {}

  close(): void {
    this.abort.abort();
    this.generation++;
    cancelAnimationFrame(this.frame);
    this.viewers.clear();
    this.series.clear();
  }

  add(viewer: Viewer): () => void {
    this.viewers.add(viewer);
    this.pump();
    return () => this.viewers.delete(viewer);
  }

  show(window: Window, needsWhole: boolean): void {
    const isNew = needsWhole && !this.needsWhole;
    this.needsWhole = needsWhole;
    if (isNew) this.pump();
    if (JSON.stringify(window) === JSON.stringify(this.window)) return;
    this.window = window;
    for (const key of this.old) this.drop(key);
    this.old.clear();
    this.abort.abort();
    this.abort = new AbortController();
    this.generation++;
    this.pending.clear();
    this.inFlight = 0;
    this.pump();
  }

  /** The series in the present window; while that is on its way, what is known of the whole of it. */
  get(run: string, path: string): Series | undefined {
    return this.series.get(this.key(run, path)) ?? (this.window.range ? this.whole(run, path) : undefined);
  }

  whole(run: string, path: string): Series | undefined {
    return this.series.get(keyOf({ x: this.window.x, range: null }, run, path));
  }

  /** The runs and paths on the screen. */
  watched(): { runs: string[]; paths: string[] } {
    const [runs, paths] = [new Set<string>(), new Set<string>()];
    for (const viewer of this.viewers) {
      for (const { run, path } of viewer.wants()) {
        runs.add(run);
        paths.add(path);
      }
    }
    return { runs: [...runs], paths: [...paths] };
  }

  /** Ask for what is missing. Call it after a viewer has come to want something else. */
  pump(): void {
    while (this.inFlight < IN_FLIGHT) {
      const whole = { x: this.window.x, range: null };
      const ask = this.nextAsk(this.window) ?? (this.needsWhole && this.window.range ? this.nextAsk(whole) : null);
      if (!ask) return;
      void this.fetch(ask.body, ask.keys, false);
    }
  }

  /** Take in what the server says has changed. */
  take(changes: Changes): void {
    const since: Record<string, string> = {};
    const items: { run: string; path: string }[] = [];
    const wanted = this.watched();
    const paths = new Set(wanted.paths);
    for (const run of wanted.runs) {
      for (const [path, cursor] of Object.entries(changes.series[run] ?? {})) {
        if (!paths.has(path)) continue;
        const key = this.key(run, path);
        this.failed.delete(key);
        const known = this.series.get(key);
        if (this.pending.has(key) || !known || known.cursor === cursor) continue;
        items.push({ run, path });
        if (known.cursor && known.n < MAX_GROWTH) since[`${run}/${path}`] = known.cursor;
      }
      // Series outside the present window are old now; they are asked for when they are shown again.
      for (const key of this.series.keys()) {
        const [x, range, of, path] = key.split("\n");
        if (of !== run || !changes.series[run]?.[path!] || key === this.key(run, path!)) continue;
        // What tells how much to smooth may be a little old while it does only that.
        if (this.needsWhole && x === this.window.x && !range) this.old.add(key);
        else this.drop(key);
      }
    }
    for (let i = 0; i < items.length; i += MAX_SERIES) {
      const part = items.slice(i, i + MAX_SERIES);
      const keys = part.map((item) => this.key(item.run, item.path));
      for (const key of keys) this.pending.add(key);
      void this.fetch({ ...askOf(this.window), items: part, since }, keys, true);
    }
    this.pump();
  }

  /** Everything is old, after the server has started again. */
  forget(): void {
    for (const key of [...this.series.keys()]) if (!this.isWanted(key)) this.drop(key);
    this.failed.clear();
  }

  private nextAsk(window: Window): { body: SeriesAsk & Window; keys: string[] } | null {
    const items: { run: string; path: string }[] = [];
    const keys: string[] = [];
    const now = performance.now();
    const viewers = [...this.viewers].map((v): [number, Viewer] => [v.distance(), v]).sort((a, b) => a[0] - b[0]);
    for (const [, viewer] of viewers) {
      for (const { run, path } of viewer.wants()) {
        const key = keyOf(window, run, path);
        if (this.isWhole(key) || this.pending.has(key) || (this.failed.get(key) ?? 0) > now) continue;
        this.pending.add(key);
        keys.push(key);
        items.push({ run, path });
        if (items.length >= MAX_SERIES) return { body: { ...askOf(window), items }, keys };
      }
    }
    return items.length ? { body: { ...askOf(window), items }, keys } : null;
  }

  /** Nothing of the series has to be asked for: of one that is new to the server, each answer shows more. */
  private isWhole(key: string): boolean {
    return this.series.get(key)?.building === null;
  }

  private async fetch(body: SeriesAsk & Window, keys: string[], isUpdate: boolean): Promise<void> {
    const { generation } = this;
    this.inFlight++;
    try {
      await api.series(this.project, body, (found) => this.receive(found, body), this.abort.signal);
    } catch (problem) {
      if (!(problem instanceof ApiError || (problem instanceof DOMException && problem.name === "AbortError")))
        throw problem;
      const retry = performance.now() + 5000;
      for (const key of keys) if (!isUpdate) this.failed.set(key, retry);
    }
    if (generation !== this.generation) return;
    for (const key of keys) this.pending.delete(key);
    this.inFlight--;
    this.evict();
    this.pump();
  }

  private receive(found: Series[], window: Window): void {
    for (const fresh of found) {
      const key = keyOf(window, fresh.run, fresh.path);
      const known = this.series.get(key);
      const next = known && fresh.from !== null ? appended(known, fresh) : fresh;
      this.points += next.n - (known?.n ?? 0);
      this.series.set(key, next);
      this.dirty.add(fresh.path);
    }
    if (!this.frame) this.frame = requestAnimationFrame(() => this.notify());
  }

  private notify(): void {
    this.frame = 0;
    const paths = new Set(this.dirty);
    this.dirty.clear();
    for (const viewer of this.viewers) if (viewer.wants().some(({ path }) => paths.has(path))) viewer.update();
  }

  private evict(): void {
    if (this.points <= MAX_POINTS) return;
    for (const key of [...this.series.keys()]) {
      if (this.points <= MAX_POINTS / 2) return;
      if (!this.isWanted(key)) this.drop(key);
    }
  }

  private isWanted(key: string): boolean {
    const [, , run, path] = key.split("\n");
    const wanted = this.watched();
    return wanted.runs.includes(run!) && wanted.paths.includes(path!);
  }

  private drop(key: string): void {
    this.points -= this.series.get(key)?.n ?? 0;
    this.series.delete(key);
  }

  private key(run: string, path: string): string {
    return keyOf(this.window, run, path);
  }
}

const askOf = ({ x, range }: Window): Omit<SeriesAsk, "runs" | "paths" | "items"> & Window => ({
  x,
  range,
  points: POINTS,
  ...(range ? { edges: true } : {}),
});

const keyOf = (window: Window, run: string, path: string): string =>
  `${window.x}\n${window.range?.join("~") ?? ""}\n${run}\n${path}`;
