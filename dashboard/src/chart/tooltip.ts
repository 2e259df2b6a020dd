/** The values of all runs at the cursor. Plain DOM, as it changes with every move of the pointer. */
import { among, counted, meanText } from "../lib/format";
import { abridged } from "../lib/words";
import { project } from "../state/project";
import { SHIFT } from "../state/shell";
import { xText } from "./axes";
import type { Line } from "./data/line";
import { isShift } from "./hover";

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
  /** How much of the y axis is seen. */
  span: number;
  isSmooth: boolean;
  isLess: boolean;
}

const FEW = 5;
const GAP = 18;
const ROW = 20; // pixels
const FRAME = 70; // head and foot, and what stays free above and below

interface Parts {
  box: HTMLElement;
  head: Text;
  rows: HTMLElement;
  foot: Text;
  hint: HTMLElement;
}

let parts: Parts | null = null;
let last: Tip | null = null;
// The size is asked for only when there is another number of rows or longer names: asking costs a layout.
let measured = { key: "", width: 0, height: 0 };

function make(name: string, className: string, ...children: (Node | string)[]): HTMLElement {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
}

function makeParts(): Parts {
  const [head, foot] = [document.createTextNode(""), document.createTextNode("")];
  const hint = make("span", "", make("kbd", "", SHIFT), " all");
  const rows = make("div", "");
  const box = make(
    "div",
    "tip",
    make("div", "th", make("b", "", head)),
    rows,
    make("div", "tf", make("span", "", foot), hint),
  );
  document.body.append(box);
  return { box, head, rows, foot, hint };
}

export function hideTip(): void {
  last = null;
  parts?.box.classList.remove("on");
}

isShift.subscribe(() => {
  if (last) showTip(last);
});

export function showTip(tip: Tip): void {
  if (!tip.rows.length) {
    hideTip();
    return;
  }
  last = tip;
  parts ??= makeParts();
  const { box, head, rows, foot, hint } = parts;
  setText(head, xText(tip.axis, tip.x));
  // The first ones, and the one under the pointer wherever it stands.
  const limit = isShift.peek() ? Math.floor((innerHeight - FRAME) / ROW) : FEW;
  const shown = tip.rows.slice(0, limit);
  const own = tip.rows.findIndex((row) => row.line.key === tip.key);
  if (own >= limit) shown[limit - 1] = tip.rows[own]!;
  while (rows.childElementCount > shown.length) rows.lastElementChild!.remove();
  while (rows.childElementCount < shown.length) rows.append(makeRow());
  let longest = 0;
  shown.forEach((row, i) => {
    longest = Math.max(longest, fillRow(rows.children[i] as HTMLElement, row, tip));
  });
  setText(foot, `${tip.isLess ? "lowest" : "highest"} first · ${counted(tip.rows.length, "line")}`);
  hint.hidden = tip.rows.length <= FEW || isShift.peek();
  box.classList.add("on");
  const key = `${shown.length} ${longest >> 2}`;
  if (key !== measured.key) measured = { key, width: box.offsetWidth, height: box.offsetHeight };
  const { width, height } = measured;
  const left = tip.at[0] + GAP + width > innerWidth - 8 ? tip.at[0] - width - GAP : tip.at[0] + GAP;
  const top = Math.max(8, Math.min(innerHeight - height - 8, tip.at[1] - height / 2));
  box.style.transform = `translate(${Math.round(left)}px,${Math.round(top)}px)`;
}

const makeRow = (): HTMLElement =>
  make(
    "div",
    "tr",
    make("span", "sw"),
    make("span", "nm", document.createTextNode("")),
    make("span", "vl", make("span", "raw", document.createTextNode("")), document.createTextNode("")),
  );

// What is set again is laid out again, even where it stays the same.
function setText(node: Text, text: string): void {
  if (node.data !== text) node.data = text;
}

/** Returns how many characters the row has. */
function fillRow(row: HTMLElement, shown: TipRow, tip: Tip): number {
  const { line, value } = shown;
  const [color, name, text] = row.children as unknown as [HTMLElement, HTMLElement, HTMLElement];
  row.classList.toggle("on", line.key === tip.key);
  if (color.dataset["c"] !== line.color) color.style.setProperty("--c", (color.dataset["c"] = line.color));
  const label = abridged(line.label, project.peek()?.differences.peek().get(line.label));
  setText(name.firstChild as Text, label);
  const side = sideText(shown, tip);
  setText(text.firstElementChild!.firstChild as Text, side);
  const written =
    line.std && line.count![shown.index]! > 1 ? meanText(value, line.std[shown.index]!) : among(value, tip.span);
  setText(text.lastChild as Text, written);
  return label.length + side.length + written.length;
}

/** What belongs to the value: of a group how many runs it has there, of a smoothed line what was logged, of a bucket its extremes. */
function sideText({ line, index, span: [first, last] }: TipRow, tip: Tip): string {
  if (line.count) return `n ${line.count[index] ?? 0}`;
  if (line.key !== tip.key) return "";
  const broken = line.spans.find((span) => span.to >= line.x[first]! && span.from <= line.x[last]!);
  if (broken) return `${broken.text} here`;
  let [low, high] = [Infinity, -Infinity];
  for (let i = first; i <= last; i++) {
    low = Math.min(low, (line.low ?? line.raw ?? line.y)[i]!);
    high = Math.max(high, (line.high ?? line.raw ?? line.y)[i]!);
  }
  const what = line.raw ? "raw " : "";
  if ((line.low || last > first) && low < high) return `${what}${among(low, tip.span)} to ${among(high, tip.span)}`;
  return line.raw ? `raw ${among(line.raw[index]!, tip.span)}` : "";
}
