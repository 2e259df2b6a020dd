/** The dashboard's API, typed (docs/dashboard-api.md). */
import type { Series } from "../lib/series/series";
import { FrameDecoder } from "../lib/series/series";
import { secondsOf } from "../lib/values";
import type {
  ProjectInfo,
  Attribute,
  Query,
  Table,
  Panel,
  RunDetails,
  ConfigItem,
  RunAttribute,
  Diff,
  Logs,
  Texts,
  Source,
  Changes,
  SeriesAsk,
} from "./types";

export type * from "./types";

/** What the server said was wrong, and what to do. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string,
    /** The place of the fault in a filter. */
    readonly column: number | null,
  ) {
    super(message);
  }
}

const ROOT = "/api/ui";
const encode = (text: string): string => encodeURIComponent(text);
/** Where the API of a project is; a project's name may hold slashes, which stay as they are. */
export const projectUrl = (project: string): string => `${ROOT}/p/${project.split("/").map(encode).join("/")}/-`;
const runUrl = (project: string, run: string): string => `${projectUrl(project)}/run/${encode(run)}`;

async function answered(response: Response): Promise<Response> {
  if (response.ok || response.status === 304) return response;
  let error: { code?: string; message?: string; hint?: string; column?: number } = {};
  try {
    error = ((await response.json()) as { error?: typeof error }).error ?? {};
  } catch {
    error = {};
  }
  throw new ApiError(
    response.status,
    error.code ?? "unknown",
    error.message ?? `The server answered ${response.status} ${response.statusText}`,
    error.hint ?? "",
    error.column ?? null,
  );
}

/** One request. A server that can't be reached raises ApiError with status 0. */
async function ask(url: string, init: RequestInit = {}, isAgain = false): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (problem) {
    if (problem instanceof DOMException && problem.name === "AbortError") throw problem;
    throw new ApiError(0, "unreachable", "The server can't be reached", "Is `goodseed serve` still running?", null);
  }
  try {
    return await answered(response);
  } catch (problem) {
    if (!(problem instanceof ApiError) || problem.code !== "no_token" || isAgain || !init.method) throw problem;
    // The server has started anew, and has another token: its page brings it, and the change is asked for once more.
    await fetch(location.pathname, { cache: "no-store", headers: { Accept: "text/html" } });
    return ask(url, init, true);
  }
}

const json = async <T>(url: string, init?: RequestInit): Promise<T> => (await (await ask(url, init)).json()) as T;
const send = (method: string, body: unknown, signal?: AbortSignal): RequestInit => ({
  method,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
  ...(signal ? { signal } : {}),
});

function query(fields: Record<string, string | number | readonly string[] | undefined>): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === "") continue;
    if (typeof value === "object") for (const one of value) parts.append(name, one);
    else parts.set(name, String(value));
  }
  const text = parts.toString();
  return text ? `?${text}` : "";
}

/** What the server sends as ISO 8601 is reckoned with in seconds here. */
const TIMES = ["sys/creation_time", "sys/modification_time", "sys/closed_time"];

function withSeconds<T extends object>(row: T, names: readonly (keyof T)[]): T {
  for (const name of names) if (name in row) row[name] = secondsOf(row[name]) as T[typeof name];
  return row;
}

const runSeconds = (run: RunDetails): RunDetails => withSeconds(run, ["created", "modified", "closed"]);

