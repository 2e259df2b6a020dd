/** One request to the dashboard's API; the addresses and the types are those of the server's OpenAPI document. */
import type { paths } from "./schema";

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

type Method = "get" | "post" | "put" | "patch" | "delete";

/** The addresses that take a method, such as "/api/ui/p/{project}/-/attrs". */
export type Address<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, unknown> ? P : never;
}[keyof paths];

type Operation<P extends keyof paths, M extends Method> = paths[P] extends Record<M, infer O> ? O : never;

/** What is answered when all is well. */
export type Answered<P extends keyof paths, M extends Method = "get"> =
  Operation<P, M> extends { responses: { 200: { content: { "application/json": infer T } } } } ? T : never;

type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;

/** What an address takes as its body. */
export type Body<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { requestBody: { content: { "application/json": infer T } } } ? Frozen<T> : never;

/** What an address takes in its query. */
export type Query<P extends keyof paths, M extends Method = "get"> =
  Operation<P, M> extends { parameters: { query?: infer Q } } ? Frozen<NonNullable<Q>> : never;

/** The names in an address: `project`, `run_id` … */
export type Names<P extends string> = P extends `${string}{${infer N}}${infer Rest}`
  ? Record<N, string> & Names<Rest>
  : unknown;

/** The address with its names filled in; a project's name may hold slashes, which stay as they are. */
export const filled = <P extends keyof paths>(address: P, names: Names<P>): string =>
  address.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = (names as Record<string, string>)[name]!;
    return name === "project" ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value);
  });

/** The query as text; what is empty or undefined is left out. */
export function queryText(fields: object): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === "") continue;
    if (Array.isArray(value)) for (const one of value) parts.append(name, String(one));
    else parts.set(name, String(value));
  }
  const text = parts.toString();
  return text ? `?${text}` : "";
}

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
export async function ask(url: string, init: RequestInit = {}, isAgain = false): Promise<Response> {
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
    // The server has started again, and has another token: its page brings it, and the change is asked for once more.
    await fetch(location.pathname, { cache: "no-store", headers: { Accept: "text/html" } });
    return ask(url, init, true);
  }
}

/** What is fetched from an address. */
export async function get<P extends Address<"get">>(
  address: P,
  names: Names<P>,
  query: Query<P> | Record<string, never> = {},
  signal?: AbortSignal,
): Promise<Answered<P>> {
  const response = await ask(filled(address, names) + queryText(query), signal ? { signal } : {});
  return (await response.json()) as Answered<P>;
}

/** A body as it is sent. */
export const sent = (method: string, body: unknown, signal?: AbortSignal): RequestInit => ({
  method,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
  ...(signal ? { signal } : {}),
});

/** What an address answers to a body. */
export async function send<M extends "post" | "put" | "patch", P extends Address<M>>(
  method: M,
  address: P,
  names: Names<P>,
  body: Body<P, M>,
  signal?: AbortSignal,
): Promise<Answered<P, M>> {
  const response = await ask(filled(address, names), sent(method.toUpperCase(), body, signal));
  return (await response.json()) as Answered<P, M>;
}
