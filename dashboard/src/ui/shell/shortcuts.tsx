/** All keys of the page. */
import type { JSX } from "preact";
import { ALT, COMMAND, SHIFT, areKeysShown } from "../../state/shell";
import { Dialog } from "../parts/dialog";
import { IconButton } from "../parts/parts";

const KEYS: readonly (readonly [string, ...string[]])[] = [
  ["Filter runs", "/"],
  ["Filter metrics", "m"],
  ["Command palette", `${COMMAND}K`],
  ["Workspace, table, compare", "1", "2", "3"],
  ["Next, previous run", "j", "k"],
  ["Show or hide a run", "space"],
  ["Open it", "enter"],
  ["Show one run alone", `${ALT} click`],
  ["Show a range of runs", `${SHIFT} click`],
  ["All runs in the tooltip", SHIFT],
  ["Group", "g"],
  ["Step, relative, wall time", "x"],
  ["Less, more smoothing", "[", "]"],
  ["Logarithmic y of the chart under the pointer, or in focus", "l"],
  ["Pin it", "p"],
  ["Show it alone", "f"],
  ["Reset the zoom", "0"],
  ["Compare the shown runs", "c"],
  ["Light or dark", "t"],
  ["These keys", "?"],
  ["Close", "esc"],
];

export function Shortcuts(): JSX.Element | null {
  if (!areKeysShown.value) return null;
  const close = (): void => {
    areKeysShown.value = false;
  };
  return (
    <Dialog label="Keyboard shortcuts" onClose={close}>
      <header>
        <h2>Keyboard shortcuts</h2>
        <span class="sp" />
        <IconButton icon="close" label="Close" onClick={close} />
      </header>
      <div class="body keys">
        {KEYS.map(([name, ...keys]) => (
          <div key={name}>
            <span>{name}</span>
            {keys.map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}
          </div>
        ))}
      </div>
    </Dialog>
  );
}
