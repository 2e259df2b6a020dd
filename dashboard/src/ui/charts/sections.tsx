/** All charts of a page: pinned ones, panels of several metrics, then a section for each prefix. */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { count } from "../../lib/format";
import { MONITORING, metricFilter, nameOf, natural, sectionsOf } from "../../lib/metrics";
import { setParams } from "../../state/location";
import * as settings from "../../state/settings";
import { Icon } from "../parts/icons";
import { ChartCard } from "./card";

// Above this many metrics, a section begins with a few of them.
const MANY = 200;
const FEW = 24;
const MORE = 120;

export function Sections({
  metrics,
  isLoaded,
  openAll,
}: {
  metrics: readonly string[];
  isLoaded: boolean;
  openAll?: boolean;
}): JSX.Element {
  const text = settings.metricText.value;
  const matches = useMemo(() => metricFilter(text), [text]);
  const found = useMemo(() => (matches instanceof Error ? [] : metrics.filter(matches)), [metrics, matches]);
  const pins = settings.pins.value.filter((path) => found.includes(path));
  const panels = settings.panels.value;
  const rest = useMemo(() => sectionsOf(found.filter((path) => !pins.includes(path))), [found, pins.join("|")]);
  if (matches instanceof Error) return <p class="more">This is no regular expression: {matches.message}</p>;
  if (isLoaded && metrics.length && !found.length) return <p class="more">No metric matches “{text}”.</p>;
  const cards = [...pins.map((path) => [path]), ...panels];
  return (
    <>
      {cards.length > 0 && (
        <Section
          name="Pinned"
          cards={cards}
          isOpen={!settings.closedSections.value.has("Pinned")}
          isBig
          limit={cards.length}
        />
      )}
      {rest.map(({ name, paths }) => {
        // The hardware of every process is a lot, and seldom looked at: it is not even fetched before it is opened.
        const isShut = name === MONITORING && !openAll && !text;
        const isOpen = isShut ? settings.openSections.value.has(name) : !settings.closedSections.value.has(name);
        const limit = metrics.length > MANY ? FEW : paths.length;
        return (
          <Section
            key={name}
            name={name}
            cards={paths.map((path) => [path])}
            isOpen={isOpen}
            isShut={isShut}
            limit={limit}
          />
        );
      })}
    </>
  );
}

function Section(props: {
  name: string;
  cards: readonly (readonly string[])[];
  isOpen: boolean;
  isShut?: boolean;
  isBig?: boolean;
  limit: number;
}): JSX.Element {
  const [extra, setExtra] = useState(0);
  const shown = props.isOpen ? props.cards.slice(0, props.limit + extra) : [];
  const left = props.cards.length - shown.length;
  const toggle = (): void => {
    const [param, list] = props.isShut
      ? (["open", settings.openSections] as const)
      : (["fold", settings.closedSections] as const);
    const next = new Set(list.peek());
    if (next.has(props.name)) next.delete(props.name);
    else next.add(props.name);
    setParams({ [param]: [...next].sort(natural) });
  };
  const columns = settings.columnCount.value;
  return (
    <section class="sec" aria-label={props.name}>
      <header>
        <h2>
          <button type="button" aria-expanded={props.isOpen} onClick={toggle}>
            <Icon name={props.isOpen ? "down" : "right"} isSmall />
            {props.name}
          </button>
        </h2>
        <span class="n">{count(props.cards.length)}</span>
      </header>
      <div class="grid" style={{ "--cols": String(props.isBig ? Math.min(2, columns) : columns) }}>
        {shown.map((paths) => (
          <ChartCard key={nameOf(paths)} paths={paths} isBig={props.isBig ?? false} />
        ))}
      </div>
      {props.isOpen && left > 0 && (
        <p class="more">
          <button type="button" class="btn" onClick={() => setExtra(extra + MORE)}>
            Show {count(Math.min(MORE, left))} more <span class="v">of {count(left)}</span>
          </button>
        </p>
      )}
    </section>
  );
}
