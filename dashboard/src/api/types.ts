/** What the dashboard's API takes and gives (docs/dashboard-api.md). */
import type { Cell } from "../lib/values";

export interface ProjectInfo {
  name: string;
  ws: string;
  project: string;
  runs: number;
  running: number;
  trashed: number;
  updated: number | null;
  activity: number[];
}

export interface Attribute {
  path: string;
  kind: "config" | "series" | "text";
  type: string;
  n_runs: number;
  n_distinct?: number;
  min?: Cell;
  max?: Cell;
  sample?: Cell[];
}

export interface Query {
  filter?: string;
  columns?: readonly string[];
  sort?: readonly (readonly [string, "asc" | "desc"])[];
  group_by?: readonly string[];
  offset?: number;
  limit?: number;
  ids?: readonly string[] | null;
  trashed?: "no" | "only" | "all";
}

export interface Group {
  key: Cell[];
  n: number;
  /** Of them, those that did not fail: the aggregates are about these. */
  counted: number;
  offset: number;
  agg: Record<string, { n: number; mean: Cell; std: Cell; min: Cell; max: Cell }>;
}

export interface Table {
  rev: string;
  total: number;
  ids: string[];
  columns: Record<string, Cell[]>;
  types: Record<string, string | null>;
  stats: Record<string, { count: number; min: Cell; max: Cell; distinct: number }>;
  groups: Group[] | null;
  unknown: string[];
}

/** What a plugin's panel consists of. */
export type PanelBlock =
  | { kind: "text"; text: string }
  | { kind: "table"; columns: string[]; rows: Cell[][] }
  | { kind: "bars"; labels: string[]; values: number[] };

export interface Panel {
  name: string;
  title: string;
  blocks: PanelBlock[];
  problem: string;
}

export interface RunDetails {
  id: string;
  project: string;
  name: string | null;
  description: string | null;
  state: string;
  tags: string[];
  color: string | null;
  archived: boolean;
  trashed: boolean;
  ordinal: number;
  created: number | null;
  modified: number | null;
  closed: number | null;
  duration: number | null;
  /** Of text series, those that are not the console. */
  counts: { config: number; series: number; text: number };
  git: Record<string, Cell | Record<string, Cell>>;
  env: Record<string, Cell>;
  processes: Record<string, Cell>[];
  parent: string | null;
  progress: { step: number | null; max_steps: number | null; eta_seconds: number | null } | null;
  /** Why it ended, where that was said. */
  end_reason: string | null;
  failure: { reason: string; traceback: string | null } | null;
  /** What `goodseed.Run` needs besides project and id to read it. */
  reading: Record<string, string>;
  rev: string;
}

export interface ConfigItem {
  path: string;
  type: string;
  value: Cell;
  updated: number | null;
  cut?: boolean;
}

export interface RunAttribute {
  path: string;
  kind: "series" | "text";
  step: Cell;
  last: Cell;
  time: string | null;
}

export interface Diff {
  paths: string[];
  types: Record<string, string>;
  values: Record<string, Cell[]>;
  same: number;
  base: string;
  missing: Record<string, number[]>;
  truncated?: boolean;
}

export type LogLine = [n: number, ms: number | null, stream: number, text: string, step: number];

export interface Logs {
  lines: LogLine[];
  total: number;
  first: number;
  folded: number;
  matches: number[];
  match_total: number;
  streams: { name: string; kind: string; namespace: string; lines: number }[];
  cursor: string;
  cut?: number[];
}

export interface Texts {
  rows: { step: number; time: number | null; values: (string | null)[]; cut: number[] }[];
  next: number | null;
}

export interface ChangedFile {
  path: string;
  add: number | null;
  del: number | null;
  status?: string;
}

export interface Source {
  commit: string | null;
  branch: string | null;
  dirty: boolean | null;
  message: string | null;
  author: string | null;
  date: string | null;
  remotes: Record<string, string> | string[] | null;
  files: ChangedFile[];
  diff_url: string | null;
  requirements_url: string | null;
  command: string | null;
  entrypoint: string | null;
  upstream: { commit: string | null; branch: string | null; files: ChangedFile[]; diff_url: string | null } | null;
}

export interface Changes {
  rev: string;
  reset: boolean;
  running: number;
  total: number;
  runs: ({ id: string } & Record<string, Cell>)[];
  removed: string[];
  series: Record<string, Record<string, string>>;
  logs: Record<string, string>;
}

export interface SeriesAsk {
  runs?: readonly string[];
  paths?: readonly string[];
  items?: readonly { run: string; path: string }[];
  x: string;
  range: readonly [number, number] | null;
  /** The points next to the range, too. */
  edges?: boolean;
  points: number;
  since?: Record<string, string>;
}
