/** One run: everything that it has logged. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { RunDetails } from "../../api";
import { api } from "../../api";
import { compact, count, duration, time } from "../../lib/format";
import { toText } from "../../lib/values";
import { route, go, one, pagePath, runPath, setParams } from "../../state/location";
import type { Project } from "../../state/project";
import { runColor } from "../../state/theme";
import type { Edited } from "../../ui/edit";
import { EditDialog } from "../../ui/edit";
import { Icon } from "../../ui/icons";
import { useKeys } from "../../ui/keys";
import { attempt, copy, Fault, IconButton, Menu, say, StateMark } from "../../ui/parts";
import { RunPicker } from "../../ui/run-picker";
import { ConfigTab } from "./config";
import { RunCharts } from "./charts";
import { LogsTab } from "./logs";
import { Overview } from "./overview";
import { SourceTab } from "./source";
import { TextTab } from "./text";

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

function tabPath(project: string, id: string, tab: string): string {
  const base = one("base");
  return runPath(project, id, tab) + (base ? `?base=${encodeURIComponent(base)}` : "");
}

/** To the next or previous run of the list. */
async function neighbour(project: Project, id: string, by: number): Promise<void> {
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

const PYTHON = (details: RunDetails): string => `import goodseed

run = goodseed.Run(
${Object.entries({ project: details.project, run_id: details.id, ...details.reading })
  .map(([name, value]) => `    ${name}=${JSON.stringify(value)},\n`)
  .join("")}    read_only=True,
)
print(run.get_configs())
for path in run.get_metric_paths():
    print(path, run.get_metric_data(path)["raw_points"][-1:])
`;

function Header({
  project,
  details,
  reload,
}: {
  project: Project;
  details: RunDetails;
  reload: () => void;
}): JSX.Element {
  const [isEditing, setEditing] = useState(false);
  const color = runColor(details);
  const edited: Edited = {
    id: details.id,
    name: details.name ?? "",
    description: details.description ?? "",
    tags: details.tags,
    color: details.color,
  };
  const trash = async (): Promise<void> => {
    const done = await attempt(() => api.change(project.name, details.id, { trashed: !details.trashed }));
    if (!done) return;
    say(done.trashed ? "Moved to the trash" : "Restored", [
      "Undo",
      () => void attempt(() => api.change(project.name, details.id, { trashed: details.trashed })).then(reload),
    ]);
    project.table.reload();
    reload();
  };
  return (
    <>
      <div class="rh">
        <span class="sw lg" style={{ "--c": color }} />
        <h1 title={details.name ?? ""}>{details.name || details.id}</h1>
        <StateBadge details={details} />
        {details.trashed && <span class="badge failed">In the trash</span>}
        {details.tags.map((tag) => (
          <span class="tag" key={tag}>
            {tag}
          </span>
        ))}
        <button type="button" class="btn gh" onClick={() => setEditing(true)}>
          <Icon name="edit" isSmall />
          Edit
        </button>
        <span class="sp" />
        <IconButton icon="up" label="Previous run (k)" onClick={() => void neighbour(project, details.id, -1)} />
        <IconButton icon="down" label="Next run (j)" onClick={() => void neighbour(project, details.id, 1)} />
        <button
          type="button"
          class="btn"
          title="Copy Python that loads this run"
          onClick={() => copy(PYTHON(details), "Python copied")}
        >
          <Icon name="copy" isSmall />
          Python
        </button>
        <BaselineMenu project={project} details={details} />
        <IconButton
          icon={details.trashed ? "restore" : "trash"}
          label={details.trashed ? "Restore" : "Move to the trash"}
          onClick={() => void trash()}
        />
      </div>
      <Facts project={project} details={details} />
      {isEditing && (
        <EditDialog
          project={project}
          run={edited}
          shownColor={color}
          onClose={() => setEditing(false)}
          onSaved={reload}
        />
      )}
    </>
  );
}

function StateBadge({ details }: { details: RunDetails }): JSX.Element {
  const { progress } = details;
  const part =
    progress?.step != null && progress.max_steps
      ? Math.min(100, Math.round((progress.step / progress.max_steps) * 100))
      : null;
  return (
    <span class={`badge ${details.state}`}>
      <StateMark state={details.state} />
      {details.state}
      {details.state === "running" && part !== null && ` · ${part} %`}
    </span>
  );
}

function Facts({ project, details }: { project: Project; details: RunDetails }): JSX.Element {
  const { progress, git, env } = details;
  const facts: [string, JSX.Element | string][] = [
    [
      "",
      <span class="mono" key="id">
        {details.id}
      </span>,
    ],
  ];
  if (details.failure)
    facts.push([
      "",
      <a class="st failed" key="f" href={tabPath(project.name, details.id, "overview")}>
        {details.failure.reason.slice(0, 120)}
      </a>,
    ]);
  if (details.created) facts.push(["Started", time(details.created)]);
  if (details.duration !== null)
    facts.push([details.state === "running" ? "Elapsed" : "Took", duration(details.duration)]);
  if (progress?.eta_seconds != null && details.state === "running") facts.push(["ETA", duration(progress.eta_seconds)]);
  if (progress?.step != null)
    facts.push([
      "Step",
      progress.max_steps ? `${compact(progress.step)} of ${compact(progress.max_steps)}` : compact(progress.step),
    ]);
  if (env["hostname"]) facts.push(["Host", toText(env["hostname"])]);
  if (typeof git["commit"] === "string") {
    facts.push([
      "Commit",
      <>
        <a class="mono" href={tabPath(project.name, details.id, "source")}>
          {git["commit"].slice(0, 7)}
        </a>
        {git["dirty"] === true && <span class="st crashed">&nbsp;+ uncommitted</span>}
      </>,
    ]);
  }
  if (details.parent)
    facts.push([
      "Parent",
      <a class="link" key="p" href={runPath(project.name, details.parent)}>
        {details.parent}
      </a>,
    ]);
  return (
    <div class="meta">
      {facts.map(([name, value]) => (
        <span key={name}>
          {name} <b>{value}</b>
        </span>
      ))}
    </div>
  );
}

function BaselineMenu({ project, details }: { project: Project; details: RunDetails }): JSX.Element {
  const base = one("base");
  return (
    <Menu
      label="Compare with a run"
      button={(toggle, isOpen) => (
        <button type="button" class={base ? "btn on" : "btn"} aria-expanded={isOpen} onClick={toggle}>
          <Icon name="compare" isSmall />
          {base ? `against ${project.run(base).name}` : "Compare with…"}
        </button>
      )}
    >
      {(close) => (
        <>
          {base && (
            <>
              <a
                class="it"
                href={`${pagePath(project.name, "compare")}?runs=${encodeURIComponent(base)}&runs=${encodeURIComponent(details.id)}`}
              >
                Open the comparison
              </a>
              <button
                type="button"
                class="it"
                onClick={() => {
                  setParams({ base: null });
                  close();
                }}
              >
                No baseline
              </button>
            </>
          )}
          <RunPicker
            project={project.name}
            without={[details.id]}
            onPick={(row) => {
              project.known.set(row.id, row);
              setParams({ base: row.id });
              close();
            }}
          />
        </>
      )}
    </Menu>
  );
}
