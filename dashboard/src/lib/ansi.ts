/** Terminal colours of log lines, as runs of text with class names. Everything else that a terminal obeys is left out. */

export interface Span {
  text: string;
  className: string;
}

const SEQUENCE =
  /\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f]/g;

export function spans(line: string): Span[] {
  const found: Span[] = [];
  let [color, background, isBold, isDim, at] = ["", "", false, false, 0];
  const push = (text: string): void => {
    if (!text) return;
    const names = [color, background, isBold ? "ab" : "", isDim ? "ad" : ""];
    found.push({ text, className: names.filter(Boolean).join(" ") });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    push(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[1] === undefined) continue;
    const codes = match[1].split(/[;:]/).map(Number);
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i]!;
      if (code === 0) [color, background, isBold, isDim] = ["", "", false, false];
      else if (code === 1) isBold = true;
      else if (code === 2) isDim = true;
      else if (code === 22) [isBold, isDim] = [false, false];
      else if (code === 38 || code === 48) {
        const isIndexed = codes[i + 1] === 5;
        const name = isIndexed ? indexed(codes[i + 2] ?? 0) : "";
        if (code === 38) color = name && `a${name}`;
        i += isIndexed ? 2 : 4;
      } else if (code === 39) color = "";
      else if (code === 49) background = "";
      else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) color = `a${code % 10}`;
      else if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) background = `b${code % 10}`;
    }
  }
  push(line.slice(at));
  return found;
}

/** The nearest of the eight colours to one of the 256. */
function indexed(index: number): string {
  if (index < 16) return String(index % 8);
  if (index >= 232) return "";
  const [r, g, b] = [Math.floor((index - 16) / 36), Math.floor((index - 16) / 6) % 6, (index - 16) % 6];
  return String((r > 2 ? 1 : 0) + (g > 2 ? 2 : 0) + (b > 2 ? 4 : 0));
}
