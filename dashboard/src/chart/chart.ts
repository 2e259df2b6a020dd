/**
 * One chart: uPlot for scales, axes, cursor and the drag that zooms; our own painter for the lines.
 *
 * Three canvases lie on one another: uPlot's with grid and axes, `lines` with all runs, `over` with the run that stands
 * out. Moving the pointer repaints only the last; the one below fades in CSS.
 */
import uPlot from "uplot";
import { number } from "../lib/format";
import type { Domain } from "../lib/domain";
import { xDomain, yDomain } from "../lib/domain";
import { lowerBound, nearest } from "../lib/series";
import { direction } from "../lib/values";
import { token } from "../state/theme";
import { axesOf } from "./axes";
import { hovered, tellCursor } from "./hover";
import { Layer } from "./layer";
import type { Line } from "./lines";
import type { Area } from "./painter";
import { drawLine, scalesOf } from "./painter";
import { lineQueue, Links, overQueue } from "./queue";
import type { TipRow } from "./tooltip";
import { hideTip, showTip } from "./tooltip";

export interface ChartLook {
  /** Names the chart, and says whether more is better. */
  path: string;
  x: string;
  zoom: readonly [number, number] | null;
  isLogX: boolean;
  isLogY: boolean;
  isFull: boolean;
  /** Smoothed values say so in the tooltip. */
  isSmooth: boolean;
}

export interface ChartEvents {
  zoom: (range: readonly [number, number] | null) => void;
  /** A click on a point of a run. */
  pick: (line: Line, x: number) => void;
  reset: () => void;
}

const NEAR_PX = 60;
const DOUBLE_CLICK_MS = 250;
const HIDDEN = -10;
const live = new Set<Chart>();
let source: Chart | null = null;

export class Chart {
  lines: Line[] = [];
  domain: Domain = { low: 0, high: 1, isClipped: false };
  private range: [number, number] = [0, 1];
  private plot: uPlot | null = null;
  private readonly below = new Layer("lines");
  private readonly over = new Layer("over");
  private readonly pill = document.createElement("div");
  private readonly dots = document.createElement("div");
  private pillColor = "";
  private overKey: string | null = null;
  private overBox: DOMRect | null = null;
  private readonly resize: ResizeObserver;
  private width = 0;
  private height = 0;
  private builtFor = "";
  private pressedAt = [0, 0];
  private picking = 0;

  constructor(
    private readonly element: HTMLElement,
    private look: ChartLook,
    private readonly events: ChartEvents,
  ) {
    this.pill.className = "pill";
    this.dots.className = "dots";
    this.pill.append(swatch(""), document.createTextNode(""));
    this.resize = new ResizeObserver(() => this.fit());
    this.resize.observe(element);
    live.add(this);
  }

