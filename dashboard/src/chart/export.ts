/** Charts as files: PNG as seen, SVG as lines, CSV as numbers. */
import { csv } from "../lib/csv";
import { compact } from "../lib/format";
import { token } from "../state/theme";
import type { Chart } from "./chart";
import type { Column } from "../lib/series";
import type { Line } from "./lines";
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

export async function exportPng(chart: Chart, title: string): Promise<void> {
  const layers = chart.canvases();
  const first = layers[0];
  if (!first) return;
  const ratio = devicePixelRatio || 1;
  const [head, row] = [30 * ratio, 18 * ratio];
  const names = chart.lines.slice(0, 30);
  const columns = Math.max(1, Math.floor(first.width / (220 * ratio)));
  const canvas = document.createElement("canvas");
  canvas.width = first.width;
  canvas.height = first.height + head + Math.ceil(names.length / columns) * row + row / 2;
  const g = canvas.getContext("2d")!;
  g.fillStyle = token("--panel");
  g.fillRect(0, 0, canvas.width, canvas.height);
  g.fillStyle = token("--text");
  g.font = `600 ${13 * ratio}px Geist, sans-serif`;
  g.fillText(title, 12 * ratio, 20 * ratio);
  for (const layer of layers) g.drawImage(layer, 0, head);
  g.font = `${11 * ratio}px Geist, sans-serif`;
  names.forEach((line, i) => {
    const [x, y] = [
      12 * ratio + (i % columns) * 220 * ratio,
      first.height + head + Math.floor(i / columns) * row + row / 2,
    ];
    g.fillStyle = line.color;
    g.fillRect(x, y - 4 * ratio, 9 * ratio, 9 * ratio);
    g.fillStyle = token("--text-2");
    g.fillText(line.label, x + 14 * ratio, y + 4 * ratio, 200 * ratio);
  });
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
  if (blob) download(fileName(title, "png"), blob);
}

const xml = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

export function svgOf(lines: readonly Line[], shown: Area, title: string): string {
  const area: Area = { ...shown, left: 56, top: 40, width: 720, height: 360, ratio: 1 };
  const { X, Y } = scalesOf(area);
  const parts: string[] = [];
  for (const [value, isX] of [
    ...ticks(area.x, area.isLogX).map((v) => [v, true] as const),
    ...ticks(area.y, area.isLogY).map((v) => [v, false] as const),
  ]) {
    if (isX)
      parts.push(
        `<text x="${X(value).toFixed(1)}" y="${area.top + area.height + 16}" text-anchor="middle">${compact(value) || "0"}</text>`,
      );
    else {
      parts.push(`<path class="g" d="M${area.left} ${Y(value).toFixed(1)}h${area.width}"/>`);
      parts.push(
        `<text x="${area.left - 6}" y="${(Y(value) + 4).toFixed(1)}" text-anchor="end">${compact(value) || "0"}</text>`,
      );
    }
  }
  lines.forEach((line, i) => {
    if (line.low && line.high)
      parts.push(`<path d="${bandPath(line, area)}" fill="${line.color}" fill-opacity=".15"/>`);
    const dash = line.dash.length ? ` stroke-dasharray="${line.dash.join(" ")}"` : "";
    parts.push(`<path d="${linePath(line, area)}" fill="none" stroke="${line.color}" stroke-width="1.5"${dash}/>`);
    const y = area.top + area.height + 40 + Math.floor(i / 3) * 18;
    parts.push(`<rect x="${area.left + (i % 3) * 240}" y="${y - 9}" width="10" height="10" fill="${line.color}"/>`);
    parts.push(`<text x="${area.left + (i % 3) * 240 + 15}" y="${y}">${xml(line.label)}</text>`);
  });
  const height = area.top + area.height + 50 + Math.ceil(lines.length / 3) * 18;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 ${height}" width="800" height="${height}" font-family="Geist, sans-serif" font-size="11" fill="#50545b">` +
    `<style>.g{stroke:#0002}</style><rect width="800" height="${height}" fill="#fff"/><clipPath id="c"><rect x="${area.left}" y="${area.top}" width="${area.width}" height="${area.height}"/></clipPath>` +
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

function ticks([low, high]: readonly [number, number], isLog: boolean): number[] {
  if (isLog) {
    const found: number[] = [];
    for (let e = Math.ceil(Math.log10(low)); e <= Math.log10(high); e++) found.push(10 ** e);
    return found;
  }
  const rough = (high - low) / 6;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const gap = [1, 2, 5, 10].map((m) => m * unit).find((g) => g >= rough) ?? rough;
  const found: number[] = [];
  for (let v = Math.ceil(low / gap) * gap; v <= high; v += gap) found.push(Number(v.toPrecision(12)));
  return found;
}

/** A row for each point as drawn: line, x, value, and the extremes of its bucket. */
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

export function csvOf(lines: readonly Line[], x: string): string {
  const rows: (string | number)[][] = [];
  for (const line of lines) {
    const [raw, low, high] = [line.raw ?? line.y, line.low ?? line.raw ?? line.y, line.high ?? line.raw ?? line.y];
    for (let i = 0; i < line.n; i++)
      rows.push([line.label, line.path, line.x[i]!, ...[raw, line.y, low, high].map((column) => plain(column, i))]);
  }
  return csv(["run", "metric", x, "value", "drawn", "min", "max"], rows);
}
