/** One run: everything that it has logged. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { RunDetails } from "../../api/api";
import { ApiError, api } from "../../api/api";
import { count } from "../../lib/format";
import { go } from "../../state/location";
import type { Project } from "../../state/project";
import { runVersion, tabPath } from "../../state/run-page";
import { pageLink } from "../../state/shell";
import { Missing, Skeleton } from "../../ui/parts/empty";
import { useKeys } from "../../ui/parts/keys";
import { Later } from "../../ui/parts/later";
import { Fault } from "../../ui/parts/parts";
import { explain, say } from "../../ui/parts/say";
import { Header, neighbour } from "./header";
import { TABS } from "./tabs";

const RELOAD_MS = 2000;

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
  useEffect(() => {
    // An address of another version of the page, or mistyped: the overview has what most people look for.
    if (!details || TABS.some(({ name }) => name === tab)) return;
    say(`A run has no tab “${tab}”: this is its overview`);
    go(tabPath(project.name, id, TABS[0].name), true);
  }, [project, id, tab, details]);
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
  const shown = TABS.find(({ name }) => name === tab) ?? TABS[0];
  return (
    <main style={{ display: "grid", gridTemplateRows: "auto minmax(0, 1fr)", minHeight: 0 }}>
      <div style={{ background: "var(--panel)", minWidth: 0 }}>
        <Header project={project} details={details} reload={load} />
        <nav class="sub" aria-label="Parts of the run">
          {TABS.filter((one) => one === shown || (one.isOffered?.(details) ?? true)).map((one) => (
            <a
              key={one.name}
              href={tabPath(project.name, id, one.name)}
              aria-current={one === shown ? "page" : undefined}
            >
              {one.title}
              {one.count && <span class="n">{count(one.count(details))}</span>}
            </a>
          ))}
        </nav>
      </div>
      <Later of={shown.component} key={shown.name} project={project} details={details} reload={load} />
    </main>
  );
}
