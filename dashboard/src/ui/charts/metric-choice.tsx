/** The choice of a metric, and of several for one chart. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { nameOf, hardwareName } from "../../lib/metrics";
import { setParams } from "../../state/location";
import * as settings from "../../state/settings";
import { Icon } from "../parts/icons";
import { Item, Menu, Limit } from "../parts/menu";

export function MetricChoice(props: {
  metrics: readonly string[];
  label: string;
  chosen?: readonly string[];
  onChoose: (path: string) => void;
}): JSX.Element {
  const [text, setText] = useState("");
  const found = props.metrics.filter((path) => path.toLowerCase().includes(text.toLowerCase()));
  return (
    <>
      <div class="pad">
        <input
          class="field"
          placeholder={props.label}
          aria-label={props.label}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      {found.slice(0, 100).map((path) => (
        <Item
          key={path}
          isFound
          {...(props.chosen ? { isChecked: props.chosen.includes(path) } : {})}
          onClick={() => props.onChoose(path)}
        >
          {hardwareName(path)}
        </Item>
      ))}
      <Limit shown={100} of={found.length} what="metrics" />
      {!found.length && <div class="hd">No such metric</div>}
    </>
  );
}

export function PanelMenu({ metrics }: { metrics: readonly string[] }): JSX.Element {
  const [chosen, setChosen] = useState<string[]>([]);
  const panels = settings.panels.value;
  useEffect(() => setChosen([]), [panels.length]);
  return (
    <Menu
      label="A chart of several metrics"
      button={(toggle, isOpen) => (
        <button type="button" class="btn" aria-expanded={isOpen} onClick={toggle}>
          <Icon name="plus" isSmall />
          Panel
        </button>
      )}
    >
      {(close) => (
        <>
          <div class="pad">
            <button
              type="button"
              class="btn pri"
              disabled={chosen.length < 2}
              onClick={() => {
                setParams({ panel: [...panels.map(nameOf), nameOf(chosen)] });
                close();
              }}
            >
              {chosen.length < 2 ? "Choose metrics for one chart" : `One chart of ${chosen.length} metrics`}
            </button>
          </div>
          <MetricChoice
            metrics={metrics}
            label="Search metrics"
            chosen={chosen}
            onChoose={(path) => setChosen(chosen.includes(path) ? chosen.filter((p) => p !== path) : [...chosen, path])}
          />
        </>
      )}
    </Menu>
  );
}
