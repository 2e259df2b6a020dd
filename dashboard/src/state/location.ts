/** Where the reader is. Everything that changes what is seen is in the address, so a link shows what its sender saw. */
import { computed, signal } from "@preact/signals";

const address = signal(location.pathname + location.search);
addEventListener("popstate", () => (address.value = location.pathname + location.search));

export type Page = "projects" | "workspace" | "table" | "compare" | "run";

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
  if (!match) return { page: "projects", project: "", run: "", tab: "" };
  const project = match[1]!.split("/").map(unescape).join("/");
  const [page = "", run = "", tab = ""] = (match[2] ?? "").split("/").map(unescape);
  if (page === "run" && run) return { page: "run", project, run, tab: tab || "overview" };
  const known = page === "table" || page === "compare" ? page : "workspace";
  return { page: known, project, run: "", tab: "" };
});

export const params = computed(() => new URLSearchParams(address.value.split("?")[1] ?? ""));

export const projectPath = (project: string): string => `/p/${project.split("/").map(encodeURIComponent).join("/")}`;
export const pagePath = (project: string, page: "workspace" | "table" | "compare"): string =>
  projectPath(project) + (page === "workspace" ? "" : `/-/${page}`);
export const runPath = (project: string, run: string, tab = "overview"): string =>
  `${projectPath(project)}/-/run/${encodeURIComponent(run)}${tab === "overview" ? "" : `/${tab}`}`;

export function go(to: string, isReplacing = false): void {
  if (to === address.value) return;
  history[isReplacing ? "replaceState" : "pushState"](null, "", to);
  address.value = to;
}

/** The address with other parameters: null or an empty list takes one away. */
export function withParams(
  fields: Record<string, string | readonly string[] | null>,
  path = location.pathname,
): string {
  const next = new URLSearchParams(params.peek());
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
export const setParams = (fields: Record<string, string | readonly string[] | null>): void =>
  go(withParams(fields), true);

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
