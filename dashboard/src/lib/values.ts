/** Cells of tables: as numbers, as text, and as CSV and Markdown. Numbers that are not finite arrive as text. */

export type Cell = number | string | boolean | null | string[];

/** ISO 8601 as seconds since the epoch; null for what is no time. */
export function secondsOf(cell: unknown): number | null {
  const at = typeof cell === "string" ? Date.parse(cell) / 1000 : NaN;
  return Number.isFinite(at) ? at : null;
}

/** Seconds since the epoch as ISO 8601, in UTC. */
export const isoOf = (seconds: number): string => new Date(seconds * 1000).toISOString();

/** A cell as a number, or null where it is none. */
export function toNumber(cell: Cell | undefined): number | null {
  if (typeof cell === "number") return cell;
  if (cell === "NaN") return NaN;
  if (cell === "Infinity") return Infinity;
  return cell === "-Infinity" ? -Infinity : null;
}

/** A cell as text, in full. */
export function toText(cell: Cell | undefined): string {
  if (cell === null || cell === undefined) return "";
  return Array.isArray(cell) ? cell.join(", ") : String(cell);
}

const UP = /acc|auc|f1|precision|recall|bleu|rouge|score|reward|return|iou|map\b|ndcg|psnr|ssim|r2|throughput|per_s/i;
const DOWN = /loss|err|perplexity|ppl|mse|mae|rmse|nll|ece|cer|wer|fid|time|duration|latency/i;

/** Whether more of a metric is better (1), less (-1), or nobody can say (0), from its name. */
export function direction(path: string): 1 | 0 | -1 {
  if (DOWN.test(path)) return -1;
  return UP.test(path) ? 1 : 0;
}

/**
 * RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe before it; numbers stay as they are.
 *
 * Source: https://owasp.org/www-community/attacks/CSV_Injection
 */
export function csv(header: readonly string[], rows: Iterable<readonly Cell[]>): string {
  const lines = [header.map(field).join(",")];
  for (const row of rows) lines.push(row.map(field).join(","));
  return lines.join("\r\n") + "\r\n";
}

function field(cell: Cell): string {
  let text = toText(cell);
  if (
    typeof cell === "string" &&
    /^[=+\-@\t\r]/.test(text) &&
    !Number.isFinite(Number(text)) &&
    !/^[+-]?(Infinity|NaN)$/.test(text)
  )
    text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** GitHub's table. */
export function markdown(header: readonly string[], rows: Iterable<readonly string[]>): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((c) => c.replace(/[|\\]/g, "\\$&").replace(/\s+/g, " ")).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...[...rows].map(line)].join("\n") + "\n";
}