export const api = {
  projects: async (): Promise<ProjectInfo[]> => {
    const all = await json<ProjectInfo[]>(`${ROOT}/projects`);
    return all.map((one) => withSeconds(one, ["updated"]));
  },

  attributes: (
    project: string,
    fields: { q?: string; kind?: string; prefix?: string; limit?: number; cursor?: string },
    signal?: AbortSignal,
  ): Promise<{ items: Attribute[]; total: number; next: string | null }> =>
    json(`${projectUrl(project)}/attrs${query(fields)}`, signal ? { signal } : {}),

  hardware: (project: string, runs: readonly string[]): Promise<{ runs: Record<string, Record<string, string[]>> }> =>
    json(`${projectUrl(project)}/hardware${query({ runs })}`),

  runs: async (project: string, body: Query, signal?: AbortSignal): Promise<Table> => {
    const table = await json<Table>(`${projectUrl(project)}/runs/query`, send("POST", body, signal));
    for (const name of TIMES) if (table.columns[name]) table.columns[name] = table.columns[name].map(secondsOf);
    return table;
  },

  bulk: (
    project: string,
    ids: readonly string[],
    op: string,
    value?: string | null,
  ): Promise<{ done: string[]; failed: { id: string; code: string; message: string }[] }> =>
    json(`${projectUrl(project)}/runs/bulk`, send("POST", value === undefined ? { ids, op } : { ids, op, value })),

  run: async (project: string, id: string): Promise<RunDetails> => runSeconds(await json(runUrl(project, id))),

  change: async (
    project: string,
    id: string,
    fields: Partial<Pick<RunDetails, "name" | "description" | "tags" | "color" | "archived" | "trashed">> & {
      /** Those that the editor was shown: only the difference is applied. */
      tags_before?: string[];
    },
  ): Promise<RunDetails> => runSeconds(await json(runUrl(project, id), send("PATCH", fields))),

  config: (
    project: string,
    id: string,
    fields: { prefix?: string; q?: string; limit?: number; cursor?: string; full?: number },
  ): Promise<{ items: ConfigItem[]; total: number; next: string | null }> =>
    json(`${runUrl(project, id)}/config${query(fields)}`),

  runAttributes: (
    project: string,
    id: string,
    fields: { q?: string; kind?: string; limit?: number; cursor?: string },
  ): Promise<{ items: RunAttribute[]; total: number; next: string | null }> =>
    json(`${runUrl(project, id)}/attrs${query(fields)}`),

  moment: async (
    project: string,
    id: string,
    path: string,
    step: number,
  ): Promise<{ step: number; time: number | null }> =>
    withSeconds(await json(`${runUrl(project, id)}/moment${query({ path, step: String(step) })}`), ["time"]),

  panels: (project: string, id: string): Promise<{ panels: Panel[] }> => json(`${runUrl(project, id)}/panels`),

  diff: (project: string, runs: readonly string[], base: string, prefix = "", q = ""): Promise<Diff> =>
    json(`${projectUrl(project)}/diff`, send("POST", { runs, base, prefix, q })),

  logs: (
    project: string,
    id: string,
    fields: {
      stream?: string;
      from?: number;
      limit?: number;
      q?: string;
      cursor?: string;
      namespace?: string;
      around_ms?: number;
      full?: 1;
    },
    signal?: AbortSignal,
  ): Promise<Logs> => json(`${runUrl(project, id)}/logs${query(fields)}`, signal ? { signal } : {}),

  texts: async (
    project: string,
    id: string,
    fields: { path: readonly string[]; until?: string; step?: readonly string[]; q?: string },
  ): Promise<Texts> => {
    const texts = await json<Texts>(`${runUrl(project, id)}/texts${query(fields)}`);
    return { ...texts, rows: texts.rows.map((row) => withSeconds(row, ["time"])) };
  },

  source: (project: string, id: string): Promise<Source> => json(`${runUrl(project, id)}/source`),
  text: async (url: string): Promise<string> => (await ask(url)).text(),

  views: (project: string): Promise<{ views: { name: string; updated: number }[] }> =>
    json(`${projectUrl(project)}/views`),
  view: (project: string, name: string): Promise<{ query?: string }> =>
    json(`${projectUrl(project)}/views/${encode(name)}`),
  saveView: (project: string, name: string, value: { query: string }): Promise<unknown> =>
    json(`${projectUrl(project)}/views/${encode(name)}`, send("PUT", value)),
  removeView: async (project: string, name: string): Promise<void> => {
    await ask(`${projectUrl(project)}/views/${encode(name)}`, { method: "DELETE" });
  },

  /** What has changed since `etag`; null where nothing has. */
  changes: async (
    project: string,
    fields: { since?: string; watch?: readonly string[]; paths?: readonly string[]; columns?: readonly string[] },
    etag: string,
  ): Promise<Changes | null> => {
    const response = await ask(`${projectUrl(project)}/changes${query(fields)}`, {
      headers: etag ? { "If-None-Match": etag } : {},
    });
    if (response.status === 304) return null;
    const changes = (await response.json()) as Changes;
    return { ...changes, runs: changes.runs.map((row) => withSeconds(row, TIMES)) };
  },

  /** Series, each given to `take` as soon as it is here. */
  series: async (
    project: string,
    body: SeriesAsk,
    take: (series: Series[]) => void,
    signal?: AbortSignal,
  ): Promise<void> => {
    let offset: number | null = 0;
    while (offset !== null) {
      const init = send("POST", { ...body, offset }, signal);
      const response = await ask(`${projectUrl(project)}/series`, {
        ...init,
        headers: { ...(init.headers as Record<string, string>), Accept: "application/x-goodseed-series" },
      });
      const decoder = new FrameDecoder();
      const reader = response.body!.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const found = decoder.push(value);
        if (found.length) take(found);
      }
      offset = decoder.next;
    }
  },
};
