/** The dashboard's API, typed (docs/dashboard-api.md). */
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
} from "./api-types";
import type { Series } from "./lib/series";
import { FrameDecoder } from "./lib/series";

export type * from "./api-types";

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
async function ask(url: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (problem) {
    if (problem instanceof DOMException && problem.name === "AbortError") throw problem;
    throw new ApiError(0, "unreachable", "The server can't be reached", "Is `goodseed serve` still running?", null);
  }
  return answered(response);
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

export const api = {
  projects: (): Promise<ProjectInfo[]> => json(`${ROOT}/projects`),

  attributes: (
    project: string,
    fields: { q?: string; kind?: string; prefix?: string; limit?: number; cursor?: string },
    signal?: AbortSignal,
  ): Promise<{ items: Attribute[]; total: number; next: string | null }> =>
    json(`${projectUrl(project)}/attrs${query(fields)}`, signal ? { signal } : {}),

  runs: (project: string, body: Query, signal?: AbortSignal): Promise<Table> =>
    json(`${projectUrl(project)}/runs/query`, send("POST", body, signal)),

  bulk: (
    project: string,
    ids: readonly string[],
    op: string,
    value?: string | null,
  ): Promise<{ done: string[]; failed: { id: string; code: string; message: string }[] }> =>
    json(`${projectUrl(project)}/runs/bulk`, send("POST", value === undefined ? { ids, op } : { ids, op, value })),

  run: (project: string, id: string): Promise<RunDetails> => json(runUrl(project, id)),

  change: (
    project: string,
    id: string,
    fields: Partial<Pick<RunDetails, "name" | "description" | "tags" | "color" | "archived" | "trashed">>,
  ): Promise<RunDetails> => json(runUrl(project, id), send("PATCH", fields)),

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

  moment: (project: string, id: string, path: string, step: number): Promise<{ step: number; time: number | null }> =>
    json(`${runUrl(project, id)}/moment${query({ path, step: String(step) })}`),

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

  texts: (
    project: string,
    id: string,
    fields: { path: readonly string[]; until?: string; step?: readonly string[]; q?: string },
  ): Promise<Texts> => json(`${runUrl(project, id)}/texts${query(fields)}`),

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
    return response.status === 304 ? null : ((await response.json()) as Changes);
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
