/** A name in a narrow place: its middle gives way, or whatever it shares with the others of the list. */
import type { JSX } from "preact";
import { TAIL } from "../../lib/words";
import { project } from "../../state/project";

export function Name({ text }: { text: string }): JSX.Element {
  const cut = text.length > 2 * TAIL ? text.length - TAIL : text.length;
  const at = project.value?.differences.value.get(text);
  if (at !== undefined)
    return (
      <span class="mid">
        <span>{text.slice(0, at)}</span>
        <span>{text.slice(at, at + TAIL)}…</span>
      </span>
    );
  return (
    <span class="mid">
      <span>{text.slice(0, cut)}</span>
      {cut < text.length && <span>{text.slice(cut)}</span>}
    </span>
  );
}

/** Tags as far as there is room behind a name. */
export function Tags({ tags }: { tags: readonly string[] }): JSX.Element | null {
  if (!tags.length) return null;
  return (
    <span class="tags">
      {tags.map((tag) => (
        <span class="tag" key={tag}>
          {tag}
        </span>
      ))}
    </span>
  );
}

/** A run's name and tags, whole. */
export const wholeName = (run: { name: string; tags: readonly string[]; reason?: string | null }): string =>
  [run.name, run.tags.length ? run.tags.join(", ") : "", run.reason ? `ended: ${run.reason}` : ""]
    .filter(Boolean)
    .join("\n");
