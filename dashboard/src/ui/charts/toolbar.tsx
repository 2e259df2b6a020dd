/** What holds for all charts of the page: which metrics, which x, how smooth, grouped by what. */
import type { JSX } from "preact";
import { xText, xTitle } from "../../chart/axes";
import { isShared } from "../../chart/data/hardware";
import { PLAIN_AXES, useCharts } from "../../chart/data/model";
import { setParams } from "../../state/location";
import * as settings from "../../state/settings";
import { Icon } from "../parts/icons";
import { Item, Menu } from "../parts/menu";
import { IconButton, Seg } from "../parts/parts";
import { Grouping } from "../runs/grouping";
import { MetricChoice, PanelMenu } from "./metric-choice";

export function Toolbar({ metrics }: { metrics: readonly string[] }): JSX.Element {
  const model = useCharts();
  return (
    <div class="tools" role="toolbar" aria-label="Chart settings">
      <MetricFilter />
      <div class="vr" />
      <XAxisChoice metrics={metrics} />
      <Smoothing />
      <ZoomChip />
      <span class="sp" />
      {!model.isSingle && <Grouping project={model.project.name} />}
      <Menu
        label="Columns of charts"
        button={(toggle, isOpen) => (
          <button type="button" class="btn gh" title="Columns of charts" aria-expanded={isOpen} onClick={toggle}>
            <Icon name="columns" isSmall />
            {settings.columnCount.value}
          </button>
        )}
      >
        {(close) =>
          [1, 2, 3, 4, 5, 6].map((n) => (
            <Item
              key={n}
              isChecked={n === settings.columnCount.value}
              onClick={() => {
                setParams({ n: n === 3 ? null : String(n) });
                close();
              }}
            >
              {n === 1 ? "1 column" : `${n} columns`}
            </Item>
          ))
        }
      </Menu>
      <PanelMenu metrics={metrics} />
    </div>
  );
}

function MetricFilter(): JSX.Element {
  return (
    <label class="q low" style={{ maxWidth: "230px", minWidth: "150px" }}>
      <Icon name="search" isSmall />
      <input
        id="metric-filter"
        placeholder="Filter metrics"
        aria-label="Filter metrics by regular expression"
        title="Regular expressions; all terms have to match, !term must not"
        spellcheck={false}
        value={settings.metricText.value}
        onInput={(event) => setParams({ m: event.currentTarget.value || null })}
      />
      <span class="mono dim">.*</span>
    </label>
  );
}

const AXES = [
  ["step", "Step"],
  ["time", "Relative"],
  ["wall", "Wall"],
] as const;

function XAxisChoice({ metrics }: { metrics: readonly string[] }): JSX.Element {
  const x = settings.xAxis.value;
  const isMetric = !PLAIN_AXES.includes(x);
  const choose = (value: string): void => setParams({ x: value === settings.usualAxis.peek() ? null : value, z: null });
  return (
    <>
      <Seg label="X axis" value={x} options={AXES} onChange={choose} />
      <Menu
        label="More about the x axis"
        button={(toggle, isOpen) => (
          <button
            type="button"
            class={isMetric ? "btn on" : "btn gh"}
            aria-expanded={isOpen}
            onClick={toggle}
            title="Another metric as x axis, logarithmic x"
          >
            {isMetric ? xTitle(x) : "Metric…"}
          </button>
        )}
      >
        {(close) => (
          <>
            <Item
              isChecked={settings.isLogX.value}
              onClick={() => setParams({ xlog: settings.isLogX.peek() ? null : "1" })}
            >
              Logarithmic x
            </Item>
            <div class="ln" />
            <MetricChoice
              metrics={metrics.filter((path) => !isShared(path))}
              label="A metric as x axis"
              onChoose={(path) => {
                choose(PLAIN_AXES.includes(path) ? `metric:${path}` : path);
                close();
              }}
            />
          </>
        )}
      </Menu>
    </>
  );
}

const KINDS = [
  ["ema", "Exponential"],
  ["gauss", "Gaussian"],
  ["mean", "Mean"],
] as const;

function Smoothing(): JSX.Element {
  const value = settings.smoothing.value;
  return (
    <div class="sm">
      <Menu
        label="Kind of smoothing"
        button={(toggle, isOpen) => (
          <button type="button" class="btn gh" aria-expanded={isOpen} onClick={toggle} title="Kind of smoothing">
            Smooth
          </button>
        )}
      >
        {(close) =>
          KINDS.map(([kind, name]) => (
            <Item
              key={kind}
              isChecked={settings.smoothKind.value === kind}
              onClick={() => {
                setParams({ smk: kind === "ema" ? null : kind, ...(settings.smoothing.peek() ? {} : { sm: "0.6" }) });
                close();
              }}
            >
              {name}
            </Item>
          ))
        }
      </Menu>
      <input
        type="range"
        min="0"
        max="0.99"
        step="0.01"
        aria-label="Smoothing"
        value={value}
        style={{ "--p": `${(value / 0.99) * 100}%` }}
        onInput={(event) => setParams({ sm: event.currentTarget.value === "0" ? null : event.currentTarget.value })}
      />
      <output class="mono">{value.toFixed(2)}</output>
    </div>
  );
}

function ZoomChip(): JSX.Element | null {
  const range = settings.zoom.value;
  const isFull = settings.isFull.value;
  if (!range && !isFull) return null;
  const x = settings.xAxis.value;
  const [from, to] = (range ?? []).map((end) => xText(x, x === "wall" ? end : Number(end.toPrecision(4))));
  const text = range ? `${from} – ${to!.replace("step ", "")}` : "with outliers";
  return (
    <span class="zoomchip">
      {text}
      <IconButton icon="close" label="Reset zoom" isSmall onClick={() => setParams({ z: null, full: null })} />
    </span>
  );
}
