/** Where the reader is. Everything that changes what is seen is in the address, so a link shows what its sender saw. */
import { computed, signal } from "@preact/signals";

const address = signal(location.pathname + location.search);
addEventListener("popstate", () => (address.value = location.pathname + location.search));

export type Page = "projects" | "workspace" | "table" | "compare" | "run" | "missing";

export interface Route {
  page: Page;
  project: string;
  run: string;
  tab: string;
}

const unescape = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

export const route = computed<Route>(() => {
  const path = address.value.split("?", 1)[0]!;
  const match = /^\/p\/(.+?)(?:\/-\/(.*))?\/?$/.exec(path);
  if (!match) return { page: path === "/" ? "projects" : "missing", project: "", run: "", tab: "" };
  const project = match[1]!.split("/").map(unescape).join("/");
  const [page = "", run = "", tab = ""] = (match[2] ?? "").split("/").map(unescape);
  if (page === "run" && run) return { page: "run", project, run, tab: tab || "overview" };
  if (page === "" || page === "table" || page === "compare")
    return { page: page || "workspace", project, run: "", tab: "" };
  return { page: "missing", project, run: "", tab: "" };
});

export const params = computed(() => new URLSearchParams(address.value.split("?")[1] ?? ""));

export const projectPath = (project: string): string => `/p/${project.split("/").map(encodeURIComponent).join("/")}`;
export const pagePath = (project: string, page: "workspace" | "table" | "compare"): string =>
  projectPath(project) + (page === "workspace" ? "" : `/-/${page}`);
export const runPath = (project: string, run: string, tab = "overview"): string =>
  `${projectPath(project)}/-/run/${encodeURIComponent(run)}${tab === "overview" ? "" : `/${tab}`}`;

// What is about one thing on one page: it would mean something else on the next.
const PASSING = ["f", "at", "until", "file", "against", "find", "keys"];

/** The parameters that go along to another page of the project: filter, sort, choice of runs, view. */
export function keptParams(fields: Record<string, string | readonly string[] | null> = {}): string {
  const passing = Object.fromEntries(PASSING.map((name) => [name, null]));
  return withParams({ ...passing, ...fields }, "", params.value);
}

/** The address of a run, from where the reader is: on its page the list that they came from goes on. */
export const runLink = (
  project: string,
  run: string,
  tab = "overview",
  fields: Record<string, string | readonly string[] | null> = {},
): string => runPath(project, run, tab) + keptParams(fields);

export function go(to: string, isReplacing = false): void {
  if (to === address.value) return;
  history[isReplacing ? "replaceState" : "pushState"](null, "", to);
  address.value = to;
}

/** The address with other parameters: null or an empty list takes one away. */
export function withParams(
  fields: Record<string, string | readonly string[] | null>,
  path = location.pathname,
  from = params.peek(),
): string {
  const next = new URLSearchParams(from);
  for (const [name, value] of Object.entries(fields)) {
    next.delete(name);
    if (typeof value === "string") {
      if (value !== "") next.set(name, value);
    } else for (const one of value ?? []) next.append(name, one);
  }
  const text = next.toString().replaceAll("%2F", "/").replaceAll("%3A", ":");
  return path + (text ? `?${text}` : "");
}

/** Change the parameters in place: what a slider or a checkbox does makes no step in the history. */
export function setParams(fields: Record<string, string | readonly string[] | null>): void {
  // Other runs in the list are others to compare, unless some were chosen for that.
  const isOther = route.peek().page !== "compare" && ("show" in fields || "q" in fields);
  go(withParams(isOther ? { runs: null, ...fields } : fields), true);
}

export const one = (name: string, otherwise = ""): string => params.value.get(name) ?? otherwise;
export const many = (name: string): string[] => params.value.getAll(name);

/** Clicks on links to our own pages stay in the page; those with a modifier go to the browser. */
export function followLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = (event.target as Element | null)?.closest("a");
  if (!link || link.target || link.origin !== location.origin || link.hasAttribute("download")) return;
  if (link.pathname.startsWith("/api/")) return;
  event.preventDefault();
  go(link.pathname + link.search);
}
