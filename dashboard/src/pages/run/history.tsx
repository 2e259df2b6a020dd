/** What a run was before: its attempts, and the points that are no longer its own, beside those that are. */
import type { JSX } from "preact";
import type { Attempt } from "../../api/api";
import { api } from "../../api/api";
import { Charts } from "../../chart/data/model";
import { duration, number, time } from "../../lib/format";
import { secondsOf } from "../../lib/values";
import type { TabProps } from "../../state/run-page";
import { runVersion } from "../../state/run-page";
import { ChartCard, FullScreenChart } from "../../ui/charts/card";
import { MomentDialog } from "../../ui/charts/moment";
import { useRunCharts } from "../../ui/charts/own-charts";
import { Fault, useAnswer } from "../../ui/parts/parts";

const CHARTS = 12;

export function HistoryTab({ project, details }: TabProps): JSX.Element {
  const { data, error } = useAnswer(
    () => api.attempts(project.name, details.id),
    [project.name, details.id, runVersion.value],
  );
  const model = useRunCharts(project, details);
  if (error) return <Fault text={error} />;
  if (!data) return <div class="page" aria-busy="true" />;
  const kept = new Map<string, string[]>();
  for (const { path, series } of data.kept) kept.set(path, [...(kept.get(path) ?? []), series]);
  const shown = [...kept].slice(0, CHARTS);
  return (
    <Charts.Provider value={model}>
      <div class="page">
        <div class="pad stack">
          <Attempts attempts={data.attempts} />
          <Rewind project={details.project} id={details.id} attempts={data.attempts} />
          {shown.length > 0 && (
            <section>
              <h2 class="ttl">No longer the run's, dashed by attempt</h2>
              <div class="grid" style={{ "--cols": String(Math.min(3, shown.length)) }}>
                {shown.map(([path, series]) => (
                  <ChartCard key={path} paths={[path, ...series]} />
                ))}
              </div>
            </section>
          )}
        </div>
      </div>
      <FullScreenChart />
      <MomentDialog />
    </Charts.Provider>
  );
}

function Attempts({ attempts }: { attempts: readonly Attempt[] }): JSX.Element {
  return (
    <section class="card">
      <header>
        <h2 class="ttl">Attempts</h2>
      </header>
      <div class="panel attempts">
        <div class="wide" tabIndex={0} role="region" aria-label="Table of attempts">
          <table>
            <thead>
              <tr>
                {["No.", "State", "Opened", "Took", "Steps", "Host", "Job", "Commit", "Ended by"].map((title) => (
                  <th key={title} scope="col">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {attempts.map((attempt) => (
                <tr key={attempt.number}>
                  {cells(attempt).map((cell, i) => (
                    <td key={i}>{cell}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
    </section>
  );
}

/** In the order of the table's head. */
const cells = (attempt: Attempt): (string | number | null | undefined)[] => {
  const [opened, closed] = [secondsOf(attempt.opened), secondsOf(attempt.closed)];
  return [
    attempt.number,
    attempt.state,
    opened && time(opened),
    opened && closed && duration(closed - opened),
    steps(attempt),
    attempt.host,
    attempt.job,
    attempt.commit?.slice(0, 7),
    attempt.end_reason,
  ];
};

function steps({ first_step: first, last_step: last, rewound_to: rewound }: Attempt): string {
  const range = first === null ? "" : `${number(first)} to ${number(last)}`;
  return rewound === null ? range : `${range}, rewound to ${number(rewound)}`;
}

/** How to take back the last rewind: the page itself never does it. */
function Rewind(props: { project: string; id: string; attempts: readonly Attempt[] }): JSX.Element | null {
  if ((props.attempts.at(-1)?.rewound_to ?? null) === null) return null;
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  return (
    <p class="dim" role="note">
      To take the last rewind back, once the run has ended:{" "}
      <code>
        goodseed rewind -p {quoted(props.project)} -r {quoted(props.id)} --undo
      </code>
    </p>
  );
}
