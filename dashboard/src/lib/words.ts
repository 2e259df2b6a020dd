/** Words of a filter, lists of tags, and names shortened to the room that there is. */

export interface Word {
  start: number;
  end: number;
  /** The attribute, where the caret is behind an operator; else empty. */
  name: string;
  operator: string;
  /** What has been typed of the name or value. */
  text: string;
}

const TERM = /^([^\s()"'<>=!~:`]+|`[^`]*`?)?(<=|>=|!=|!~|==|=|<|>|~|:)?(.*)$/;

export function wordAt(filter: string, caret: number): Word {
  let start = caret;
  while (start > 0 && !/[\s()]/.test(filter[start - 1]!)) start--;
  let end = caret;
  while (end < filter.length && !/[\s()]/.test(filter[end]!)) end++;
  const typed = filter.slice(start, caret).replace(/^[-!](?=.)/, "");
  start = caret - typed.length;
  const match = TERM.exec(typed);
  const [name, operator, rest] = [match?.[1] ?? "", match?.[2] ?? "", match?.[3] ?? ""];
  return operator
    ? { start, end, name, operator, text: rest }
    : { start, end, name: "", operator: "", text: name.replaceAll("`", "") };
}

/** A path as it is written in a filter: with back-quotes where it needs them. */
export const quotedPath = (path: string): string => {
  const [, name = path, aggregate = ""] = /^(.*?)(:(?:last|min|max|mean|first|count))?$/s.exec(path) ?? [];
  return (/^[\w./@-]+$/.test(name) ? name : `\`${name}\``) + aggregate;
};

/** A value as it is written in a filter. */
export const quotedValue = (value: string): string =>
  /^[^\s()"'`]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;

/** Tags with commas between them; one that holds a comma itself stands in quotes. */
export const tagsText = (tags: readonly string[]): string =>
  tags.map((tag) => (/[,"\\]/.test(tag) ? `"${tag.replace(/["\\]/g, "\\$&")}"` : tag)).join(", ");

/** The tags that `tagsText`, or somebody's hand, has written. */
export function tagsIn(text: string): string[] {
  const found = text.match(/\s*"(?:[^"\\]|\\.)*"\s*(?=,|$)|[^,]+/g) ?? [];
  const tags = found
    .map((part) => part.trim())
    .map((tag) => (/^".*"$/.test(tag) ? tag.slice(1, -1).replace(/\\(.)/g, "$1") : tag));
  return [...new Set(tags.filter(Boolean))].sort();
}

const SIGHT = 12; // characters of a name that a narrow place has room for, at its beginning and elsewhere
export const TAIL = 10;

/**
 * Where the part of each name begins that tells it from its nearest neighbours.
 *
 * Only of long names whose difference is neither at the beginning nor at the end, which are always seen.
 */
export function differences(names: Iterable<string>): Map<string, number> {
  const sorted = [...new Set(names)].filter((name) => name.length > 2 * TAIL).sort();
  const common = sorted.map((name, i) => (i ? sharedLength(sorted[i - 1]!, name) : 0));
  const found = new Map<string, number>();
  sorted.forEach((name, i) => {
    const at = Math.max(common[i]!, common[i + 1] ?? 0) - 2;
    if (at >= SIGHT && at < name.length - TAIL) found.set(name, at);
  });
  return found;
}

function sharedLength(one: string, other: string): number {
  let i = 0;
  while (i < one.length && one[i] === other[i]) i++;
  return i;
}

/** A long name in one line: its beginning, and where it differs. */
export const abridged = (name: string, at: number | undefined): string =>
  at === undefined ? name : `${name.slice(0, SIGHT)}…${name.slice(at, at + SIGHT)}…`;

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
