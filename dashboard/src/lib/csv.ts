/** Tables as text for other programs. */
import type { Cell } from "./values";
import { toText } from "./values";

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
