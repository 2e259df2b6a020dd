/** Two to ten runs side by side, and all runs of the filter in one plot. */
import type { JSX } from "preact";
import { counted } from "../../lib/format";
import { one } from "../../state/location";
import type { Project } from "../../state/project";
import { MAX_COMPARED, comparable } from "../../state/shell";
import { Skeleton } from "../../ui/parts/empty";
import { PlotBox } from "../../ui/plot/box";
import { FilterBox } from "../../ui/runs/filter";
import { AddRun, Differences } from "./differences";

export function Compare({ project }: { project: Project }): JSX.Element {
  const chosen = comparable();
  const base = chosen.includes(one("base")) ? one("base") : (chosen[0] ?? "");
  const left = Math.max(0, chosen.length - MAX_COMPARED);
  const ids = [base, ...chosen.filter((id) => id !== base)].filter(Boolean).slice(0, MAX_COMPARED);
  return (
    <main class="cmppage">
      <div class="tools">
        <h1 class="h2">Compare</h1>
        <div style={{ flex: "0 1 420px", minWidth: "200px" }}>
          <FilterBox project={project} />
        </div>
        <span class="dim">
          {project.table.isLoaded.value ? `${counted(project.table.total.value, "run")} in the plot` : "Loading"}
        </span>
      </div>
      <PlotBox project={project} />
      {!project.table.isLoaded.value ? (
        <Skeleton />
      ) : ids.length < 2 ? (
        <div class="tools">
          <span>Choose at least two runs to see what differs between them.</span>
          <AddRun project={project} ids={ids} />
        </div>
      ) : (
        <>
          {left > 0 && (
            <p class="tools dim">
              The first {MAX_COMPARED} of {chosen.length} runs are compared.
            </p>
          )}
          <Differences project={project} ids={ids} base={base} />
        </>
      )}
    </main>
  );
}