  destroy(): void {
    clearTimeout(this.picking);
    live.delete(this);
    if (source === this) this.leave();
    links.remove(this);
    lineQueue.remove(this);
    overQueue.remove(this);
    this.resize.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  /** Show these lines. */
  show(lines: Line[], look: ChartLook): void {
    const isHeld =
      source === this && !look.zoom && look.path === this.look.path && scaleOf(look) === scaleOf(this.look);
    const old = this.domain;
    this.lines = lines;
    this.look = look;
    this.range = xDomain(lines, look.zoom);
    if (look.isLogX && this.range[0] <= 0) this.range[0] = firstPositive(lines, this.range[1]);
    this.domain = this.yDomain();
    // Under the pointer a chart only grows: what is being looked at stays where it is.
    if (isHeld && old.low <= this.domain.high && this.lines.length) {
      this.domain = {
        ...this.domain,
        low: Math.min(old.low, this.domain.low),
        high: Math.max(old.high, this.domain.high),
      };
    }
    lineQueue.add(this);
  }

  distance(): number {
    const box = this.element.getBoundingClientRect();
    const middle = (box.top + box.bottom) / 2 - innerHeight / 2;
    return Math.abs(middle) + Math.abs((box.left + box.right) / 2 - innerWidth / 2) / 10;
  }

  paintNow(): void {
    if (!this.width) this.measure();
    if (!this.width) return;
    const needs = scaleOf(this.look);
    if (!this.plot || this.builtFor !== needs) {
      this.build();
      this.builtFor = needs;
    } else {
      this.plot.setScale("x", { min: this.range[0], max: this.range[1] });
    }
  }

  /** Colours have changed. */
  repaint(): void {
    this.plot?.redraw(false, true);
  }

  /** The canvases, from below, for export. */
  canvases(): HTMLCanvasElement[] {
    return this.plot ? [this.plot.ctx.canvas, this.below.canvas] : [];
  }

  area(): Area {
    const { left, top, width, height } = this.plot!.bbox;
    return {
      left,
      top,
      width,
      height,
      x: this.range,
      y: [this.domain.low, this.domain.high],
      isLogX: this.look.isLogX,
      isLogY: this.look.isLogY,
      ratio: devicePixelRatio || 1,
    };
  }

  /** The run that stands out has changed. */
  paintOver(isForced = false): void {
    if (!this.plot) return;
    const key = hovered.peek();
    const own = this.standingOut();
    this.moveDots(own);
    if (key === this.overKey && !isForced) return;
    this.overKey = key;
    this.over.canvas.hidden = !own.length;
    this.element.classList.toggle("fade", own.length > 0 && this.lines.length > 1);
    if (!own.length) return;
    const area = this.area();
    this.over.draw((g) => {
      clip(g, area);
      for (const line of own) drawLine(g, area, line, { rawAlpha: 0.35, width: 2, hasBands: true });
    });
  }

  private standingOut(): Line[] {
    const key = hovered.peek();
    return key === null ? [] : this.lines.filter((line) => line.key === key || line.run === key);
  }

  /** The points of the run that stands out at the cursor: elements of their own, so that moving repaints no canvas. */
  private moveDots(own: readonly Line[]): void {
    const left = this.plot?.cursor.left ?? -1;
    const x = left >= 0 ? this.plot!.posToVal(left, "x") : NaN;
    const shown = own.filter((line) => reaches(line, x));
    while (this.dots.childElementCount < shown.length) this.dots.append(document.createElement("i"));
    if (!shown.length && !this.dots.childElementCount) return;
    const area = this.area();
    const { X, Y } = scalesOf(area);
    for (const [k, dot] of ([...this.dots.children] as HTMLElement[]).entries()) {
      const line = shown[k];
      const i = line ? nearest(line.x, x) : 0;
      const y = line ? (Y(line.y[i]!) - area.top) / area.ratio : NaN;
      dot.hidden = !(y >= 0 && y <= area.height / area.ratio);
      if (dot.hidden || !line) continue;
      dot.style.transform = `translate(${(X(line.x[i]!) - area.left) / area.ratio}px,${y}px)`;
      dot.style.backgroundColor = line.color;
    }
  }

  /** The page was scrolled under the pointer. */
  moved(): void {
    this.overBox = null;
  }

  private yDomain(): Domain {
    const shown = this.lines.map((line) => ({
      x: line.x,
      n: line.n,
      min: line.low ?? line.raw ?? line.y,
      max: line.high ?? line.raw ?? line.y,
    }));
    return yDomain(shown, this.range[0], this.range[1], this.look.isFull, this.look.isLogY);
  }

  private measure(): void {
    this.width = this.element.clientWidth;
    this.height = this.element.clientHeight;
  }

  private fit(): void {
    const { width, height } = this;
    this.measure();
    if (this.plot && this.width && (width !== this.width || height !== this.height)) {
      this.plot.setSize({ width: this.width, height: this.height });
    } else if (!this.plot && this.width) lineQueue.add(this);
  }

  private build(): void {
    this.plot?.destroy();
    const axes = axesOf({
      x: this.look.x,
      isLogX: this.look.isLogX,
      isLogY: this.look.isLogY,
      text: () => token("--text-3"),
      grid: () => token("--grid"),
    });
    this.plot = new uPlot(
      {
        width: this.width,
        height: this.height,
        padding: [8, 14, 0, 0],
        legend: { show: false },
        cursor: {
          points: { show: false },
          y: false,
          drag: { x: true, y: false, setScale: false },
          bind: { dblclick: () => () => (this.events.reset(), null) },
        },
        scales: {
          x: { time: this.look.x === "wall", distr: this.look.isLogX ? 3 : 1, range: () => this.range },
          y: { distr: this.look.isLogY ? 3 : 1, range: () => [this.domain.low, this.domain.high] },
        },
        axes,
        series: [{}, { paths: () => null, points: { show: false } }],
        hooks: {
          draw: [() => this.paintLines()],
          setSize: [() => this.sizeLayers()],
          setCursor: [() => this.move()],
          setSelect: [() => this.selected()],
        },
      },
      [
        [this.range[0], this.range[1]],
        [this.domain.low, this.domain.high],
      ],
      this.element,
    );
    const wrap = this.plot.over.parentElement!;
    for (const layer of [this.below, this.over]) wrap.insertBefore(layer.canvas, this.plot.over);
    this.plot.over.append(this.dots, this.pill);
    this.listen(this.plot.over);
    this.sizeLayers();
    this.paintLines();
  }

  private listen(over: HTMLElement): void {
    over.addEventListener("mouseenter", () => {
      this.overBox = null;
      enter(this);
    });
    over.addEventListener("mouseleave", () => this.leave());
    over.addEventListener("mousedown", (event) => (this.pressedAt = [event.clientX, event.clientY]));
    over.addEventListener("click", (event) => {
      const [x, y] = this.pressedAt as [number, number];
      if (Math.abs(event.clientX - x) > 4 || Math.abs(event.clientY - y) > 4) return;
      clearTimeout(this.picking);
      const key = hovered.peek();
      const line = this.lines.find((l) => l.key === key || l.run === key);
      // A second click makes it something else: the zoom is reset.
      if (!line?.run || !this.plot || event.detail > 1) return;
      const at = line.x[nearest(line.x, this.plot.posToVal(this.plot.cursor.left!, "x"))]!;
      this.picking = window.setTimeout(() => this.events.pick(line, at), DOUBLE_CLICK_MS);
    });
  }

  private leave(): void {
    source = null;
    setHovered(null);
    tellCursor(null);
    hideTip();
    links.tell(null, this);
  }

  private sizeLayers(): void {
    for (const layer of [this.below, this.over]) layer.resize(this.plot!.width, this.plot!.height);
  }

  private paintLines(): void {
    if (!this.plot) return;
    const area = this.area();
    const look = {
      rawAlpha: Number(token("--raw")) || 0.2,
      // A line of one pixel is drawn several times as fast as a wider one where no GPU helps.
      width: this.lines.length > 24 ? 1 / (devicePixelRatio || 1) : 1.5,
      hasBands: this.lines.length <= 24,
    };
    this.below.draw((g) => {
      clip(g, area);
      for (let i = this.lines.length - 1; i >= 0; i--) drawLine(g, area, this.lines[i]!, look);
    });
    this.paintOver(true);
  }

  /** The pointer has moved over this or a linked chart, or the page under it. */
  private move(): void {
    const plot = this.plot;
    const left = plot?.cursor.left ?? -1;
    if (!plot || left < 0) {
      this.pill.classList.remove("on");
      return;
    }
    if (source === this) {
      this.readCursor(plot, left);
      this.paintOver();
    } else this.moveDots(this.standingOut());
  }

  private readCursor(plot: uPlot, left: number): void {
    const x = plot.posToVal(left, "x");
    const top = plot.cursor.top ?? 0;
    const alone = Math.abs(plot.posToVal(left + NEAR_PX, "x") - x);
    const area = this.area();
    const { Y } = scalesOf(area);
    const rows: TipRow[] = [];
    const values = new Map<string, number>();
    let [best, distance] = [null as Line | null, NEAR_PX];
    for (const line of this.lines) {
      if (!reaches(line, x, alone)) continue;
      const i = nearest(line.x, x);
      const value = line.y[i]!;
      rows.push({
        line,
        index: i,
        value,
        span: spanOf(line, i, plot.posToVal(left - 1, "x"), plot.posToVal(left + 1, "x")),
      });
      values.set(line.run ?? line.key, value);
      const away = Math.abs((Y(value) - area.top) / area.ratio - top);
      if (away < distance) [best, distance] = [line, away];
    }
    const sign = direction(this.look.path) || 1;
    rows.sort((a, b) => (Number.isNaN(b.value) ? -1 : Number.isNaN(a.value) ? 1 : sign * (b.value - a.value)));
    tellCursor({ path: this.look.path, values });
    setHovered(best?.key ?? null, this);
    const box = (this.overBox ??= plot.over.getBoundingClientRect());
    showTip({
      rows,
      x: rows[0] ? rows[0].line.x[rows[0].index]! : x,
      axis: this.look.x,
      at: [box.left + left, box.top + top],
      key: best?.key ?? null,
      isSmooth: this.look.isSmooth,
      isLess: sign < 0,
    });
    this.pill.classList.remove("on");
    links.tell(x, this);
  }

  /** The pointer is over another chart, at `x`; null where it is over none. */
  followCursor(x: number | null): void {
    const plot = this.plot;
    if (!plot || source === this) return;
    const left = x === null ? HIDDEN : plot.valToPos(x, "x");
    const isInside = left >= 0 && left <= plot.bbox.width / (devicePixelRatio || 1);
    plot.setCursor({ left: isInside ? left : HIDDEN, top: HIDDEN });
    this.showPill();
  }

  /** On the other charts: the value of the run that stands out. */
  private showPill(): void {
    const plot = this.plot;
    const left = plot?.cursor.left ?? -1;
    const key = hovered.peek();
    const line =
      key === null || left < 0 ? undefined : this.lines.find((l) => l.key === key || l.run === key.split("\n")[0]);
    const x = plot && left >= 0 ? plot.posToVal(left, "x") : 0;
    const isOn = line !== undefined && reaches(line, x);
    this.pill.classList.toggle("on", isOn);
    if (!isOn || !plot) return;
    if (this.pillColor !== line.color)
      (this.pill.firstChild as HTMLElement).style.setProperty("--c", (this.pillColor = line.color));
    const text = number(line.y[nearest(line.x, x)]);
    if (this.pill.lastChild!.nodeValue !== text) this.pill.lastChild!.nodeValue = text;
    this.pill.style.transform = `translate(-50%) translateX(${Math.max(32, Math.min(plot.bbox.width / devicePixelRatio - 32, left))}px)`;
  }

  private selected(): void {
    const plot = this.plot;
    if (!plot || plot.select.width < 6) return;
    const range = [
      plot.posToVal(plot.select.left, "x"),
      plot.posToVal(plot.select.left + plot.select.width, "x"),
    ] as const;
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    if (source === this) this.events.zoom(range);
  }
}

/** What a plot is built for: it needs another one when this changes. */
const scaleOf = (look: ChartLook): string => [look.x, look.isLogX, look.isLogY].join();

const links = new Links(() => live);

addEventListener("scroll", () => source?.moved(), { capture: true, passive: true });

function enter(chart: Chart): void {
  source = chart;
}

/** Make a run stand out, on all charts. */
export function setHovered(key: string | null, by?: Chart): void {
  if (key === hovered.peek()) return;
  hovered.value = key;
  for (const chart of live) if (chart !== by) overQueue.add(chart);
}

export function repaintAll(): void {
  for (const chart of live) chart.repaint();
}

export function swatch(color: string): HTMLElement {
  const element = document.createElement("span");
  element.className = "sw";
  if (color) element.style.setProperty("--c", color);
  return element;
}

function clip(g: OffscreenCanvasRenderingContext2D, area: Area): void {
  g.beginPath();
  g.rect(area.left, area.top - 2, area.width + 8 * area.ratio, area.height + 4);
  g.clip();
}

function firstPositive(lines: readonly Line[], high: number): number {
  let low = high;
  for (const line of lines) {
    for (let i = 0; i < line.n; i++) {
      if (line.x[i]! > 0) {
        low = Math.min(low, line.x[i]!);
        break;
      }
    }
  }
  return low > 0 ? low : high / 1000;
}

/** The points between two x, and that at `index`. */
function spanOf(line: Line, index: number, from: number, to: number): [number, number] {
  return [Math.min(index, lowerBound(line.x, from)), Math.max(index, lowerBound(line.x, to) - 1)];
}

/** Whether a line is there at `x`, give or take its own spacing; a single point `alone`, or everywhere. */
function reaches(line: Line, x: number, alone = Infinity): boolean {
  if (!line.n) return false;
  const [first, last] = [line.x[0]!, line.x[line.n - 1]!];
  const slack = ((last - first) / Math.max(1, line.n - 1)) * 0.75 || alone;
  return x >= first - slack && x <= last + slack;
}
