/** Series as the server sends them, and the decoder of its binary frames (docs/dashboard-api.md). */

export type Column = Float64Array | Float32Array;

/** One series of one run in a range: points, or buckets of points that follow one another. */
export interface Series {
  run: string;
  path: string;
  n: number;
  total: number;
  /** Every logged point is there, and `last` is its value. */
  raw: boolean;
  x: Float64Array;
  last: Column;
  min: Column;
  max: Column;
  mean: Column;
  nonfinite: [number, number, "nan" | "inf" | "-inf"][];
  stats: { last: number; min: number; max: number; argmin: number; argmax: number; count: number } | null;
  cursor: string | null;
  from: number | null;
  /** Which share of the series these are, from its first point on, while the server reads the others; null for all. */
  building: number | null;
  problem: string | null;
}

interface Header {
  rev: string;
  bytes: number;
  next: number | null;
  series: RawSeries[];
}

interface RawSeries {
  run: string;
  path: string;
  n?: number;
  total?: number;
  raw?: boolean;
  nonfinite?: Series["nonfinite"];
  cursor?: string | null;
  from?: number | null;
  stats?: Record<string, unknown> | null;
  building?: number;
  problem?: string;
  cols?: (["x", "lin", number, number] | [string, "f64" | "f32", number])[];
}

const MAGIC = 0x31425347; // "GSB1", little-endian
const EMPTY = new Float64Array(0);

/** Takes the bytes of an answer in pieces of any size, and gives each series as soon as its frame is whole. */
export class FrameDecoder {
  next: number | null = null;
  private pieces: Uint8Array[] = [];
  private size = 0;

  push(piece: Uint8Array): Series[] {
    this.pieces.push(piece);
    this.size += piece.length;
    const found: Series[] = [];
    for (;;) {
      const frame = this.takeFrame();
      if (!frame) return found;
      this.next = frame.header.next;
      for (const raw of frame.header.series) found.push(decode(raw, frame.payload));
    }
  }

  private takeFrame(): { header: Header; payload: ArrayBuffer } | null {
    if (this.size < 8) return null;
    const all = this.joined();
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    if (view.getUint32(0, true) !== MAGIC)
      throw new Error("The server sent a series in a format that this page doesn't know.");
    const start = 8 + view.getUint32(4, true);
    if (all.length < start) return null;
    const header = JSON.parse(new TextDecoder().decode(all.subarray(8, start))) as Header;
    const end = start + header.bytes;
    if (all.length < end) return null;
    const rest = all.subarray(end);
    this.pieces = rest.length ? [rest] : [];
    this.size = rest.length;
    // A copy of its own: columns have to begin at a multiple of 8 bytes, and the rest of the answer can be freed.
    return { header, payload: all.slice(start, end).buffer };
  }

  private joined(): Uint8Array {
    if (this.pieces.length === 1) return this.pieces[0]!;
    const all = new Uint8Array(this.size);
    let at = 0;
    for (const piece of this.pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    this.pieces = [all];
    return all;
  }
}

function decode(raw: RawSeries, payload: ArrayBuffer): Series {
  const n = raw.n ?? 0;
  const columns = new Map<string, Column>();
  for (const column of raw.cols ?? []) {
    if (column[1] === "lin") columns.set("x", linear(n, column[2], column[3]));
    else
      columns.set(
        column[0],
        column[1] === "f64" ? new Float64Array(payload, column[2], n) : new Float32Array(payload, column[2], n),
      );
  }
  const last = columns.get("last") ?? EMPTY;
  const x = columns.get("x") ?? EMPTY;
  return {
    run: raw.run,
    path: raw.path,
    n,
    total: raw.total ?? 0,
    raw: raw.raw ?? true,
    x: x instanceof Float64Array ? x : Float64Array.from(x),
    last,
    min: columns.get("min") ?? last,
    max: columns.get("max") ?? last,
    mean: columns.get("mean") ?? last,
    nonfinite: raw.nonfinite ?? [],
    stats: raw.stats ? numbers(raw.stats) : null,
    cursor: raw.cursor ?? null,
    from: raw.from ?? null,
    building: raw.building ?? null,
    problem: raw.problem ?? null,
  };
}

function linear(n: number, x0: number, dx: number): Float64Array {
  const x = new Float64Array(n);
  for (let i = 0; i < n; i++) x[i] = x0 + i * dx;
  return x;
}

const numbers = (stats: Record<string, unknown>): NonNullable<Series["stats"]> =>
  Object.fromEntries(
    Object.entries(stats).map(([name, value]) => [name, value === null ? NaN : Number(value)]),
  ) as unknown as NonNullable<Series["stats"]>;

/** `series` with what came later in the place of everything from `update.from` on. */
export function appended(series: Series, update: Series): Series {
  if (update.from === null || update.problem) return update;
  const keep = lowerBound(series.x, update.from);
  if (keep === 0) return { ...update, from: null };
  const join = (old: Column, fresh: Column): Column => {
    const all =
      old instanceof Float64Array || fresh instanceof Float64Array
        ? new Float64Array(keep + update.n)
        : new Float32Array(keep + update.n);
    all.set(old.subarray(0, keep));
    all.set(fresh, keep);
    return all;
  };
  const raw = series.raw && update.raw;
  if (!series.raw && update.n && keep < series.n) {
    // The bucket that goes may have begun before what comes: its extremes are kept.
    update = { ...update, min: update.min.slice(), max: update.max.slice() };
    update.min[0] = Math.min(update.min[0]!, series.min[keep]!);
    update.max[0] = Math.max(update.max[0]!, series.max[keep]!);
  }
  const last = join(series.last, update.last);
  const stats = update.stats && series.stats ? mergedStats(series.stats, update.stats) : (update.stats ?? series.stats);
  return {
    ...update,
    n: keep + update.n,
    total: Math.max(series.total, keep) + update.total,
    raw,
    x: join(series.x, update.x) as Float64Array,
    last,
    min: raw ? last : join(series.min, update.min),
    max: raw ? last : join(series.max, update.max),
    mean: raw ? last : join(series.mean, update.mean),
    nonfinite: [...series.nonfinite.filter(([at]) => at < update.from!), ...update.nonfinite],
    stats,
    from: null,
  };
}

function mergedStats(
  old: NonNullable<Series["stats"]>,
  fresh: NonNullable<Series["stats"]>,
): NonNullable<Series["stats"]> {
  const isLower = !(old.min <= fresh.min);
  const isHigher = !(old.max >= fresh.max);
  return {
    count: old.count + fresh.count,
    last: fresh.last,
    min: isLower ? fresh.min : old.min,
    argmin: isLower ? fresh.argmin : old.argmin,
    max: isHigher ? fresh.max : old.max,
    argmax: isHigher ? fresh.argmax : old.argmax,
  };
}

/** The first index whose value is not below `value`. */
export function lowerBound(sorted: ArrayLike<number>, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The index whose value is nearest to `value`; -1 of nothing. */
export function nearest(sorted: ArrayLike<number>, value: number): number {
  const at = lowerBound(sorted, value);
  if (at >= sorted.length) return sorted.length - 1;
  return at > 0 && value - sorted[at - 1]! < sorted[at]! - value ? at - 1 : at;
}
