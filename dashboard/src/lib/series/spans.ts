/** Where the values of a line are not finite: stretches, however many points they have. */
import type { Series } from "./series";
import { nearest } from "./series";

export interface Span {
  from: number;
  to: number;
  /** What stands in the place of values. */
  text: string;
}

const NAMES = { nan: "NaN", inf: "+∞", "-inf": "−∞" } as const;

/** One span for all points that are not finite and follow one another. */
export function spansOf(line: Pick<Series, "x" | "nonfinite">): Span[] {
  const found: (Span & { index: number; kinds: Set<string> })[] = [];
  for (const [at, , kind] of line.nonfinite) {
    const index = nearest(line.x, at);
    const last = found.at(-1);
    if (last && index - last.index <= 1) {
      last.to = at;
      last.index = index;
      last.kinds.add(NAMES[kind]);
    } else found.push({ from: at, to: at, text: "", index, kinds: new Set([NAMES[kind]]) });
  }
  return found.map(({ from, to, kinds }) => ({ from, to, text: [...kinds].join(", ") }));
}

/** Spans of several lines as one: those that overlap, or are no further apart than `gap`, are joined. */
export function joined(spans: Iterable<Span>, gap = 0): Span[] {
  const found: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = found.at(-1);
    if (!last || span.from - last.to > gap) found.push({ ...span });
    else {
      last.to = Math.max(last.to, span.to);
      last.text = [...new Set([...last.text.split(", "), ...span.text.split(", ")])].join(", ");
    }
  }
  return found;
}
