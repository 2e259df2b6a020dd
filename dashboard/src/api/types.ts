/** Names for what the dashboard's API takes and gives; times are seconds since the epoch here. */
import type { Answered, Body } from "./request";

type InProject<Rest extends string> = `/api/ui/p/{project}/-${Rest}`;
type InRun<Rest extends string> = InProject<`/run/{run_id}${Rest}`>;

/** The same with times in seconds, where the server sends ISO 8601. */
type WithSeconds<T, Names extends keyof T> = Omit<T, Names> & Record<Names, number | null>;

export type ProjectInfo = WithSeconds<Answered<"/api/ui/projects">[number], "updated">;
export type Attribute = Answered<InProject<"/attrs">>["items"][number];
export type Query = Body<InProject<"/runs/query">, "post">;
export type Table = Answered<InProject<"/runs/query">, "post">;
export type Group = NonNullable<Table["groups"]>[number];
export type Diff = Answered<InProject<"/diff">, "post">;
export type SeriesAsk = Body<InProject<"/series">, "post">;
export type Changes = Answered<InProject<"/changes">>;
export type Change = Body<InRun<"">, "patch">;
export type RunDetails = WithSeconds<Answered<InRun<"">>, "created" | "modified" | "closed">;
export type ConfigItem = Answered<InRun<"/config">>["items"][number];
export type PanelBlock = Answered<InRun<"/panels">>["panels"][number]["blocks"][number];
export type Attempt = Answered<InRun<"/attempts">>["attempts"][number];
export type Logs = Answered<InRun<"/logs">>;
/** Number, milliseconds, stream, text, step. */
export type LogLine = Logs["lines"][number];
type TextPage = Answered<InRun<"/texts">>;
export type Texts = Omit<TextPage, "rows"> & { rows: WithSeconds<TextPage["rows"][number], "time">[] };
export type Source = Answered<InRun<"/source">>;
