/** A run at a glance: its best figures, its last output, its notes, and what it was configured with. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { RunDetails } from "../../api/api";
import { api } from "../../api/api";
import { Charts } from "../../chart/data/model";
import { count, time } from "../../lib/format";
import { defaultColumns } from "../../lib/metrics";
import type { Cell } from "../../lib/values";
import { direction, toText } from "../../lib/values";
import { one, runLink } from "../../state/location";
import type { TabProps } from "../../state/run-page";
import { runVersion } from "../../state/run-page";
import { ChartCard, FullScreenChart } from "../../ui/charts/card";
import { MomentDialog } from "../../ui/charts/moment";
import { useMetrics, useRunCharts } from "../../ui/charts/own-charts";
import { LogLines } from "../../ui/parts/log-lines";
import { useAnswer } from "../../ui/parts/parts";
import { attempt } from "../../ui/parts/say";
import { Panels } from "./panels";
import { Tiles } from "./tiles";

const TILES = 4;
const OUTPUT_LINES = 14;
const CONFIGS = 40;

export function Overview({ project, details, reload }: TabProps): JSX.Element {
  const model = useRunCharts(project, details);
  const { paths } = useMetrics(project.name, details.id);
  const own = paths.filter((path) => !path.startsWith("monitoring/"));
  const best = [...new Set([...defaultColumns(own), ...own.filter((path) => direction(path) !== 0), ...own])].slice(
    0,
    TILES,
  );
  return (
    <Charts.Provider value={model}>
      <div class="page">
        <div class="pad">
          <End details={details} />
          <Tiles project={project} details={details} paths={best} />
          <div class="two">
            <div class="stack">
              {best.length > 0 && (
                <div class="grid" style={{ "--cols": String(Math.min(2, best.length)) }}>
                  {best.slice(0, 2).map((path) => (
                    <ChartCard key={path} paths={[path]} />
                  ))}
                </div>
              )}
              <Panels project={project.name} id={details.id} />
              <LastOutput project={project.name} id={details.id} />
            </div>
            <div class="stack">
              <Note project={project} details={details} reload={reload} />
              <Config project={project.name} details={details} />
            </div>
          </div>
        </div>
      </div>
      <FullScreenChart />
      <MomentDialog />
    </Charts.Provider>
  );
}

/** Why there is no more of the run, where something went wrong. */
function End({ details }: { details: RunDetails }): JSX.Element | null {
  const { failure, state } = details;
  if (state === "crashed")
    return (
      <section class="card end crashed" aria-label="What ended it">
        <h2>No sign of life since {time(details.modified)}</h2>
        <p>
          The process is gone without having closed the run: it was killed, or its machine is off. All that was stored
          until then is here. Go on with{" "}
          <code>{`goodseed.Run(project=${JSON.stringify(details.project)}, resume_run_id=${JSON.stringify(details.id)})`}</code>
          .
        </p>
      </section>
    );
  if (!failure) return null;
  return (
    <section class="card end failed" aria-label="What ended it">
      <h2>{failure.reason}</h2>
      {failure.traceback && (
        <pre class="log" tabIndex={0}>
          {failure.traceback}
        </pre>
      )}
    </section>
  );
}

function LastOutput({ project, id }: { project: string; id: string }): JSX.Element | null {
  const { data } = useAnswer(
    () => api.logs(project, id, { from: -OUTPUT_LINES, limit: OUTPUT_LINES }),
    [project, id, runVersion.value],
  );
  if (!data?.lines.length) return null;
  return (
    <div class="card">
      <header>
        <h2 class="ttl">Last output</h2>
        <span class="sp" />
        <a class="dim" href={runLink(project, id, "logs")}>
          Open logs →
        </a>
      </header>
      <LogLines lines={data.lines} streams={data.streams} />
    </div>
  );
}

function Note({ project, details, reload }: TabProps): JSX.Element {
  const [text, setText] = useState<string | null>(null);
  const save = async (): Promise<void> => {
    if (text !== null && (await attempt(() => api.change(project.name, details.id, { description: text })))) {
      setText(null);
      reload();
    }
  };
  return (
    <div class="card">
      <header>
        <h2 class="ttl">Note</h2>
        <span class="sp" />
        {text === null && (
          <button type="button" class="btn gh" onClick={() => setText(toText(details.description))}>
            {details.description ? "Edit" : "Add"}
          </button>
        )}
      </header>
      <div
        style={{ padding: "0 12px 12px", whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}
        class={details.description ? "" : "dim"}
      >
        {text === null ? (
          details.description || "What was this run for, and what came of it?"
        ) : (
          <div class="stack">
            <textarea
              class="field"
              aria-label="Note"
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
            <div class="lrow">
              <button type="button" class="btn pri" onClick={() => void save()}>
                Save
              </button>
              <button type="button" class="btn gh" onClick={() => setText(null)}>
                Cancel
              </button>
            </div>
          </div>
        )}
      </div>
    </div>
  );
}

function Config({ project, details }: { project: string; details: RunDetails }): JSX.Element {
  const base = one("base");
  const { data } = useAnswer(async () => {
    const [own, diff] = await Promise.all([
      api.config(project, details.id, { limit: 2000 }),
      base && base !== details.id ? api.diff(project, [base, details.id], base) : Promise.resolve(null),
    ]);
    const was = new Map<string, Cell>((diff?.paths ?? []).map((path, i) => [path, diff!.values[base]?.[i] ?? null]));
    const items = own.items.filter((item) => !/^(monitoring|source_code|sys)\//.test(item.path));
    items.sort((a, b) => Number(was.has(b.path)) - Number(was.has(a.path)));
    return { items, was };
  }, [project, details.id, base, runVersion.value]);
  const items = data?.items ?? [];
  return (
    <div class="card">
      <header>
        <h2 class="ttl">
          Config{" "}
          <i>
            {base && data
              ? `· ${count(items.filter((item) => data.was.has(item.path)).length)} of ${count(items.length)} differ`
              : `· ${count(items.length)}`}
          </i>
        </h2>
        <span class="sp" />
        <a class="dim" href={runLink(project, details.id, "config")}>
          All →
        </a>
      </header>
      <dl class="kv">
        {items.slice(0, CONFIGS).flatMap((item) => {
          const isOther = data!.was.has(item.path);
          return [
            <dt key={item.path} class={isOther ? "df" : ""} title={item.path}>
              {item.path.replace(/^(config|parameters|params|hparams)\//, "")}
            </dt>,
            <dd key={`${item.path}=`} class={isOther ? "df" : ""}>
              {toText(item.value).slice(0, 300)}
              {isOther && <span class="was">was {toText(data!.was.get(item.path)) || "missing"}</span>}
            </dd>,
          ];
        })}
      </dl>
    </div>
  );
}
