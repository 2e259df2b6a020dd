/** All runs of the filter in one plot: parallel coordinates, or a scatter of one column against another. */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Table } from "../api";
import { api } from "../api";
import type { PlotAxis } from "../lib/axis";
import { brushTerms, plotAxis } from "../lib/axis";
import { ramp } from "../lib/colors";
import { number } from "../lib/format";
import type { Cell } from "../lib/values";
import { direction, toText } from "../lib/values";
import { quotedPath, quotedValue } from "../lib/words";
import { go, many, one, runPath, setParams } from "../state/location";
import type { Project } from "../state/project";
import { defaultColumns } from "../state/project";
import * as settings from "../state/settings";
import { isDark, token } from "../state/theme";
import { Icon } from "./icons";
import { Item, Menu, Seg, useAnswer } from "./parts";

const HEIGHT = 250;
const MAX_RUNS = 1000;
const MAX_AXES = 10;

interface Candidates {
  configs: string[];
  metrics: string[];
}

async function candidates(project: Project): Promise<Candidates> {
  const { items } = await api.attributes(project.name, { kind: "config", limit: 500 });
  const configs = items
    .filter((item) => (item.n_distinct ?? 0) > 1 && !/^(monitoring|source_code|sys)\//.test(item.path))
    .map((item) => item.path);
  const metrics = project.metrics.peek().filter((path) => !path.startsWith("monitoring/"));
  return {
    configs,
    metrics: metrics.map((path) => `${path}:${direction(path) > 0 ? "max" : direction(path) < 0 ? "min" : "last"}`),
  };
}

export function PlotBox({ project }: { project: Project }): JSX.Element {
  const { data: known } = useAnswer(() => candidates(project), [project.name, project.metrics.value.length]);
  const kind = one("plot") === "scatter" ? "scatter" : "parallel";
  const target = defaultColumns(project.metrics.value).map((path) => `${path}:${direction(path) < 0 ? "min" : "max"}`);
  const chosen = many("axes");
  const usual = [...(known?.configs ?? []).slice(0, 6), ...target.slice(0, 1)];
  const axes = chosen.length ? chosen : usual;
  const x = one("sx") || known?.configs[0] || "sys/creation_time";
  const y = one("sy") || target[0] || "sys/running_time";
  const columns = kind === "scatter" ? [x, y] : axes;
  const color = one("color") || target[0] || y;
  const { data, error } = useAnswer(
    () =>
      known
        ? api.runs(project.name, {
            filter: settings.filter.value,
            columns: [...new Set([...columns, color, "sys/name", "sys/state"])],
            limit: MAX_RUNS,
          })
        : Promise.resolve(null),
    [columns.join("\n"), color, settings.filter.value, known, project.table.total.value],
  );
  const all = [...(known?.configs ?? []), ...(known?.metrics ?? []), "sys/running_time", "sys/creation_time"];
  const choice = (label: string, value: string, param: string): JSX.Element => (
    <label class="lrow dim">
      {label}
      <select class="field" value={value} onChange={(event) => setParams({ [param]: event.currentTarget.value })}>
        {[...new Set([value, ...all])].map((path) => (
          <option key={path} value={path}>
            {path}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <section class="plotbox" aria-label="Configs against metrics">
      <header>
        <Seg
          label="Kind of plot"
          value={kind}
          options={[
            ["parallel", "Parallel coordinates"],
            ["scatter", "Scatter"],
          ]}
          onChange={(value) => setParams({ plot: value === "parallel" ? null : value })}
        />
        <span class="dim">
          {kind === "parallel" ? "drag along an axis to filter" : "click a point to open its run"}
        </span>
        <span class="sp" />
        {kind === "scatter" && (
          <>
            {choice("x", x, "sx")}
            {choice("y", y, "sy")}
          </>
        )}
        {choice("colour", color, "color")}
        {kind === "parallel" && <AxesMenu all={all} axes={axes} />}
      </header>
      {error && <p class="fault">{error}</p>}
      {data &&
        (kind === "scatter" ? (
          <Scatter project={project.name} table={data} x={x} y={y} color={color} />
        ) : (
          <Parallel table={data} axes={axes} color={color} />
        ))}
      {data && data.total > MAX_RUNS && <p class="dim">The newest {MAX_RUNS} of them are drawn.</p>}
    </section>
  );
}

function AxesMenu({ all, axes }: { all: readonly string[]; axes: readonly string[] }): JSX.Element {
  const [text, setText] = useState("");
  return (
    <Menu
      label="Axes"
      button={(toggle, isOpen) => (
        <button type="button" class="btn" aria-expanded={isOpen} onClick={toggle}>
          <Icon name="columns" isSmall />
          Axes <span class="v">{axes.length}</span>
        </button>
      )}
    >
      {() => (
        <>
          <div class="pad">
            <input
              class="field"
              placeholder="Search"
              aria-label="Search axes"
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </div>
          {[...new Set([...axes, ...all])]
            .filter((path) => path.includes(text))
            .slice(0, 100)
            .map((path) => (
              <Item
                key={path}
                isChecked={axes.includes(path)}
                onClick={() =>
                  setParams({
                    axes: axes.includes(path) ? axes.filter((p) => p !== path) : [...axes, path].slice(-MAX_AXES),
                  })
                }
              >
                {path}
              </Item>
            ))}
        </>
      )}
    </Menu>
  );
}

const column = (table: Table, path: string): Cell[] => table.columns[path] ?? [];

/** Draws on a canvas of the element's width, anew when that or the theme changes. */
function useCanvas(
  draw: (g: CanvasRenderingContext2D, width: number) => void,
  inputs: readonly unknown[],
): { ref: { current: HTMLCanvasElement | null } } {
  const ref = useRef<HTMLCanvasElement | null>(null);
  const [width, setWidth] = useState(0);
  const dark = isDark.value;
  useEffect(() => {
    const sizes = new ResizeObserver(() => setWidth(ref.current?.clientWidth ?? 0));
    if (ref.current) sizes.observe(ref.current);
    return () => sizes.disconnect();
  }, []);
  useEffect(() => {
    const canvas = ref.current;
    if (!canvas || !width) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = HEIGHT * ratio;
    const g = canvas.getContext("2d")!;
    g.scale(ratio, ratio);
    draw(g, width);
  }, [width, dark, ...inputs]);
  return { ref };
}

const BOX = { left: 60, right: 70, top: 34, bottom: 16 };
const placeY = (part: number): number => BOX.top + (HEIGHT - BOX.top - BOX.bottom) * (1 - part);

function Parallel({ table, axes, color }: { table: Table; axes: readonly string[]; color: string }): JSX.Element {
  const laid = useMemo(() => axes.map((path) => plotAxis(path, column(table, path))), [table, axes.join("\n")]);
  const shade = useMemo(() => plotAxis(color, column(table, color), true), [table, color]);
  const [brush, setBrush] = useState<{ axis: number; from: number; to: number } | null>(null);
  const isLess = direction(color) < 0;
  const placeX = (i: number, width: number): number =>
    BOX.left + ((width - BOX.left - BOX.right) * i) / Math.max(1, laid.length - 1);
  const { ref } = useCanvas(
    (g, width) => {
      const order = table.ids
        .map((_, i) => i)
        .sort((a, b) => (shade.place(column(table, color)[a]) ?? 0) - (shade.place(column(table, color)[b]) ?? 0));
      if (isLess) order.reverse();
      for (const i of order) {
        const raw = shade.place(column(table, color)[i]);
        const t = raw === null ? 0 : isLess ? 1 - raw : raw;
        g.strokeStyle = ramp(t, isDark.peek());
        g.globalAlpha = table.ids.length > 100 ? 0.12 + 0.6 * t * t : 0.75;
        g.lineWidth = 1.2;
        drawRun(
          g,
          laid.map((axis) => axis.place(column(table, axis.path)[i])),
          (k) => placeX(k, width),
        );
      }
      g.globalAlpha = 1;
      laid.forEach((axis, k) => drawAxis(g, axis, placeX(k, width)));
      if (brush) {
        g.fillStyle = token("--accent");
        g.globalAlpha = 0.25;
        const [a, b] = [placeY(brush.from), placeY(brush.to)];
        g.fillRect(placeX(brush.axis, width) - 7, Math.min(a, b), 14, Math.abs(a - b));
        g.globalAlpha = 1;
      }
    },
    [table, laid, brush, color],
  );
  const partAt = (event: PointerEvent): number => {
    const y = event.clientY - ref.current!.getBoundingClientRect().top;
    return Math.max(0, Math.min(1, 1 - (y - BOX.top) / (HEIGHT - BOX.top - BOX.bottom)));
  };
  const down = (event: PointerEvent): void => {
    const canvas = ref.current!;
    const x = event.clientX - canvas.getBoundingClientRect().left;
    const axis = laid.findIndex((_, k) => Math.abs(placeX(k, canvas.clientWidth) - x) < 16);
    if (axis < 0) return;
    canvas.setPointerCapture(event.pointerId);
    setBrush({ axis, from: partAt(event), to: partAt(event) });
  };
  const up = (): void => {
    if (brush && Math.abs(brush.from - brush.to) > 0.01) {
      const terms = brushTerms(laid[brush.axis]!, brush.from, brush.to, quotedPath, quotedValue);
      setParams({ q: [settings.filter.peek(), ...terms].filter(Boolean).join(" ") });
    }
    setBrush(null);
  };
  return (
    <canvas
      ref={ref}
      height={HEIGHT}
      style={{ height: `${HEIGHT}px` }}
      role="img"
      aria-label={`Parallel coordinates of ${table.ids.length} runs over ${axes.join(", ")}`}
      onPointerDown={down}
      onPointerMove={(event) => brush && setBrush({ ...brush, to: partAt(event) })}
      onPointerUp={up}
    />
  );
}

/** One run from axis to axis; an axis on which it has no value is left out. */
function drawRun(g: CanvasRenderingContext2D, parts: readonly (number | null)[], x: (k: number) => number): void {
  g.beginPath();
  let before: [number, number] | null = null;
  parts.forEach((part, k) => {
    if (part === null) return;
    const [px, py] = [x(k), placeY(part)];
    if (before) g.bezierCurveTo((px + before[0]) / 2, before[1], (px + before[0]) / 2, py, px, py);
    else g.moveTo(px, py);
    before = [px, py];
  });
  g.stroke();
}

function drawAxis(g: CanvasRenderingContext2D, axis: PlotAxis, x: number): void {
  g.strokeStyle = token("--border-2");
  g.lineWidth = 1;
  g.beginPath();
  g.moveTo(x, BOX.top);
  g.lineTo(x, HEIGHT - BOX.bottom);
  g.stroke();
  g.fillStyle = token("--text");
  g.font = "500 12px Geist, sans-serif";
  g.textAlign = "center";
  g.fillText(axis.path.replace(/^(config|parameters|params|hparams)\//, ""), x, 16, 150);
  g.font = "11px Geist, sans-serif";
  g.textAlign = "left";
  for (const { part, text } of axis.ticks) {
    const width = Math.min(90, g.measureText(text).width);
    g.fillStyle = token("--bg");
    g.globalAlpha = 0.8;
    g.fillRect(x + 4, placeY(part) - 16, width + 4, 13);
    g.globalAlpha = 1;
    g.fillStyle = token("--text-2");
    g.fillText(text, x + 6, placeY(part) - 6, 90);
  }
}

function Scatter({
  project,
  table,
  x,
  y,
  color,
}: {
  project: string;
  table: Table;
  x: string;
  y: string;
  color: string;
}): JSX.Element {
  const [xAxis, yAxis, shade] = useMemo(
    () =>
      [
        plotAxis(x, column(table, x), true),
        plotAxis(y, column(table, y), true),
        plotAxis(color, column(table, color), true),
      ] as const,
    [table, x, y, color],
  );
  const [under, setUnder] = useState(-1);
  const points = useRef<{ i: number; px: number; py: number }[]>([]);
  const { ref } = useCanvas(
    (g, width) => {
      const inner = width - BOX.left - BOX.right;
      g.font = "11px Geist, sans-serif";
      g.fillStyle = token("--text-3");
      g.strokeStyle = token("--grid");
      for (const { part, text } of yAxis.ticks) {
        g.beginPath();
        g.moveTo(BOX.left, placeY(part));
        g.lineTo(width - BOX.right, placeY(part));
        g.stroke();
        g.textAlign = "right";
        g.fillText(text, BOX.left - 6, placeY(part) + 4, 54);
      }
      g.textAlign = "center";
      for (const { part, text } of xAxis.ticks) g.fillText(text, BOX.left + part * inner, HEIGHT - 2, 110);
      g.fillStyle = token("--text");
      g.textAlign = "left";
      g.fillText(y, 4, 14, 300);
      g.textAlign = "right";
      g.fillText(x, width - 6, HEIGHT - 20, 300);
      points.current = [];
      table.ids.forEach((_, i) => {
        const [a, b] = [xAxis.place(column(table, x)[i]), yAxis.place(column(table, y)[i])];
        if (a === null || b === null) return;
        const [px, py] = [BOX.left + a * inner, placeY(b)];
        points.current.push({ i, px, py });
        const raw = shade.place(column(table, color)[i]) ?? 0;
        g.fillStyle = ramp(direction(color) < 0 ? 1 - raw : raw, isDark.peek());
        g.globalAlpha = 0.85;
        g.beginPath();
        g.arc(px, py, i === under ? 6.5 : 4, 0, 7);
        g.fill();
        g.globalAlpha = 1;
      });
    },
    [table, xAxis, yAxis, shade, under],
  );
  const find = (event: MouseEvent): number => {
    const box = ref.current!.getBoundingClientRect();
    const [mx, my] = [event.clientX - box.left, event.clientY - box.top];
    let [best, away] = [-1, 12];
    for (const { i, px, py } of points.current) {
      const distance = Math.hypot(px - mx, py - my);
      if (distance < away) [best, away] = [i, distance];
    }
    return best;
  };
  return (
    <>
      <canvas
        ref={ref}
        height={HEIGHT}
        style={{ height: `${HEIGHT}px`, cursor: under >= 0 ? "pointer" : "default" }}
        role="img"
        aria-label={`${y} against ${x} of ${table.ids.length} runs`}
        onMouseMove={(event) => setUnder(find(event))}
        onMouseLeave={() => setUnder(-1)}
        onClick={(event) => {
          const i = find(event);
          if (i >= 0) go(runPath(project, table.ids[i]!));
        }}
      />
      <p class="dim" aria-live="off">
        {under >= 0
          ? `${toText(column(table, "sys/name")[under]) || table.ids[under]!}: ${x} ${shown(column(table, x)[under])}, ${y} ${shown(column(table, y)[under])}`
          : "\u00a0"}
      </p>
    </>
  );
}

const shown = (cell: Cell | undefined): string => (typeof cell === "number" ? number(cell) : toText(cell));
