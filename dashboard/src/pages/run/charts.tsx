/** Charts of one run, perhaps with another one behind it. */
import { computed } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { RunDetails } from "../../api/api";
import { api } from "../../api/api";
import { Charts, ChartsModel } from "../../chart/data/model";
import { MONITORING, natural, sharedPath } from "../../lib/metrics";
import { one } from "../../state/location";
import * as settings from "../../state/settings";
import type { Project } from "../../state/project";
import type { RunRow } from "../../state/table";
import { FullScreenChart } from "../../ui/charts/card";
import { useKeys } from "../../ui/parts/keys";
import { MomentDialog } from "../../ui/charts/moment";
import { Sections } from "../../ui/charts/sections";
import { Toolbar } from "../../ui/charts/toolbar";
import { chartKeys } from "../workspace";
import { runVersion } from "./page";

const PAGE = 1000;

/** A run as the charts take it. */
export const asRow = (details: RunDetails): RunRow => ({
  id: details.id,
  name: details.name ?? details.id,
  state: details.state,
  reason: details.end_reason,
  tags: details.tags,
  ordinal: details.ordinal,
  color: details.color,
  created: details.created,
  duration: details.duration,
  progress: null,
  eta: details.progress?.eta_seconds ?? null,
  cells: {},
});

/** Charts of this run and of its baseline. */
export function useRunCharts(project: Project, details: RunDetails): ChartsModel {
  const key = [details.id, details.name, details.state, details.color, details.ordinal].join("\n");
  const rows = useMemo(
    () =>
      computed(() => {
        const base = one("base");
        return base && base !== details.id ? [asRow(details), project.run(base)] : [asRow(details)];
      }),
    [key],
  );
  project.known.set(details.id, asRow(details));
  const model = useMemo(() => new ChartsModel(project, rows, true), [project, rows]);
  useEffect(() => () => model.close(), [model]);
  return model;
}

/** All metrics of one run. */
export function useMetrics(project: string, id: string): { paths: string[]; isLoaded: boolean } {
  const [state, setState] = useState<{ paths: string[]; isLoaded: boolean }>({ paths: [], isLoaded: false });
  useEffect(() => {
    let isCurrent = true;
    const load = async (): Promise<void> => {
      const paths: string[] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<typeof api.runAttributes>> = await api.runAttributes(project, id, {
          kind: "series",
          limit: PAGE,
          ...(cursor ? { cursor } : {}),
        });
        for (const item of page.items) paths.push(item.path);
        cursor = page.next;
      } while (cursor && isCurrent);
      paths.sort(natural);
      if (isCurrent)
        setState((old) =>
          old.isLoaded && old.paths.join("\n") === paths.join("\n") ? old : { paths, isLoaded: true },
        );
    };
    load().catch(() => isCurrent && setState((old) => ({ ...old, isLoaded: true })));
    return () => {
      isCurrent = false;
    };
  }, [project, id, runVersion.value]);
  return state;
}

export function RunCharts({
  project,
  details,
  isSystem,
}: {
  project: Project;
  details: RunDetails;
  isSystem: boolean;
}): JSX.Element {
  useMemo(() => (settings.usualAxis.value = isSystem ? "time" : "step"), [isSystem]);
  useEffect(
    () => () => {
      settings.usualAxis.value = "step";
    },
    [],
  );
  const model = useRunCharts(project, details);
  const { paths, isLoaded } = useMetrics(project.name, details.id);
  useKeys(chartKeys(model));
  const own = useMemo(() => {
    const wanted = paths.filter((path) => path.startsWith(`${MONITORING}/`) === isSystem);
    return isSystem ? [...new Set(wanted.map(sharedPath))] : wanted;
  }, [paths, isSystem]);
  return (
    <Charts.Provider value={model}>
      <div class="right">
        <Toolbar metrics={own} />
        <div class="scroll" tabIndex={0} role="region" aria-label="Charts by section">
          <Sections metrics={own} isLoaded={isLoaded} openAll />
          {isLoaded && !own.length && (
            <p class="more dim">{isSystem ? "The hardware was not watched." : "This run has logged no metrics."}</p>
          )}
          {isSystem && <Processes details={details} />}
        </div>
        <FullScreenChart />
        <MomentDialog />
      </div>
    </Charts.Provider>
  );
}

/** The facts of every process that wrote to the run. */
function Processes({ details }: { details: RunDetails }): JSX.Element {
  return (
    <>
      {details.processes.map((facts, i) => (
        <section class="sec" key={i} aria-label={`Process ${i + 1}`}>
          <div class="card">
            <header>
              <h2 class="ttl">{typeof facts["namespace"] === "string" ? facts["namespace"] : `Process ${i + 1}`}</h2>
            </header>
            <dl class="kv">
              {Object.entries(facts)
                .filter(([name]) => name !== "namespace")
                .flatMap(([name, value]) => [
                  <dt key={name}>{name}</dt>,
                  <dd key={`${name}=`}>{Array.isArray(value) ? value.join(", ") : String(value)}</dd>,
                ])}
            </dl>
          </div>
        </section>
      ))}
    </>
  );
}
