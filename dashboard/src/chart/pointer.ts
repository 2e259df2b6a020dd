/** What the pointer does on a chart: values under it, the same x on all others, a drag that zooms, a click. */
import type uPlot from "uplot";
import { number } from "../lib/format";
import { at } from "../lib/series/group";
import { lowerBound, nearest } from "../lib/series/series";
import { direction } from "../lib/values";
import type { ChartLook } from "./axes";
import type { Line, Picked } from "./data/line";
import { hovered, tellCursor } from "./hover";
import type { LinkedChart } from "./linked";
import { setHovered, tellLinked } from "./linked";
import type { Area } from "./painter";
import { partOf, scalesOf, valueAt } from "./painter";
import type { TipRow } from "./tooltip";
import { hideTip, showTip } from "./tooltip";

const NEAR_PX = 60;
const CLICK_PX = 4;
const DOUBLE_CLICK_MS = 250;
const HIDDEN = -10;
/** The chart that the pointer is over. */
let source: Pointer | null = null;

const enter = (pointer: Pointer): void => {
  source = pointer;
};

addEventListener("scroll", () => source?.scrolled(), { capture: true, passive: true });

export interface ChartEvents {
  zoom: (range: readonly [number, number] | null) => void;
  /** A click on the chart: the point of a run that is nearest to it. */
  pick: (picked: Picked) => void;
  reset: () => void;
}

/** What the pointer asks of its chart. */
export interface PointedChart extends LinkedChart {
  readonly plot: uPlot | null;
  readonly lines: readonly Line[];
  readonly look: ChartLook;
  readonly events: ChartEvents;
  area: () => Area;
  standingOut: () => Line[];
}

export class Pointer {
  private readonly pill = document.createElement("div");
  private readonly dots = document.createElement("div");
  private pillColor = "";
  private overBox: DOMRect | null = null;
  private pressedAt: [number, number] = [0, 0];
  private picking = 0;
  private isTouch = false;

  constructor(private readonly chart: PointedChart) {
    this.pill.className = "pill";
    this.dots.className = "dots";
    const swatch = document.createElement("span");
    swatch.className = "sw";
    this.pill.append(swatch, document.createTextNode(""));
  }

  get isOver(): boolean {
    return source === this;
  }

  destroy(): void {
    clearTimeout(this.picking);
    if (source === this) this.leave();
  }

  /** The page was scrolled under the pointer. */
  scrolled(): void {
    this.overBox = null;
  }

  listen(over: HTMLElement): void {
    over.append(this.dots, this.pill);
    over.addEventListener("mouseenter", () => {
      this.overBox = null;
      enter(this);
    });
    over.addEventListener("mouseleave", () => this.leave());
    over.addEventListener("pointerdown", (event) => (this.isTouch = event.pointerType === "touch"));
    over.addEventListener("mousedown", (event) => (this.pressedAt = [event.clientX, event.clientY]));
    over.addEventListener("click", (event) => this.click(event));
  }

  private click(event: MouseEvent): void {
    const [x, y] = this.pressedAt;
    if (Math.abs(event.clientX - x) > CLICK_PX || Math.abs(event.clientY - y) > CLICK_PX) return;
    clearTimeout(this.picking);
    // A second click makes it something else: the zoom is reset.
    if (event.detail > 1 || !this.chart.plot) return;
    const box = this.chart.plot.over.getBoundingClientRect();
    const picked = this.nearestTo(event.clientX - box.left, event.clientY - box.top);
    if (!picked) return;
    const pick = (): void => {
      // What opens now is alone on the screen.
      this.leave();
      this.chart.events.pick(picked);
    };
    if (this.isTouch) pick();
    else this.picking = window.setTimeout(pick, DOUBLE_CLICK_MS);
  }

  /** The point of a run that is meant by a click anywhere: at that x, of the line that is nearest there. */
  private nearestTo(left: number, top: number): Picked | null {
    const x = this.xAt(left);
    const area = this.chart.area();
    const { Y } = scalesOf(area);
    const key = hovered.peek();
    let [best, distance] = [null as Line | null, Infinity];
    for (const line of this.chart.lines) {
      const value = line.y[nearest(line.x, x)]!;
      const away = Number.isFinite(value) ? Math.abs((Y(value) - area.top) / area.ratio - top) : area.height;
      const isOwn = line.key === key || line.run === key;
      // A line that does not go as far is meant only where there is no other.
      const far = isOwn ? -1 : reaches(line, x) ? away : 1e9 + Math.abs(line.x[nearest(line.x, x)]! - x);
      if (far < distance) [best, distance] = [line, far];
    }
    if (!best) return null;
    const member = best.members && memberAt(best, x, top, (value) => (Y(value) - area.top) / area.ratio);
    const run = member?.run ?? best.run;
    const column = member?.x ?? best.x;
    if (!run || !column.length) return null;
    return { run, path: member?.path ?? best.path, color: best.color, x: column[nearest(column, x)]! };
  }

  private leave(): void {
    source = null;
    setHovered(null);
    tellCursor(null);
    hideTip();
    this.chart.plot?.setCursor({ left: HIDDEN, top: HIDDEN });
    tellLinked(null, this.chart);
  }

  private xAt(left: number): number {
    return valueAt(this.chart.area(), left / (this.chart.plot!.bbox.width / (devicePixelRatio || 1)));
  }

