/** One run: everything that it has logged. */
import { Later, later } from "../../ui/parts/later";
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { RunDetails } from "../../api/api";
import { api, ApiError } from "../../api/api";
import { count } from "../../lib/format";
import { route, go, runLink } from "../../state/location";
import type { Project } from "../../state/project";
import { current, useKeys } from "../../ui/parts/keys";
import { Missing } from "../../ui/parts/empty";
import { Fault } from "../../ui/parts/parts";
import { explain, say } from "../../ui/parts/say";
import { pageLink } from "../../ui/shell/topbar";
import { Skeleton } from "../../ui/parts/empty";
import { RunCharts } from "./charts";
import { Overview } from "./overview";
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
const configTab = later(async () => (await import("./config")).ConfigTab);
const logsTab = later(async () => (await import("./logs")).LogsTab);
const textTab = later(async () => (await import("./text")).TextTab);
const sourceTab = later(async () => (await import("./source")).SourceTab);
const RELOAD_MS = 2000;

/** Goes up when the run has changed. */
export const runVersion = signal(0);

export function RunPage({ project, id, tab }: { project: Project; id: string; tab: string }): JSX.Element {
  const [details, setDetails] = useState<RunDetails | null>(null);
  const [error, setError] = useState("");
  const [isMissing, setMissing] = useState(false);
  const load = (): void => {
    api.run(project.name, id).then(setDetails, (problem: unknown) => {
      setMissing(problem instanceof ApiError && problem.status === 404);
      setError(explain(problem));
    });
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
  if (isMissing && !details)
    return (
      <Missing
        what={`There is no run ${id} in ${project.name}`}
        link={[pageLink(project.name, "table"), "All its runs"]}
      />
    );
  if (error && !details)
    return (
      <main class="page">
        <Fault text={`${id}: ${error}`} />
      </main>
    );
  if (!details)
    return (
      <main class="page" aria-busy="true">
        <Skeleton />
      </main>
    );
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
      {shownTab === "config" && <Later of={configTab} project={project.name} id={id} />}
      {shownTab === "logs" && <Later of={logsTab} project={project} id={id} />}
      {shownTab === "text" && <Later of={textTab} project={project} id={id} />}
      {shownTab === "source" && <Later of={sourceTab} project={project.name} id={id} />}
    </main>
  );
}

/** The address of a tab. What holds for charts by step means nothing to those of the hardware, which go by time. */
export const tabPath = (project: string, id: string, tab: string): string =>
  runLink(project, id, tab, tab === "system" ? { z: null, m: null } : {});

/** To the next or previous run of the list, wherever in it the run is. */
export async function neighbour(project: Project, id: string, by: number): Promise<void> {
  const at = await project.table.indexOf(id);
  if (at < 0) {
    say("This run is not in the present list");
    return;
  }
  const next = await project.table.rowAt(at + by);
  if (!next) return;
  current.value = at + by;
  go(tabPath(project.name, next.id, currentTab()));
}

const currentTab = (): string => route.peek().tab;
