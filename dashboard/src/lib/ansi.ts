/** Terminal colours of log lines, as runs of text with class names. Everything else that a terminal obeys is left out. */

export interface Span {
  text: string;
  className: string;
}

const SEQUENCE =
  /\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f]/g;

// What a code switches on, as a class name, and what switches it off again.
const STYLES: Record<number, string> = { 1: "ab", 2: "ad", 3: "ai", 4: "au", 7: "an", 9: "as" };
const OFF: Record<number, string> = { 22: "ab ad", 23: "ai", 24: "au", 27: "an", 29: "as" };

export function spans(line: string): Span[] {
  const found: Span[] = [];
  let [color, background, at] = ["", "", 0];
  const styles = new Set<string>();
  const push = (text: string): void => {
    if (text) found.push({ text, className: [color, background, ...styles].filter(Boolean).join(" ") });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    push(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[1] === undefined) continue;
    const codes = match[1].split(/[;:]/).map(Number);
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i]!;
      if (STYLES[code]) styles.add(STYLES[code]);
      else if (OFF[code]) for (const name of OFF[code].split(" ")) styles.delete(name);
      else if (code === 0) {
        [color, background] = ["", ""];
        styles.clear();
      } else if (code === 38 || code === 48) {
        const isIndexed = codes[i + 1] === 5;
        const name = isIndexed ? indexed(codes[i + 2] ?? 0) : nearest(codes.slice(i + 2, i + 5));
        if (code === 38) color = name && `a${name}`;
        else background = name && `b${name}`;
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

const LEVELS = [0, 95, 135, 175, 215, 255];

/** One of the 256 colours as one of ours. */
function indexed(index: number): string {
  if (index < 16) return String(index % 8);
  if (index >= 232) return "";
  return nearest(
    [Math.floor((index - 16) / 36), Math.floor((index - 16) / 6) % 6, (index - 16) % 6].map((i) => LEVELS[i]!),
  );
}

/** The one of our six colours, which can be read in both themes, that has the nearest hue; none for a grey. */
function nearest([r = 0, g = 0, b = 0]: number[]): string {
  const [low, high] = [Math.min(r, g, b), Math.max(r, g, b)];
  if (!(high - low > 0.2 * high)) return "";
  const sixth =
    high === r ? (g - b) / (high - low) : high === g ? 2 + (b - r) / (high - low) : 4 + (r - g) / (high - low);
  const hue = (sixth * 60 + 360) % 360;
  return hue < 20 || hue >= 345 ? "1" : hue < 75 ? "3" : hue < 165 ? "2" : hue < 200 ? "6" : hue < 265 ? "4" : "5";
}
