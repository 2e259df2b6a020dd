/** The command palette: jump to a run, a metric or a project, or do something. */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Table } from "../../api/api";
import { api } from "../../api/api";
import { counted } from "../../lib/format";
import { hardwareName, nameOf } from "../../lib/metrics";
import { go, keptParams, pagePath, projectPath, runLink, setParams } from "../../state/location";
import { project } from "../../state/project";
import { areKeysShown, isPaletteOpen, pageLink } from "../../state/shell";
import { BASE_COLUMNS, rowFrom } from "../../state/table";
import { runColor, toggleTheme } from "../../state/theme";
import { Dialog } from "../parts/dialog";
import type { IconName } from "../parts/icons";
import { Icon } from "../parts/icons";
import { StateMark, useAnswer } from "../parts/parts";

interface Entry {
  group: string;
  name: string;
  detail?: string;
  icon?: IconName;
  color?: string;
  state?: string;
  act: () => void;
}

export function Palette(): JSX.Element | null {
  if (!isPaletteOpen.value) return null;
  return <Open />;
}

function Open(): JSX.Element {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const now = project.value;
  const close = (): void => {
    isPaletteOpen.value = false;
  };
  const runs = useAnswer(
    () =>
      now
        ? api.runs(now.name, { filter: text ? quoted(text) : "", columns: [...BASE_COLUMNS], limit: 6 })
        : Promise.resolve(null),
    [text],
  );
  const projects = useAnswer(api.projects, []);
  const entries = useMemo(() => {
    const has = (entry: { name: string }): boolean => entry.name.toLowerCase().includes(text.toLowerCase());
    const metrics =
      text && now
        ? now.metrics
            .peek()
            .filter((path) => has({ name: path }))
            .slice(0, 6)
        : [];
    return [
      // The answer to an earlier text is on the screen until the next one is here.
      ...runEntries(now?.name ?? "", runs.data).filter((entry) => has(entry) || has({ name: entry.detail ?? "" })),
      ...metrics.map((path): Entry => ({
        group: "Metrics",
        name: hardwareName(path),
        icon: "log",
        act: () => go(pagePath(now!.name, "workspace") + keptParams({ f: nameOf([path]) })),
      })),
      ...actions(now?.name ?? "").filter(has),
      ...(projects.data ?? [])
        .filter(has)
        .slice(0, 6)
        .map((one): Entry => ({
          group: "Projects",
          name: one.name,
          detail: counted(one.runs, "run"),
          icon: "file",
          act: () => go(projectPath(one.name)),
        })),
    ];
  }, [text, runs.data, projects.data]);
  useEffect(() => setChosen(0), [text]);
  useEffect(() => list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }), [chosen]);
  const run = (entry: Entry | undefined): void => {
    if (!entry) return;
    close();
    entry.act();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setChosen((chosen + (event.key === "ArrowDown" ? 1 : entries.length - 1)) % Math.max(1, entries.length));
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(entries[chosen]);
    }
  };
  return (
    <Dialog label="Command palette" className="pal" onClose={close}>
      <div class="in">
        <Icon name="search" />
        <input
          placeholder="Search runs, metrics, projects and actions"
          aria-label="Search runs, metrics, projects and actions"
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={entries.length ? `palette-${chosen}` : undefined}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <kbd>esc</kbd>
      </div>
      <ul id="palette-list" role={entries.length ? "listbox" : undefined} aria-label="Results" ref={list}>
        {entries.map((entry, i) => (
          <>
            {entry.group !== entries[i - 1]?.group && (
              <li class="g" role="presentation" key={entry.group}>
                {entry.group}
              </li>
            )}
            <li
              key={`${entry.group} ${entry.name} ${i}`}
              id={`palette-${i}`}
              class="it"
              role="option"
              aria-selected={i === chosen}
              onMouseMove={() => setChosen(i)}
              onClick={() => run(entry)}
            >
              {entry.color && <span class="sw" style={{ "--c": entry.color }} />}
              {entry.icon && <Icon name={entry.icon} isSmall />}
              <span>{entry.name}</span>
              <StateMark state={entry.state ?? ""} />
              {entry.detail && <span class="r">{entry.detail}</span>}
            </li>
          </>
        ))}
      </ul>
    </Dialog>
  );
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;

function runEntries(name: string, table: Table | null): Entry[] {
  return (table?.ids ?? []).map((id, i) => {
    const row = rowFrom(
      id,
      Object.fromEntries(Object.entries(table!.columns).map(([path, values]) => [path, values[i] ?? null])),
    );
    return {
      group: "Runs",
      name: row.name,
      detail: id === row.name ? "" : id,
      color: runColor(row),
      state: row.state,
      act: () => go(runLink(name, id)),
    };
  });
}

function actions(name: string): Entry[] {
  const entry = (text: string, detail: string, icon: IconName, act: () => void): Entry => ({
    group: "Actions",
    name: text,
    detail,
    icon,
    act,
  });
  const here = name
    ? [
        entry("Workspace", "1", "log", () => go(pageLink(name, "workspace"))),
        entry("Table of runs", "2", "columns", () => go(pageLink(name, "table"))),
        entry("Compare", "3", "compare", () => go(pageLink(name, "compare"))),
        entry("Filter runs", "/", "search", () => document.getElementById("run-filter")?.focus()),
        entry("Show running runs only", "", "eye", () => setParams({ q: "state:running" })),
        entry("Clear the filter", "", "close", () => setParams({ q: null })),
        entry("No smoothing", "", "log", () => setParams({ sm: null })),
        entry("Smooth by 0.6", "", "log", () => setParams({ sm: "0.6" })),
        entry("Open the trash", "", "trash", () => go(`${pagePath(name, "table")}?trash=1`)),
      ]
    : [];
  return [
    ...here,
    entry("All projects", "", "file", () => go("/")),
    entry("Light or dark", "t", "moon", toggleTheme),
    entry("Keyboard shortcuts", "?", "help", () => (areKeysShown.value = true)),
  ];
}
