/** Charts as files: PNG as seen, SVG as lines, CSV as numbers. */
import { onPaper } from "../lib/colors";
import type { Column } from "../lib/series/series";
import { csv } from "../lib/values";
import { fitted } from "../lib/words";
import { token } from "../state/theme";
import type { AxesLook } from "./axes";
import { xTicks, xTitle, yTicks, yWidth } from "./axes";
import type { Chart } from "./chart";
import type { Line } from "./data/line";
import type { Area } from "./painter";
import { scalesOf } from "./painter";

export function download(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const fileName = (path: string, ending: string): string => `${path.replace(/[^\w.-]+/g, "_")}.${ending}`;

const MAX_NAMES = 60;

/** Names of lines in columns of one width, cut where they would run into the next. */
function legendOf(
  names: readonly string[],
  width: number,
  measure: (text: string) => number,
): { columns: number; column: number; names: string[] } {
  const widest = Math.max(60, ...names.map((name) => Math.ceil(measure(name))));
  const columns = Math.max(1, Math.min(names.length, Math.floor(width / (Math.min(widest, width / 2) + 34))));
  const column = width / columns;
  return { columns, column, names: names.map((name) => fitted(name, column - 34, measure)) };
}

const namesOf = (lines: readonly Line[]): string[] => [
  ...lines.slice(0, MAX_NAMES).map((line) => line.label),
  ...(lines.length > MAX_NAMES ? [`and ${lines.length - MAX_NAMES} more`] : []),
];

export async function exportPng(chart: Chart, title: string): Promise<void> {
  const layers = chart.canvases();
  const first = layers[0];
  if (!first) return;
  const ratio = devicePixelRatio || 1;
  const [head, row, foot] = [30 * ratio, 18 * ratio, 20 * ratio];
  const canvas = document.createElement("canvas");
  const g = canvas.getContext("2d")!;
  g.font = `${11 * ratio}px Geist, sans-serif`;
  const measure = (text: string): number => g.measureText(text).width / ratio;
  const legend = legendOf(namesOf(chart.lines), first.width / ratio - 24, measure);
  canvas.width = first.width;
  canvas.height = first.height + head + foot + Math.ceil(legend.names.length / legend.columns) * row + row / 2;
  g.fillStyle = token("--panel");
  g.fillRect(0, 0, canvas.width, canvas.height);
  g.fillStyle = token("--text");
  g.font = `600 ${13 * ratio}px Geist, sans-serif`;
  g.fillText(title, 12 * ratio, 20 * ratio);
  for (const layer of layers) g.drawImage(layer, 0, head);
  g.font = `${11 * ratio}px Geist, sans-serif`;
  g.fillStyle = token("--text-3");
  const { left, width } = chart.area();
  g.textAlign = "center";
  g.fillText(xTitle(chart.look.x), left + width / 2, first.height + head + 10 * ratio);
  g.textAlign = "left";
  legend.names.forEach((name, i) => {
    const x = (12 + (i % legend.columns) * legend.column) * ratio;
    const y = first.height + head + foot + Math.floor(i / legend.columns) * row + row / 2;
    const line = i < MAX_NAMES ? chart.lines[i] : undefined;
    if (line) {
      g.fillStyle = line.color;
      g.fillRect(x, y - 4 * ratio, 9 * ratio, 9 * ratio);
    }
    g.fillStyle = token("--text-2");
    g.fillText(name, x + 14 * ratio, y + 4 * ratio);
  });
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
  if (blob) download(fileName(title, "png"), blob);
}

const xml = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const LETTER = 6.2; // pixels of a letter of 11 pixels, on average

export function svgOf(lines: readonly Line[], shown: Area, look: AxesLook, title: string): string {
  const [plotWidth, plotHeight] = [720, 360];
  const ys = yTicks(look, ...shown.y, plotHeight);
  const left = Math.ceil(yWidth(ys)) + 26;
  const area: Area = { ...shown, left, top: 40, width: plotWidth, height: plotHeight, ratio: 1 };
  const { X, Y } = scalesOf(area);
  const bottom = area.top + area.height;
  const parts: string[] = [];
  for (const { at, text } of xTicks(look, ...area.x, plotWidth))
    if (text) parts.push(`<text x="${X(at).toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${xml(text)}</text>`);
  for (const { at, text } of ys) {
    if (!text) continue;
    parts.push(`<path class="g" d="M${left} ${Y(at).toFixed(1)}h${plotWidth}"/>`);
    parts.push(`<text x="${left - 6}" y="${(Y(at) + 4).toFixed(1)}" text-anchor="end">${xml(text)}</text>`);
  }
  parts.push(
    `<text class="t" x="${left + plotWidth / 2}" y="${bottom + 34}" text-anchor="middle">${xml(xTitle(look.x))}</text>`,
    `<text class="t" transform="translate(14 ${area.top + plotHeight / 2}) rotate(-90)" text-anchor="middle">${xml(title)}</text>`,
  );
  const legend = legendOf(namesOf(lines), plotWidth, (text) => text.length * LETTER);
  lines.forEach((line) => {
    if (line.low && line.high)
      parts.push(`<path d="${bandPath(line, area)}" fill="${onPaper(line.color)}" fill-opacity=".15"/>`);
    const dash = line.dash.length ? ` stroke-dasharray="${line.dash.join(" ")}"` : "";
    parts.push(
      `<path d="${linePath(line, area)}" fill="none" stroke="${onPaper(line.color)}" stroke-width="1.5"${dash}/>`,
    );
    for (const span of line.spans) {
      const [from, to] = [X(span.from), Math.max(X(span.from) + 2, X(span.to))];
      parts.push(
        `<path d="M${from.toFixed(1)} ${area.top}H${to.toFixed(1)}V${bottom}H${from.toFixed(1)}Z" fill="${onPaper(line.color)}" fill-opacity=".12"/>`,
        `<text x="${(from + 3).toFixed(1)}" y="${area.top + 14}" fill="${onPaper(line.color)}">${xml(span.text)}</text>`,
      );
    }
  });
  legend.names.forEach((name, i) => {
    const [x, y] = [left + (i % legend.columns) * legend.column, bottom + 58 + Math.floor(i / legend.columns) * 18];
    const line = i < MAX_NAMES ? lines[i] : undefined;
    if (line)
      parts.push(`<rect x="${x.toFixed(1)}" y="${y - 9}" width="10" height="10" fill="${onPaper(line.color)}"/>`);
    parts.push(
      `<text x="${(x + 15).toFixed(1)}" y="${y}">${line && line.label !== name ? `<title>${xml(line.label)}</title>` : ""}${xml(name)}</text>`,
    );
  });
  const width = left + plotWidth + 24;
  const height = bottom + 66 + Math.ceil(legend.names.length / legend.columns) * 18;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="Geist, sans-serif" font-size="11" fill="#50545b">` +
    `<style>.g{stroke:#0002}</style><rect width="${width}" height="${height}" fill="#fff"/><clipPath id="c"><rect x="${area.left}" y="${area.top}" width="${area.width}" height="${area.height}"/></clipPath>` +
    `<text x="${area.left}" y="22" font-size="14" font-weight="600" fill="#17181a">${xml(title)}</text>${parts.join("").replaceAll("<path d=", '<path clip-path="url(#c)" d=')}</svg>`
  );
}

function linePath(line: Line, area: Area): string {
  const { X, Y } = scalesOf(area);
  let [text, isDown] = ["", false];
  for (let i = 0; i < line.n; i++) {
    if (!Number.isFinite(line.y[i]!)) {
      isDown = false;
      continue;
    }
    text += `${isDown ? "L" : "M"}${X(line.x[i]!).toFixed(1)} ${Y(line.y[i]!).toFixed(1)}`;
    isDown = true;
  }
  return text;
}

function bandPath(line: Line, area: Area): string {
  const { X, Y } = scalesOf(area);
  const inner = [...Array(line.n).keys()].filter((i) => Number.isFinite(line.low![i]!));
  const edge = (i: number, value: number): string => `${X(line.x[i]!).toFixed(1)} ${Y(value).toFixed(1)}`;
  return `M${[...inner.map((i) => edge(i, line.high![i]!)), ...inner.reverse().map((i) => edge(i, line.low![i]!))].join("L")}Z`;
}

/** A number as short as it can be said: what is sent in four bytes has no more than nine digits. */
export function plain(column: Column, i: number): number {
  const value = column[i]!;
  if (!(column instanceof Float32Array)) return value;
  for (const digits of [6, 7, 8]) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

/** A row for each point as drawn: line, x, value, and the extremes of its bucket. */
export function csvOf(lines: readonly Line[], x: string): string {
  const rows: (string | number)[][] = [];
  for (const line of lines) {
    const [raw, low, high] = [line.raw ?? line.y, line.low ?? line.raw ?? line.y, line.high ?? line.raw ?? line.y];
    for (let i = 0; i < line.n; i++)
      rows.push([line.label, line.path, line.x[i]!, ...[raw, line.y, low, high].map((column) => plain(column, i))]);
  }
  return csv(["run", "metric", x, "value", "drawn", "min", "max"], rows);
}
