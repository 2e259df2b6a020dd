/** The values of all runs at the cursor. Plain DOM, as it changes with every move of the pointer. */
import { number } from "../lib/format";
import { xText } from "./axes";
import { isShift } from "./hover";
import type { Line } from "./lines";

export interface TipRow {
  line: Line;
  index: number;
  value: number;
  /** The first and the last point that the cursor's pixel covers. */
  span: readonly [number, number];
}

interface Tip {
  rows: TipRow[];
  x: number;
  axis: string;
  at: readonly [number, number];
  key: string | null;
  isSmooth: boolean;
  isLess: boolean;
}

const FEW = 5;
const MANY = 24;
const GAP = 18;
let element: HTMLElement | null = null;
let last: Tip | null = null;

function make(name: string, className: string, text = ""): HTMLElement {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

export function hideTip(): void {
  last = null;
  element?.classList.remove("on");
}

isShift.subscribe(() => {
  if (last) showTip(last);
});

export function showTip(tip: Tip): void {
  last = tip;
  if (!element) {
    element = make("div", "tip");
    document.body.append(element);
  }
  const head = make("div", "th");
  head.append(make("b", "", xText(tip.axis, tip.x)));
  const limit = isShift.peek() ? MANY : FEW;
  const own = tip.rows.findIndex((row) => row.line.key === tip.key);
  const first = Math.max(0, Math.min(tip.rows.length - limit, own - (limit >> 1)));
  const shown = tip.rows.slice(first, first + limit).map((row) => rowOf(row, tip));
  const foot = make("div", "tf");
  foot.append(
    make(
      "span",
      "",
      `${tip.isLess ? "lowest" : "highest"} first · ${tip.rows.length} ${tip.rows.length === 1 ? "line" : "lines"}`,
    ),
  );
  if (tip.rows.length > FEW && !isShift.peek()) {
    const hint = make("span", "");
    hint.append(make("kbd", "", "⇧"), " all");
    foot.append(hint);
  }
  element.replaceChildren(head, ...shown, foot);
  element.classList.add("on");
  const [width, height] = [element.offsetWidth, element.offsetHeight];
  const isLeft = tip.at[0] + GAP + width > innerWidth - 8;
  element.style.left = `${isLeft ? tip.at[0] - width - GAP : tip.at[0] + GAP}px`;
  element.style.top = `${Math.max(8, Math.min(innerHeight - height - 8, tip.at[1] - height / 2))}px`;
}

function rowOf(shown: TipRow, tip: Tip): HTMLElement {
  const { line, value } = shown;
  const row = make("div", line.key === tip.key ? "tr on" : "tr");
  const color = make("span", "sw");
  color.style.setProperty("--c", line.color);
  const name = make("span", "nm", line.label);
  const text = make("span", "vl");
  const side = sideText(shown, tip);
  if (side) text.append(make("span", "raw", side));
  text.append(number(value));
  row.append(color, name, text);
  return row;
}

/** What belongs to the value: of a group its spread and size, of a smoothed line what was logged, of a bucket its extremes. */
function sideText({ line, index, span: [first, last] }: TipRow, tip: Tip): string {
  if (line.count) return `${line.count[index] ?? 0} runs · ${number(line.low![index])} to ${number(line.high![index])}`;
  if (line.key !== tip.key) return "";
  const broken = line.nonfinite.find(([at]) => at >= line.x[first]! && at <= line.x[last]!);
  if (broken) return `${broken[2] === "nan" ? "NaN" : broken[2]} here`;
  let [low, high] = [Infinity, -Infinity];
  for (let i = first; i <= last; i++) {
    low = Math.min(low, (line.low ?? line.raw ?? line.y)[i]!);
    high = Math.max(high, (line.high ?? line.raw ?? line.y)[i]!);
  }
  const what = line.raw ? "raw " : "";
  if ((line.low || last > first) && low < high) return `${what}${number(low)} to ${number(high)}`;
  return line.raw ? `raw ${number(line.raw[index])}` : "";
}
