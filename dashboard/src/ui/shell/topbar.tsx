/** The bar over every page: where one is, the views of the project, what is running. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { api } from "../../api/api";
import { count } from "../../lib/format";
import { go, params, projectPath, route, setParams } from "../../state/location";
import type { Project } from "../../state/project";
import { project } from "../../state/project";
import { COMMAND, areKeysShown, comparable, isPaletteOpen, pageLink } from "../../state/shell";
import { isDark, toggleTheme } from "../../state/theme";
import { Icon, Logo } from "../parts/icons";
import { Item, Limit, Menu } from "../parts/menu";
import { IconButton, useAnswer } from "../parts/parts";
import { attempt, say } from "../parts/say";

export function TopBar(): JSX.Element {
  const { page } = route.value;
  const now = project.value;
  return (
    <header class="top">
      <a class="logo" href="/" aria-label="Goodseed: all projects">
        <Logo />
        <span>goodseed</span>
      </a>
      {now && (
        <>
          <nav class="crumb" aria-label="Project">
            <span class="sep" aria-hidden="true">
              /
            </span>
            <ProjectMenu name={now.name} />
          </nav>
          <nav class="tabs" aria-label="Views">
            <a href={pageLink(now.name, "workspace")} aria-current={page === "workspace" ? "page" : undefined}>
              Workspace
            </a>
            <a href={pageLink(now.name, "table")} aria-current={page === "table" ? "page" : undefined}>
              Table {now.table.isLoaded.value && <span class="n">{count(now.table.total.value)}</span>}
            </a>
            <a href={pageLink(now.name, "compare")} aria-current={page === "compare" ? "page" : undefined}>
              Compare {now.table.isLoaded.value && <span class="n">{comparable().length}</span>}
            </a>
          </nav>
        </>
      )}
      <span class="sp" />
      {now && <Views project={now} />}
      <button type="button" class="cmdk" onClick={() => (isPaletteOpen.value = true)}>
        <Icon name="search" isSmall />
        <span>Search or jump to…</span>
        <kbd>{COMMAND}K</kbd>
      </button>
      {now && <Live project={now} />}
      <span class="hide-phone">
        <IconButton icon={isDark.value ? "sun" : "moon"} label="Light or dark (t)" onClick={toggleTheme} />
        <IconButton icon="help" label="Keyboard shortcuts (?)" onClick={() => (areKeysShown.value = true)} />
      </span>
    </header>
  );
}

function ProjectMenu({ name }: { name: string }): JSX.Element {
  const slash = name.lastIndexOf("/") + 1;
  return (
    <Menu
      label="Projects"
      button={(toggle, isOpen) => (
        <button type="button" aria-expanded={isOpen} onClick={toggle}>
          <span>
            <span class="dim">{name.slice(0, slash)}</span>
            {name.slice(slash)}
          </span>
          <Icon name="down" isSmall />
        </button>
      )}
    >
      {(close) => <ProjectItems close={close} />}
    </Menu>
  );
}

function ProjectItems({ close }: { close: () => void }): JSX.Element {
  const { data } = useAnswer(api.projects, []);
  const [text, setText] = useState("");
  const found = (data ?? []).filter((one) => one.name.toLowerCase().includes(text.toLowerCase()));
  return (
    <>
      <div class="pad">
        <input
          class="field"
          placeholder="Find a project"
          aria-label="Find a project"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      {found.slice(0, 100).map((one) => (
        <Item
          key={one.name}
          isFound
          right={count(one.runs)}
          onClick={() => {
            close();
            go(projectPath(one.name));
          }}
        >
          {one.name}
        </Item>
      ))}
      <Limit shown={100} of={found.length} what="projects" />
      <div class="ln" />
      <Item onClick={() => go("/")}>All projects</Item>
    </>
  );
}

function Live({ project: now }: { project: Project }): JSX.Element {
  const running = now.running.value;
  const look = now.isOffline.value ? "bad" : now.isPaused.value || !running ? "idle" : "";
  const text = now.isPaused.value ? "Paused" : running ? `${running} running` : "Live";
  return (
    <button
      type="button"
      class="live"
      title={now.isPaused.value ? "Go on with live updates" : "Pause live updates"}
      aria-pressed={now.isPaused.value}
      onClick={() => now.togglePause()}
    >
      <span class={`pulse ${look}`} />
      {text}
    </button>
  );
}

/** Settings kept on the server under a name, for everybody who opens the project. */
function Views({ project: now }: { project: Project }): JSX.Element {
  return (
    <Menu
      label="Saved views"
      button={(toggle, isOpen) => (
        <button type="button" class="btn gh hide-s" aria-expanded={isOpen} onClick={toggle}>
          <Icon name="save" isSmall />
          Views
        </button>
      )}
    >
      {(close) => <ViewItems project={now} close={close} />}
    </Menu>
  );
}

function ViewItems({ project: now, close }: { project: Project; close: () => void }): JSX.Element {
  const { data, reload } = useAnswer(() => api.views(now.name), [now.name]);
  const [name, setName] = useState("");
  const save = async (): Promise<void> => {
    const done = await attempt(() => api.saveView(now.name, name.trim(), { query: params.peek().toString() }));
    if (done === undefined) return;
    say(`Saved as “${name.trim()}”`);
    close();
  };
  const open = async (view: string): Promise<void> => {
    const found = await attempt(() => api.view(now.name, view));
    if (!found) return;
    close();
    go(location.pathname + (typeof found.query === "string" && found.query ? `?${found.query}` : ""));
  };
  return (
    <>
      <form
        class="pad lrow"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <input
          class="field"
          placeholder="Save this view as…"
          aria-label="Save this view as"
          maxLength={100}
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <button type="submit" class="btn pri" disabled={!name.trim()}>
          Save
        </button>
      </form>
      {(data?.views ?? []).map((view) => (
        <div class="lrow" key={view.name}>
          <Item icon="save" onClick={() => void open(view.name)}>
            {view.name}
          </Item>
          <IconButton
            icon="trash"
            label={`Remove the view ${view.name}`}
            isSmall
            onClick={() => void attempt(() => api.removeView(now.name, view.name)).then(reload)}
          />
        </div>
      ))}
      <div class="ln" />
      <Item
        icon="restore"
        onClick={() => setParams(Object.fromEntries([...params.peek().keys()].map((key) => [key, null])))}
      >
        Reset all settings
      </Item>
    </>
  );
}
