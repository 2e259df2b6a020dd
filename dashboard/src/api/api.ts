/** The dashboard's API, one function for each thing that the page asks (docs/dashboard-api.md). */
import type { Series } from "../lib/series/series";
import { FrameDecoder } from "../lib/series/series";
import { secondsOf } from "../lib/values";
import type { Address, Answered, Body, Query as Fields } from "./request";
import { ask, filled, get, queryText, send, sent } from "./request";
import type {
  Change,
  Changes,
  Diff,
  Logs,
  ProjectInfo,
  Query,
  RunDetails,
  SeriesAsk,
  Source,
  Table,
  Texts,
} from "./types";

export { ApiError } from "./request";
export type * from "./types";

const IN_PROJECT = "/api/ui/p/{project}/-";
const IN_RUN = `${IN_PROJECT}/run/{run_id}` as const;
const ONE_VIEW = `${IN_PROJECT}/views/{name}` as const;

/** Where the API of a project is. */
export const projectUrl = (project: string): string =>
  filled(`${IN_PROJECT}/attrs`, { project }).replace(/\/attrs$/, "");

/** What the server sends as ISO 8601 is reckoned with in seconds here. */
const TIMES = ["sys/creation_time", "sys/modification_time", "sys/closed_time"];

/** The same with times as seconds. */
function withSeconds<T extends object, N extends string>(
  row: T,
  names: readonly N[],
): Omit<T, N> & Record<N, number | null> {
  const times = names.filter((name) => name in row).map((name) => [name, secondsOf((row as Record<N, unknown>)[name])]);
  return { ...row, ...(Object.fromEntries(times) as Record<N, number | null>) };
}

const runSeconds = (run: Answered<typeof IN_RUN>): RunDetails => withSeconds(run, ["created", "modified", "closed"]);

type InProject<P extends string> = Fields<Extract<Address<"get">, `${typeof IN_PROJECT}${P}`>>;
type InRun<P extends string> = InProject<`/run/{run_id}${P}`>;

export const api = {
  projects: async (): Promise<ProjectInfo[]> =>
    (await get("/api/ui/projects", {})).map((one) => withSeconds(one, ["updated"])),

  attributes: (
    project: string,
    fields: InProject<"/attrs">,
    signal?: AbortSignal,
  ): Promise<Answered<`${typeof IN_PROJECT}/attrs`>> => get(`${IN_PROJECT}/attrs`, { project }, fields, signal),

  hardware: (project: string, runs: readonly string[]): Promise<Answered<`${typeof IN_PROJECT}/hardware`>> =>
    get(`${IN_PROJECT}/hardware`, { project }, { runs }),

  runs: async (project: string, body: Query, signal?: AbortSignal): Promise<Table> => {
    const table = await send("post", `${IN_PROJECT}/runs/query`, { project }, body, signal);
    for (const name of TIMES) if (table.columns[name]) table.columns[name] = table.columns[name].map(secondsOf);
    return table;
  },

  bulk: (
    project: string,
    body: Body<`${typeof IN_PROJECT}/runs/bulk`, "post">,
  ): Promise<Answered<`${typeof IN_PROJECT}/runs/bulk`, "post">> =>
    send("post", `${IN_PROJECT}/runs/bulk`, { project }, body),

  run: async (project: string, run: string): Promise<RunDetails> =>
    runSeconds(await get(IN_RUN, { project, run_id: run })),

  change: async (project: string, run: string, fields: Change): Promise<RunDetails> =>
    runSeconds(await send("patch", IN_RUN, { project, run_id: run }, fields)),

  config: (project: string, run: string, fields: InRun<"/config">): Promise<Answered<`${typeof IN_RUN}/config`>> =>
    get(`${IN_RUN}/config`, { project, run_id: run }, fields),

  runAttributes: (project: string, run: string, fields: InRun<"/attrs">): Promise<Answered<`${typeof IN_RUN}/attrs`>> =>
    get(`${IN_RUN}/attrs`, { project, run_id: run }, fields),

  attempts: (project: string, run: string): Promise<Answered<`${typeof IN_RUN}/attempts`>> =>
    get(`${IN_RUN}/attempts`, { project, run_id: run }),

  moment: async (
    project: string,
    run: string,
    path: string,
    step: number,
  ): Promise<{ step: number; time: number | null }> =>
    withSeconds(await get(`${IN_RUN}/moment`, { project, run_id: run }, { path, step }), ["time"]),

  panels: (project: string, run: string): Promise<Answered<`${typeof IN_RUN}/panels`>> =>
    get(`${IN_RUN}/panels`, { project, run_id: run }),

  diff: (project: string, runs: readonly string[], base: string): Promise<Diff> =>
    send("post", `${IN_PROJECT}/diff`, { project }, { runs, base }),

  logs: (project: string, run: string, fields: InRun<"/logs">, signal?: AbortSignal): Promise<Logs> =>
    get(`${IN_RUN}/logs`, { project, run_id: run }, fields, signal),

  texts: async (project: string, run: string, fields: InRun<"/texts">): Promise<Texts> => {
    const texts = await get(`${IN_RUN}/texts`, { project, run_id: run }, fields);
    return { ...texts, rows: texts.rows.map((row) => withSeconds(row, ["time"])) };
  },

  source: (project: string, run: string): Promise<Source> => get(`${IN_RUN}/source`, { project, run_id: run }),

  /** The text at an address that the server has given. */
  text: async (url: string): Promise<string> => (await ask(url)).text(),

  views: (project: string): Promise<Answered<`${typeof IN_PROJECT}/views`>> => get(`${IN_PROJECT}/views`, { project }),

  view: (project: string, name: string): Promise<Answered<typeof ONE_VIEW>> => get(ONE_VIEW, { project, name }),

  saveView: (project: string, name: string, value: { query: string }): Promise<Answered<typeof ONE_VIEW, "put">> =>
    send("put", ONE_VIEW, { project, name }, value),

  removeView: async (project: string, name: string): Promise<void> => {
    await ask(filled(ONE_VIEW, { project, name }), { method: "DELETE" });
  },

  /** What has changed since `etag`; null where nothing has. */
  changes: async (project: string, fields: InProject<"/changes">, etag: string): Promise<Changes | null> => {
    const response = await ask(filled(`${IN_PROJECT}/changes`, { project }) + queryText(fields), {
      headers: etag ? { "If-None-Match": etag } : {},
    });
    if (response.status === 304) return null;
    const changes = (await response.json()) as Changes;
    return { ...changes, runs: changes.runs.map((row) => ({ ...row, ...withSeconds(row, TIMES), id: row.id })) };
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
      const init = sent("POST", { ...body, offset }, signal);
      const response = await ask(filled(`${IN_PROJECT}/series`, { project }), {
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
