/** Texts for canvases, where no style sheet cuts them. */

/** The text, or its beginning and end, so that it is no wider than `width`. */
export function fitted(text: string, width: number, measure: (text: string) => number): string {
  if (measure(text) <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(shortened(text, middle)) <= width) low = middle;
    else high = middle - 1;
  }
  return low ? shortened(text, low) : "";
}

/** `kept` characters of the text, more of its end than of its beginning. */
function shortened(text: string, kept: number): string {
  const head = Math.floor(kept / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (kept - head))}`;
}
