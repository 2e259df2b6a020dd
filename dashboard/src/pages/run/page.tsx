/** One run: everything that it has logged. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { RunDetails } from "../../api";
import { api } from "../../api";
import { count } from "../../lib/format";
import { route, go, one, runPath } from "../../state/location";
import type { Project } from "../../state/project";
import { useKeys } from "../../ui/keys";
import { Fault } from "../../ui/parts";
import { say } from "../../ui/say";
import { ConfigTab } from "./config";
import { RunCharts } from "./charts";
import { LogsTab } from "./logs";
import { Overview } from "./overview";
import { SourceTab } from "./source";
import { TextTab } from "./text";
import { Header } from "./header";

const TABS = ["overview", "charts", "config", "logs", "text", "system", "source"] as const;
const NAMES = {
  overview: "Overview",
  charts: "Charts",
  config: "Config",
  logs: "Logs",
  text: "Text",
  system: "System",
  source: "Source",
} as const;
const RELOAD_MS = 2000;

/** Goes up when the run has changed. */
export const runVersion = signal(0);

export function RunPage({ project, id, tab }: { project: Project; id: string; tab: string }): JSX.Element {
  const [details, setDetails] = useState<RunDetails | null>(null);
  const [error, setError] = useState("");
  const load = (): void => {
    api
      .run(project.name, id)
      .then(setDetails, (problem: unknown) => setError(problem instanceof Error ? problem.message : String(problem)));
  };
  useEffect(() => {
    load();
    let last = 0;
    let timer = 0;
    const stop = project.listen((changes) => {
      if (!changes.reset && !changes.runs.some((run) => run.id === id)) return;
      clearTimeout(timer);
      const wait = Math.max(0, last + RELOAD_MS - performance.now());
      timer = window.setTimeout(() => {
        last = performance.now();
        runVersion.value++;
        load();
      }, wait);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [project, id]);
  useKeys({ j: () => void neighbour(project, id, 1), k: () => void neighbour(project, id, -1) });
  if (error && !details)
    return (
      <main class="page">
        <Fault text={`${id}: ${error}`} />
      </main>
    );
  if (!details) return <main class="page" aria-busy="true" />;
  const shownTab = (TABS as readonly string[]).includes(tab) ? (tab as (typeof TABS)[number]) : "overview";
  return (
    <main style={{ display: "grid", gridTemplateRows: "auto minmax(0, 1fr)", minHeight: 0 }}>
      <div style={{ background: "var(--panel)", minWidth: 0 }}>
        <Header project={project} details={details} reload={load} />
        <nav class="sub" aria-label="Parts of the run">
          {TABS.filter((name) => name !== "text" || details.counts.text || shownTab === "text").map((name) => (
            <a key={name} href={tabPath(project.name, id, name)} aria-current={name === shownTab ? "page" : undefined}>
              {NAMES[name]}
              {name === "config" && <span class="n">{count(details.counts.config)}</span>}
              {name === "charts" && <span class="n">{count(details.counts.series)}</span>}
              {name === "text" && <span class="n">{count(details.counts.text)}</span>}
            </a>
          ))}
        </nav>
      </div>
      {shownTab === "overview" && <Overview project={project} details={details} reload={load} />}
      {shownTab === "charts" && <RunCharts project={project} details={details} isSystem={false} key="charts" />}
      {shownTab === "system" && <RunCharts project={project} details={details} isSystem key="system" />}
      {shownTab === "config" && <ConfigTab project={project.name} id={id} />}
      {shownTab === "logs" && <LogsTab project={project} id={id} />}
      {shownTab === "text" && <TextTab project={project} id={id} />}
      {shownTab === "source" && <SourceTab project={project.name} id={id} />}
    </main>
  );
}

export function tabPath(project: string, id: string, tab: string): string {
  const base = one("base");
  return runPath(project, id, tab) + (base ? `?base=${encodeURIComponent(base)}` : "");
}

/** To the next or previous run of the list. */
export async function neighbour(project: Project, id: string, by: number): Promise<void> {
  let rows = project.table.loaded;
  if (!rows.some((row) => row.id === id)) {
    project.table.need(0, 400);
    rows = project.table.loaded;
  }
  const at = rows.findIndex((row) => row.id === id);
  const next = rows[at + by];
  if (at >= 0 && next) go(tabPath(project.name, next.id, currentTab()));
  else if (at < 0) say("This run is not in the present list");
  return Promise.resolve();
}

const currentTab = (): string => route.peek().tab;
