/** The filter of runs, with completion of names and values, and a mark where it can't be read. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { api, ApiError } from "../../api/api";
import { toText } from "../../lib/values";
import type { Word } from "../../lib/words";
import { quotedPath, quotedValue, wordAt } from "../../lib/words";
import { setParams } from "../../state/location";
import type { Project } from "../../state/project";
import * as settings from "../../state/settings";
import { Icon } from "../parts/icons";
import { place } from "../parts/menu";

interface Suggestion {
  text: string;
  insert: string;
  hint: string;
}

const NAMES: readonly [string, string][] = [
  ["state", "running, finished, failed, crashed, pruned"],
  ["tag", "tag:baseline"],
  ["name", 'name~"vit.*"'],
  ["id", "the run's id"],
  ["created", "created>7d"],
  ["duration", "duration>1h"],
  ["progress", "progress>0.5"],
  ["eta", "eta<1h"],
  ["description", "the note"],
  ["archived", "archived:true"],
];
const STATES = ["running", "finished", "failed", "crashed", "pruned"];
const WAIT_MS = 250;
const UNFINISHED = /[<>=!~:(]\s*$|(^|\s)(and|or|not)\s*$|^[^"]*("[^"]*"[^"]*)*"[^"]*$/i;

/** Whether a filter is one only when more has been typed: asked as it is, it would be refused. */
function isUnfinished(text: string): boolean {
  if (UNFINISHED.test(text)) return true;
  const plain = text.replace(/"[^"]*"/g, "");
  if (plain.split("(").length > plain.split(")").length) return true;
  const state = /(?:^|[\s(-])state\s*(?:!=|[:=])\s*(\w+)$/i.exec(text)?.[1]?.toLowerCase();
  return state !== undefined && !STATES.includes(state) && STATES.some((one) => one.startsWith(state));
}

export function FilterBox({ project }: { project: Project }): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(settings.filter.value);
  const [suggestions, setSuggestions] = useState<Suggestion[]>([]);
  const [chosen, setChosen] = useState(-1);
  const timer = useRef(0);
  const turn = useRef(0);
  useEffect(() => {
    if (document.activeElement !== input.current) setText(settings.filter.value);
  }, [settings.filter.value]);

  const apply = (value: string): void => {
    clearTimeout(timer.current);
    setParams({ q: value.trim() || null });
  };
  const complete = async (): Promise<void> => {
    const mine = ++turn.current;
    const element = input.current!;
    const found = await suggest(project.name, wordAt(element.value, element.selectionStart ?? element.value.length));
    if (mine !== turn.current || document.activeElement !== element) return;
    setSuggestions(found);
    setChosen(-1);
  };
  const type = (value: string): void => {
    setText(value);
    clearTimeout(timer.current);
    if (!isUnfinished(value)) timer.current = window.setTimeout(() => apply(value), WAIT_MS);
    void complete();
  };
  const close = (): void => {
    turn.current++;
    setSuggestions([]);
  };
  const accept = (suggestion: Suggestion): void => {
    const element = input.current!;
    const word = wordAt(element.value, element.selectionStart ?? element.value.length);
    const start = word.operator
      ? word.end -
        (word.end - word.start) +
        element.value.slice(word.start, word.end).lastIndexOf(word.operator) +
        word.operator.length
      : word.start;
    const next = element.value.slice(0, start) + suggestion.insert + element.value.slice(word.end);
    setText(next);
    element.value = next;
    element.setSelectionRange(start + suggestion.insert.length, start + suggestion.insert.length);
    close();
    if (word.operator) apply(next);
    else void complete();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && chosen < 0) {
      apply(text);
      close();
    } else if (
      (event.key === "Enter" || (event.key === "Tab" && suggestions.length)) &&
      suggestions[Math.max(0, chosen)]
    ) {
      event.preventDefault();
      accept(suggestions[Math.max(0, chosen)]!);
    } else if (suggestions.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      setChosen(
        (chosen +
          (event.key === "ArrowDown" ? 1 : suggestions.length) +
          (chosen < 0 && event.key === "ArrowUp" ? 1 : 0)) %
          suggestions.length,
      );
    } else if (event.key === "Escape") {
      event.stopPropagation();
      if (suggestions.length) close();
      else input.current?.blur();
    }
  };
  // That the server is away is said over the page.
  const fault = project.table.error.value;
  const error = fault?.code === "unreachable" ? null : fault;
  const unknown = project.table.unknown.value.filter((name) => text.includes(name));
  return (
    <div>
      <label class={error?.code === "bad_filter" ? "q bad" : "q"}>
        <Icon name="search" isSmall />
        <input
          id="run-filter"
          ref={input}
          value={text}
          role="combobox"
          aria-expanded={suggestions.length > 0}
          aria-controls="run-filter-list"
          aria-activedescendant={chosen >= 0 ? `suggestion-${chosen}` : undefined}
          aria-autocomplete="list"
          aria-label="Filter runs"
          autocomplete="off"
          placeholder="Filter: lr<=1e-3 state:running…"
          spellcheck={false}
          onInput={(event) => type(event.currentTarget.value)}
          onFocus={() => void complete()}
          onBlur={() => {
            apply(text);
            close();
          }}
          onKeyDown={onKeyDown}
        />
        {text ? (
          <button type="button" class="ib sm" aria-label="Clear the filter" onClick={() => type("")}>
            <Icon name="close" isSmall />
          </button>
        ) : (
          <kbd>/</kbd>
        )}
        {suggestions.length > 0 && (
          <div
            class="menu"
            role="listbox"
            popover="manual"
            id="run-filter-list"
            aria-label="Completions"
            ref={(box) => {
              if (box) under(box, input.current);
            }}
          >
            {suggestions.map((one, i) => (
              <div
                key={one.insert}
                id={`suggestion-${i}`}
                class="it"
                role="option"
                aria-selected={i === chosen}
                onPointerDown={(event) => {
                  event.preventDefault();
                  accept(one);
                }}
              >
                <span class="mono">{one.text}</span>
                <span class="r">{one.hint}</span>
              </div>
            ))}
          </div>
        )}
      </label>
      {error && <FilterFault text={text} error={error} />}
      {!error && unknown.length > 0 && (
        <div class="fault" role="status">
          No run has {unknown.join(", ")}
        </div>
      )}
    </div>
  );
}

