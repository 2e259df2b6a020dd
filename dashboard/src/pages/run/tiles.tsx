/** The best figures of a run, each with its curve. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { RunDetails } from "../../api/api";
import { api } from "../../api/api";
import { change, number } from "../../lib/format";
import type { Series } from "../../lib/series/series";
import { lowerBound } from "../../lib/series/series";
import { direction } from "../../lib/values";
import { one } from "../../state/location";
import type { Project } from "../../state/project";
import { runVersion } from "../../state/run-page";
import { isDark, runColor } from "../../state/theme";
import { PathText, useAnswer } from "../../ui/parts/parts";

const POINTS = 120;
export function Tiles({
  project,
  details,
  paths,
}: {
  project: Project;
  details: RunDetails;
  paths: readonly string[];
}): JSX.Element {
  const base = one("base");
  const runs = base && base !== details.id ? [details.id, base] : [details.id];
  const { data } = useAnswer(async () => {
    const found = new Map<string, Series>();
    if (paths.length) {
      await api.series(project.name, { runs, paths, x: "step", range: null, points: POINTS }, (all) => {
        for (const s of all) found.set(`${s.run}\n${s.path}`, s);
      });
    }
    return found;
  }, [paths.join("\n"), runs.join("\n"), runVersion.value]);
  return (
    <div class="tiles">
      {paths.map((path) => {
        const series = data?.get(`${details.id}\n${path}`);
        return series?.stats ? (
          <Tile key={path} path={path} series={series} base={data?.get(`${base}\n${path}`)} color={runColor(details)} />
        ) : null;
      })}
    </div>
  );
}

function Tile({
  path,
  series,
  base,
  color,
}: {
  path: string;
  series: Series;
  base: Series | undefined;
  color: string;
}): JSX.Element {
  const sign = direction(path);
  const value = valueOf(series, sign);
  const other = base?.n ? valueUpTo(base, series.x[series.n - 1]!, sign) : NaN;
  const delta = change(value, other);
  const isBetter = (value - other) * sign > 0;
  return (
    <div class="card stat">
      <div class="l">
        <PathText path={path} /> · {sign > 0 ? "max" : sign < 0 ? "min" : "last"}
      </div>
      <div class="v">{number(value)}</div>
      <div class="d">
        {delta ? (
          <>
            <span class={sign === 0 || value === other ? "" : isBetter ? "up" : "dn"}>{delta}</span> at this step
          </>
        ) : (
          `last ${number(series.stats?.last)}`
        )}
      </div>
      <Sparkline series={series} color={color} />
    </div>
  );
}

const valueOf = (series: Series, sign: number): number =>
  sign > 0 ? series.stats!.max : sign < 0 ? series.stats!.min : series.stats!.last;

/** The same figure of another run, as it was at the step that this one has reached. */
function valueUpTo(series: Series, x: number, sign: number): number {
  const end = Math.min(series.n, lowerBound(series.x, x) + 1);
  let best = NaN;
  for (let i = 0; i < end; i++) {
    const value = sign > 0 ? series.max[i]! : sign < 0 ? series.min[i]! : series.last[i]!;
    if (!Number.isFinite(value)) continue;
    if (Number.isNaN(best) || sign === 0 || (value - best) * sign > 0) best = value;
  }
  return best;
}

function Sparkline({ series, color }: { series: Series; color: string }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const dark = isDark.value;
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const ratio = devicePixelRatio || 1;
    element.width = 110 * ratio;
    element.height = 40 * ratio;
    const g = element.getContext("2d")!;
    g.scale(ratio, ratio);
    g.strokeStyle = color;
    g.lineWidth = 1.3;
    g.lineJoin = "round";
    g.beginPath();
    const { min, max } = series.stats!;
    const [first, last] = [series.x[0]!, series.x[series.n - 1]!];
    const values = series.raw ? series.last : series.mean;
    for (let i = 0; i < series.n; i++) {
      if (!Number.isFinite(values[i]!)) continue;
      g.lineTo(
        2 + ((series.x[i]! - first) / (last - first || 1)) * 106,
        37 - ((values[i]! - min) / (max - min || 1)) * 34,
      );
    }
    g.stroke();
  }, [series, color, dark]);
  return <canvas ref={canvas} aria-hidden="true" />;
}
