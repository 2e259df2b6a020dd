/** Name, note, tags and colour of a run. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { api } from "../../api/api";
import { tagsIn, tagsText } from "../../lib/words";
import type { Project } from "../../state/project";
import { Dialog } from "../parts/dialog";
import { IconButton } from "../parts/parts";
import { attempt } from "../parts/say";

export interface Edited {
  id: string;
  name: string;
  description: string;
  tags: string[];
  color: string | null;
}

export function EditDialog(props: {
  project: Project;
  run: Edited;
  shownColor: string;
  onClose: () => void;
  onSaved: () => void;
}): JSX.Element {
  // What the editor was shown when it opened: the run may change meanwhile, and that is not to be taken back.
  const [run] = useState(props.run);
  const [name, setName] = useState(run.name);
  const [description, setDescription] = useState(run.description);
  const before = tagsText(run.tags);
  const [tags, setTags] = useState(before);
  const [color, setColor] = useState(run.color);
  const save = async (): Promise<void> => {
    const fields = {
      ...(name === run.name ? {} : { name }),
      ...(description === run.description ? {} : { description }),
      // Only the difference to what was on the screen is applied.
      ...(tags === before ? {} : { tags: tagsIn(tags), tags_before: run.tags }),
      ...(color === run.color ? {} : { color }),
    };
    if (Object.keys(fields).length && !(await attempt(() => api.change(props.project.name, run.id, fields)))) return;
    props.project.refresh();
    props.onSaved();
    props.onClose();
  };
  return (
    <Dialog label="Edit the run" onClose={props.onClose}>
      <header>
        <h2>Edit the run</h2>
        <span class="dim mono">{run.id}</span>
        <span class="sp" />
        <IconButton icon="close" label="Close" onClick={props.onClose} />
      </header>
      <form
        class="body stack"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <label>
          Name
          <input class="field" value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label>
          Note
          <textarea class="field" value={description} onInput={(event) => setDescription(event.currentTarget.value)} />
        </label>
        <label>
          Tags, with commas between them
          <input class="field" value={tags} onInput={(event) => setTags(event.currentTarget.value)} />
        </label>
        <div class="lrow">
          <label class="lrow">
            Colour{" "}
            <input
              type="color"
              value={color ?? props.shownColor}
              onInput={(event) => setColor(event.currentTarget.value)}
            />
          </label>
          {color !== null && (
            <button type="button" class="btn gh" onClick={() => setColor(null)}>
              Usual colour
            </button>
          )}
          <span class="sp" />
          <button type="submit" class="btn pri">
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}
