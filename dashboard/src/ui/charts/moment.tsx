/** What happened at the moment of a point: the lines of the log, and what the machine was doing. */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { api } from "../../api/api";
import { xText } from "../../chart/axes";
import { useCharts } from "../../chart/data/model";
import { duration, moment, number } from "../../lib/format";
import type { Series } from "../../lib/series/series";
import { nearest } from "../../lib/series/series";
import { runLink } from "../../state/location";
import { Dialog } from "../parts/dialog";
import { LogLines } from "../parts/log-lines";
import { IconButton, useAnswer } from "../parts/parts";

const SECONDS = 30;
const LINES = 40;

interface Moment {
  ms: number;
  logs: Awaited<ReturnType<typeof api.logs>>;
  system: Sample[];
}

interface Sample {
  path: string;
  value: number;
  /** Seconds after the moment; negative before it. */
  later: number;
}

export function MomentDialog(): JSX.Element | null {
  const model = useCharts();
  const picked = model.picked.value;
  if (!picked) return null;
  const { path, color, x, axis } = picked;
  const run = model.project.run(picked.run);
  const close = (): void => {
    model.picked.value = null;
  };
  return (
    <Dialog label={`${run.name} at ${xText(axis, x)}`} className="dlg wide" onClose={close}>
      <header>
        <span class="sw" style={{ "--c": color }} />
        <h2>{run.name}</h2>
        <span class="dim">{xText(axis, x)}</span>
        <span class="sp" />
        <IconButton icon="close" label="Close" onClick={close} />
      </header>
      <MomentBody project={model.project.name} run={run.id} path={path} x={x} axis={axis} created={run.created} />
    </Dialog>
  );
}

interface BodyProps {
  project: string;
  run: string;
  path: string;
  x: number;
  axis: string;
  created: number | null;
}

function MomentBody(props: BodyProps): JSX.Element {
  const { data, error } = useAnswer(() => momentOf(props), [props.run, props.path, props.x, props.axis]);
  const at = useMemo(
    () => (data ? (data.logs.lines.findLast((line) => (line[1] ?? 0) <= data.ms)?.[0] ?? null) : null),
    [data],
  );
  if (error) return <div class="body">{error}</div>;
  if (!data) return <div class="body dim">Looking it up…</div>;
  return (
    <>
      <div class="body">
        <p class="dim">
          {moment(data.ms / 1000)}{" "}
          <a class="link" href={runLink(props.project, props.run, "logs", { at: String(Math.round(data.ms)) })}>
            Open the log here
          </a>
        </p>
      </div>
      {data.logs.lines.length ? (
        <LogLines lines={data.logs.lines} streams={data.logs.streams} at={at} />
      ) : (
        <div class="body dim">The run has no console log.</div>
      )}
      {data.system.length > 0 && (
        <dl class="kv">
          {data.system.flatMap(({ path, value, later }) => [
            <dt key={path}>{path.replace(/^monitoring\/[^/]+\//, "")}</dt>,
            <dd key={`${path}=`}>
              {number(value)}
              {Math.abs(later) >= 1 && (
                <span class="dim">
                  {" "}
                  {duration(Math.abs(later))} {later < 0 ? "before" : "after"}
                </span>
              )}
            </dd>,
          ])}
        </dl>
      )}
    </>
  );
}

async function momentOf({ project, run, path, x, axis, created }: BodyProps): Promise<Moment> {
  const ms = await millisecondsOf({ project, run, path, x, axis, created });
  const [logs, attributes] = await Promise.all([
    api.logs(project, run, { around_ms: Math.round(ms), limit: LINES }),
    api.runAttributes(project, run, { kind: "series", q: "monitoring", limit: 60 }),
  ]);
  const system: Sample[] = [];
  const paths = attributes.items.map((item) => item.path);
  if (paths.length) {
    const range = [ms / 1000 - SECONDS, ms / 1000 + SECONDS] as const;
    const take = (found: Series[]): void => {
      for (const s of found) {
        if (!s.n) continue;
        const i = nearest(s.x, ms / 1000);
        system.push({ path: s.path, value: s.last[i]!, later: s.x[i]! - ms / 1000 });
      }
    };
    await api.series(project, { runs: [run], paths, x: "wall", range, points: 100 }, take);
  }
  return { ms, logs, system: system.sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

async function millisecondsOf({ project, run, path, x, axis, created }: BodyProps): Promise<number> {
  if (axis === "wall") return x * 1000;
  if (axis === "time") return ((created ?? 0) + x) * 1000;
  const step = axis === "step" ? x : await stepWhere(project, run, path, axis, x);
  const moment = await api.moment(project, run, path, step);
  return (moment.time ?? 0) * 1000;
}

/** The step at which the metric on the x axis had the value `x`. */
async function stepWhere(project: string, run: string, path: string, axis: string, x: number): Promise<number> {
  let step = 0;
  let away = Infinity;
  await api.series(project, { runs: [run], paths: [axis], x: "step", range: null, points: 5000 }, (found) => {
    for (const s of found) {
      for (let i = 0; i < s.n; i++) {
        if (Math.abs(s.last[i]! - x) < away) [step, away] = [s.x[i]!, Math.abs(s.last[i]! - x)];
      }
    }
  });
  return Number.isFinite(away) ? step : (await api.moment(project, run, path, 0)).step;
}
