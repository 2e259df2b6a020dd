/** The charts' model of one run, perhaps with another one behind it, and the metrics that the run has. */
import { computed } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { RunDetails } from "../../api/api";
import { api } from "../../api/api";
import { ChartsModel } from "../../chart/data/model";
import { natural } from "../../lib/metrics";
import { one } from "../../state/location";
import type { Project } from "../../state/project";
import { runVersion } from "../../state/run-page";
import type { RunRow } from "../../state/table";

const PAGE = 1000;

/** A run as the charts take it. */
const asRow = (details: RunDetails): RunRow => ({
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
