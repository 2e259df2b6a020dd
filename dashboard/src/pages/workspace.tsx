/** Runs on the left, their charts on the right. */
import { pathsOf } from "../lib/metrics";
import { computed } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { Charts, ChartsModel } from "../chart/data/model";
import { go, runLink, setParams } from "../state/location";
import type { Project } from "../state/project";
import * as settings from "../state/settings";
import { FullScreenChart } from "../ui/charts/card";
import { NoRuns } from "../ui/parts/empty";
import { current, moveRow, useKeys } from "../ui/parts/keys";
import { MomentDialog } from "../ui/charts/moment";
import { RunsList } from "../ui/runs/list";
import { toggleShown } from "../ui/runs/row";
import { Sections } from "../ui/charts/sections";
import { Toolbar } from "../ui/charts/toolbar";

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

const AXES = ["step", "time", "wall"];

/** The keys of every page with charts. */
export function chartKeys(model: ChartsModel): Record<string, () => void> {
  const under = (work: (name: string) => void) => () => {
    const name = model.under.peek() || settings.fullScreen.peek();
    if (name) work(name);
  };
  const smoother = (by: number): void => {
    const next = Math.round(Math.max(0, Math.min(0.99, settings.smoothing.peek() + by)) * 100) / 100;
    setParams({ sm: next ? String(next) : null });
  };
  return {
    m: () => document.getElementById("metric-filter")?.focus(),
    x: () => {
      const next = AXES[(AXES.indexOf(settings.xAxis.peek()) + 1) % 3]!;
      setParams({ x: next === settings.usualAxis.peek() ? null : next, z: null });
    },
    "[": () => smoother(-0.1),
    "]": () => smoother(0.1),
    "0": () => setParams({ z: null, full: null }),
    l: under((name) => settings.setLog(name, !settings.logPaths.peek().has(name))),
    p: under((name) => {
      const [path, ...others] = pathsOf(name);
      if (path && !others.length) settings.togglePin(path);
    }),
    f: under((name) => setParams({ f: settings.fullScreen.peek() ? null : name })),
  };
}
