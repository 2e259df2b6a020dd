/** Runs on the left, their charts on the right. */
import { computed } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { Charts, ChartsModel } from "../chart/data/model";
import { go, runLink } from "../state/location";
import type { Project } from "../state/project";
import * as settings from "../state/settings";
import { FullScreenChart } from "../ui/charts/card";
import { chartKeys } from "../ui/charts/keys";
import { MomentDialog } from "../ui/charts/moment";
import { Sections } from "../ui/charts/sections";
import { Toolbar } from "../ui/charts/toolbar";
import { NoRuns } from "../ui/parts/empty";
import { current, moveRow, useKeys } from "../ui/parts/keys";
import { RunsList } from "../ui/runs/list";
import { toggleShown } from "../ui/runs/row";

export function Workspace({ project }: { project: Project }): JSX.Element {
  const model = useMemo(() => {
    const rows = computed(() => (settings.groupBy.value.length ? project.counted.value : project.drawn.value));
    const shown = computed(() => new Set(project.drawn.value.map((row) => row.id)));
    return new ChartsModel(project, rows, false, shown);
  }, [project]);
  useEffect(() => () => model.close(), [model]);
  useKeys(chartKeys(model));
  useKeys({
    j: () => moveRow(project.table, 1),
    k: () => moveRow(project.table, -1),
    Enter: () => {
      const row = project.table.row(current.peek());
      if (row) go(runLink(project.name, row.id));
    },
    " ": () => {
      const row = project.table.row(current.peek());
      if (row) toggleShown(project, row.id, current.peek(), { altKey: false, shiftKey: false });
    },
    g: () => document.getElementById("group")?.click(),
  });
  if (
    project.table.isLoaded.value &&
    project.totalRuns.value === 0 &&
    !settings.filter.value &&
    !settings.isTrash.value
  )
    return <NoRuns project={project.name} />;
  return (
    <Charts.Provider value={model}>
      <main class="ws">
        <RunsList project={project} />
        <section class="right" aria-label="Charts">
          <Toolbar metrics={project.metrics.value} />
          <div class="scroll" tabIndex={0} role="region" aria-label="Charts by section">
            <Sections metrics={project.metrics.value} isLoaded={project.areMetricsLoaded.value} />
            {project.areMetricsLoaded.value && !project.metrics.value.length && (
              <p class="more dim">No metrics have been logged yet.</p>
            )}
          </div>
        </section>
        <FullScreenChart />
        <MomentDialog />
      </main>
    </Charts.Provider>
  );
}