  /** The pointer has moved over this or a linked chart, or the page under it. */
  moved(): void {
    const plot = this.chart.plot;
    const left = plot?.cursor.left ?? -1;
    if (!plot || left < 0) {
      this.pill.classList.remove("on");
      return;
    }
    if (source === this) {
      this.read(plot, left);
      this.chart.paintOver();
    } else this.moveDots(this.chart.standingOut());
  }

  private read(plot: uPlot, left: number): void {
    const x = this.xAt(left);
    const top = plot.cursor.top ?? 0;
    const alone = Math.abs(this.xAt(left + NEAR_PX) - x);
    const area = this.chart.area();
    const { Y } = scalesOf(area);
    const rows: TipRow[] = [];
    const values = new Map<string, number>();
    const spread = new Map<string, { std: number; n: number }>();
    let [best, distance] = [null as Line | null, NEAR_PX];
    for (const line of this.chart.lines) {
      if (!reaches(line, x, alone)) continue;
      const i = nearest(line.x, x);
      const value = line.y[i]!;
      rows.push({ line, index: i, value, span: spanOf(line, i, this.xAt(left - 1), this.xAt(left + 1)) });
      values.set(line.run ?? line.key, value);
      values.set(line.key, value);
      if (line.members) {
        spread.set(line.key, { std: line.std![i]!, n: line.count![i]! });
        for (const member of line.members) values.set(member.run, at(member, line.x[i]!));
      }
      const away = Math.abs((Y(value) - area.top) / area.ratio - top);
      if (away < distance) [best, distance] = [line, away];
    }
    const sign = direction(this.chart.look.path) || 1;
    rows.sort((a, b) => (Number.isNaN(b.value) ? -1 : Number.isNaN(a.value) ? 1 : sign * (b.value - a.value)));
    tellCursor({ path: this.chart.look.path, values, spread });
    setHovered(best?.key ?? null, this.chart);
    this.pill.classList.remove("on");
    tellLinked(x, this.chart);
    if (this.isTouch) return;
    const box = (this.overBox ??= plot.over.getBoundingClientRect());
    showTip({
      rows,
      x: rows[0] ? rows[0].line.x[rows[0].index]! : x,
      axis: this.chart.look.x,
      at: [box.left + left, box.top + top],
      key: best?.key ?? null,
      span: area.y[1] - area.y[0],
      isSmooth: this.chart.look.isSmooth,
      isLess: sign < 0,
    });
  }

  /** The pointer is over another chart, at `x`; null where it is over none. */
  follow(x: number | null): void {
    const { plot } = this.chart;
    if (!plot || source === this) return;
    const width = plot.bbox.width / (devicePixelRatio || 1);
    const area = this.chart.area();
    const left = x === null ? HIDDEN : partOf(area.x, area.isLogX, x) * width;
    const isInside = left >= 0 && left <= width;
    plot.setCursor({ left: isInside ? left : HIDDEN, top: HIDDEN });
    this.showPill(plot, isInside ? x : null);
  }

  /** On the other charts: the value of the run that stands out. */
  private showPill(plot: uPlot, x: number | null): void {
    const key = hovered.peek();
    const line =
      key === null || x === null
        ? undefined
        : this.chart.lines.find((l) => l.key === key || l.run === key.split("\n")[0]);
    const isOn = line !== undefined && x !== null && reaches(line, x);
    this.pill.classList.toggle("on", isOn);
    if (!isOn) return;
    if (this.pillColor !== line.color)
      (this.pill.firstChild as HTMLElement).style.setProperty("--c", (this.pillColor = line.color));
    const text = number(line.y[nearest(line.x, x)]);
    if (this.pill.lastChild!.nodeValue !== text) this.pill.lastChild!.nodeValue = text;
    const width = plot.bbox.width / (devicePixelRatio || 1);
    this.pill.style.transform = `translate(-50%) translateX(${Math.max(32, Math.min(width - 32, plot.cursor.left!))}px)`;
  }

  selected(): void {
    const { plot } = this.chart;
    if (!plot || plot.select.width < 6) return;
    const { left, width } = plot.select;
    const range = [this.xAt(left), this.xAt(left + width)] as const;
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    if (source === this) this.chart.events.zoom(range);
  }

  /** The points of the run that stands out at the cursor: elements of their own, so that moving repaints no canvas. */
  moveDots(own: readonly Line[]): void {
    const left = this.chart.plot?.cursor.left ?? -1;
    const x = left >= 0 ? this.xAt(left) : NaN;
    const shown = own.filter((line) => reaches(line, x));
    while (this.dots.childElementCount < shown.length) this.dots.append(document.createElement("i"));
    if (!shown.length && !this.dots.childElementCount) return;
    const area = this.chart.area();
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
}

/** The run of a group whose own value is nearest to the pointer. */
function memberAt(line: Line, x: number, top: number, y: (value: number) => number): NonNullable<Line["members"]>[0] {
  let [best, distance] = [line.members![0]!, Infinity];
  for (const member of line.members!) {
    const value = at(member, x);
    const away = Number.isFinite(value) ? Math.abs(y(value) - top) : 1e9;
    if (away < distance) [best, distance] = [member, away];
  }
  return best;
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
