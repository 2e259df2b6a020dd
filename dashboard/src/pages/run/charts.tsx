/** The tabs of one run's charts: of its metrics, and of the hardware that it ran on. */
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import type { RunDetails } from "../../api/api";
import { Charts } from "../../chart/data/model";
import { MONITORING, sharedPath } from "../../lib/metrics";
import type { TabProps } from "../../state/run-page";
import * as settings from "../../state/settings";
import { FullScreenChart } from "../../ui/charts/card";
import { chartKeys } from "../../ui/charts/keys";
import { MomentDialog } from "../../ui/charts/moment";
import { useMetrics, useRunCharts } from "../../ui/charts/own-charts";
import { Sections } from "../../ui/charts/sections";
import { Toolbar } from "../../ui/charts/toolbar";
import { useKeys } from "../../ui/parts/keys";

export const RunCharts = (props: TabProps): JSX.Element => <ChartsTab {...props} isSystem={false} />;
export const SystemCharts = (props: TabProps): JSX.Element => <ChartsTab {...props} isSystem />;

function ChartsTab({ project, details, isSystem }: TabProps & { isSystem: boolean }): JSX.Element {
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
