/**
 * One chart: uPlot for axes, cursor and the drag that zooms; scales, ticks and lines are our own.
 *
 * Three canvases lie on one another: uPlot's with grid and axes, `lines` with all runs, `over` with the run that stands
 * out. Moving the pointer repaints only the last; the one below fades in CSS. uPlot's scales go from 0 to 1, since its
 * own know neither very large nor very small ranges.
 */
import uPlot from "uplot";
import type { Domain } from "../lib/series/domain";
import { xDomain, yDomain } from "../lib/series/domain";
import type { Tick } from "../lib/series/ticks";
import { token } from "../state/theme";
import type { ChartLook } from "./axes";
import { axesOf, xTicks, yTicks } from "./axes";
import type { Line } from "./data/line";
import { hovered } from "./hover";
import { Layer } from "./layer";
import { link, unlink } from "./linked";
import { drawSpans } from "./marks";
import type { Area } from "./painter";
import { drawLine, partOf } from "./painter";
import type { ChartEvents } from "./pointer";
import { Pointer } from "./pointer";
import { lineQueue, overQueue } from "./queue";

export class Chart {
  lines: Line[] = [];
  domain: Domain = { low: 0, high: 1, isClipped: false };
  private range: [number, number] = [0, 1];
  plot: uPlot | null = null;
  private readonly below = new Layer("lines");
  private readonly over = new Layer("over");
  private overKey: string | null = null;
  private readonly resize: ResizeObserver;
  private width = 0;
  private height = 0;
  private readonly pointer: Pointer;

  constructor(
    readonly element: HTMLElement,
    public look: ChartLook,
    readonly events: ChartEvents,
  ) {
    this.pointer = new Pointer(this);
    this.resize = new ResizeObserver(() => this.fit());
    this.resize.observe(element);
    link(this);
  }

  destroy(): void {
    this.pointer.destroy();
    unlink(this);
    lineQueue.remove(this);
    overQueue.remove(this);
    this.resize.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  /** Show these lines. */
  show(lines: Line[], look: ChartLook): void {
    const isHeld =
      this.pointer.isOver && !look.zoom && look.path === this.look.path && scaleOf(look) === scaleOf(this.look);
    const old = this.domain;
    this.lines = lines;
    this.look = look;
    this.range = xDomain(lines, look.zoom);
    if (look.isLogX && this.range[0] <= 0) this.range[0] = firstPositive(lines, this.range[1]);
    this.domain = this.yDomain();
    // Under the pointer a chart only grows: what is being looked at stays where it is.
    if (isHeld && !old.isEmpty && old.low <= this.domain.high && this.lines.length) {
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
    if (this.plot) this.plot.redraw(false, true);
    else this.build();
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

  /** The ticks of an axis of so many pixels; none where there is nothing to read off. */
  ticks(axis: "x" | "y", size: number): readonly Tick[] {
    if (!this.lines.length) return [];
    if (axis === "x") return xTicks(this.look, ...this.range, size);
    return this.domain.isEmpty ? [] : yTicks(this.look, this.domain.low, this.domain.high, size);
  }

  /** The run that stands out has changed. */
  paintOver(isForced = false): void {
    if (!this.plot) return;
    const key = hovered.peek();
    const own = this.standingOut();
    this.pointer.moveDots(own);
    if (key === this.overKey && !isForced) return;
    this.overKey = key;
    this.over.canvas.hidden = !own.length;
    this.element.classList.toggle("fade", own.length > 0 && this.lines.length > 1);
    if (!own.length) return;
    const area = this.area();
    this.over.draw((g) => {
      clip(g, area);
      for (const line of own) drawLine(g, area, line, { rawAlpha: 0.35, width: 2, hasBands: true });
      drawSpans(g, area, own, spanAlpha());
    });
  }

  standingOut(): Line[] {
    const key = hovered.peek();
    return key === null ? [] : this.lines.filter((line) => line.key === key || line.run === key);
  }

  /** The pointer is over another chart, at `x`; null where it is over none. */
  followCursor(x: number | null): void {
    this.pointer.follow(x);
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
    const plain = { time: false, distr: 1 as const, range: (): [number, number] => [0, 1] };
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
        scales: { x: plain, y: plain },
        axes: axesOf({
          ticks: (axis, size) => this.ticks(axis, size),
          place: (axis, value) =>
            axis === "x"
              ? partOf(this.range, this.look.isLogX, value)
              : partOf([this.domain.low, this.domain.high], this.look.isLogY, value),
          text: () => token("--text-3"),
          grid: () => token("--grid"),
        }),
        series: [{}, { paths: () => null, points: { show: false } }],
        hooks: {
          draw: [() => this.paintLines()],
          setSize: [() => this.sizeLayers()],
          setCursor: [() => this.pointer.moved()],
          setSelect: [() => this.pointer.selected()],
        },
      },
      [
        [0, 1],
        [0, 1],
      ],
      this.element,
    );
    const wrap = this.plot.over.parentElement!;
    for (const layer of [this.below, this.over]) wrap.insertBefore(layer.canvas, this.plot.over);
    this.pointer.listen(this.plot.over);
    this.sizeLayers();
    this.paintLines();
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
      drawSpans(g, area, this.lines, spanAlpha());
    });
    this.paintOver(true);
  }
}

/** What the place of a value depends on. */
const scaleOf = (look: ChartLook): string => [look.x, look.isLogX, look.isLogY].join();

const spanAlpha = (): number => Number(token("--span")) || 0.1;

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