function under(box: HTMLElement, input: HTMLElement | null): void {
  const label = input?.closest("label")?.getBoundingClientRect();
  if (!label) return;
  box.style.width = `${Math.max(280, label.width)}px`;
  if (!box.matches(":popover-open")) box.showPopover();
  place(box, label);
}

function FilterFault({ text, error }: { text: string; error: ApiError }): JSX.Element {
  return (
    <div class="fault" role="alert">
      {error.column !== null && (
        <pre aria-hidden="true">
          {text}
          {"\n" + " ".repeat(error.column) + "^"}
        </pre>
      )}
      {error.hint ? `${error.message}. ${error.hint}` : error.message}
    </div>
  );
}

async function suggest(project: string, word: Word): Promise<Suggestion[]> {
  if (word.operator) return (await values(project, word)).slice(0, 10);
  const typed = word.text.toLowerCase();
  const own = NAMES.filter(([name]) => name.startsWith(typed)).map(([name, hint]) => ({
    text: name,
    insert: name,
    hint,
  }));
  try {
    const { items } = await api.attributes(project, { q: word.text, limit: 40 });
    const found = items
      .filter((item) => (item.kind === "config" || item.kind === "series") && !item.path.startsWith("monitoring/"))
      .map((item) => ({
        text: item.path,
        insert: quotedPath(item.path),
        hint: item.kind === "series" ? "metric" : item.type,
      }));
    return [...(typed ? [] : own.slice(0, 5)), ...(typed ? own : []), ...found].slice(0, 10);
  } catch (problem) {
    if (problem instanceof ApiError) return own;
    throw problem;
  }
}

async function values(project: string, word: Word): Promise<Suggestion[]> {
  const typed = word.text.replace(/^"/, "").toLowerCase();
  const offer = (all: readonly string[]): Suggestion[] =>
    all
      .filter((value) => value.toLowerCase().includes(typed) && value.toLowerCase() !== typed)
      .map((value) => ({ text: value, insert: quotedValue(value), hint: "" }));
  if (word.name === "state") return offer(STATES);
  try {
    if (word.name === "tag") {
      const table = await api.runs(project, { columns: ["sys/tags"], limit: 1000 });
      return offer(
        [...new Set((table.columns["sys/tags"] ?? []).flatMap((tags) => (Array.isArray(tags) ? tags : [])))].sort(),
      );
    }
    const name = word.name.replaceAll("`", "");
    const { items } = await api.attributes(project, { q: name, kind: "config", limit: 20 });
    const item = items.find((one) => one.path === name) ?? items.find((one) => one.path.endsWith(`/${name}`));
    return offer((item?.sample ?? []).map(toText));
  } catch (problem) {
    if (problem instanceof ApiError) return [];
    throw problem;
  }
}
