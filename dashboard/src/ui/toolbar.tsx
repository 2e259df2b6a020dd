/** What holds for all charts of the page: which metrics, which x, how smooth, grouped by what. */
import { useEffect, useState } from "preact/hooks";
import type { JSX } from "preact";
import type { Attribute } from "../api";
import { api } from "../api";
import { PLAIN_AXES, useCharts } from "../chart/model";
import { xText } from "../chart/axes";
import { nameOf, natural } from "../lib/metrics";
import { setParams } from "../state/location";
import * as settings from "../state/settings";
import { Icon } from "./icons";
import { IconButton, Item, Menu, Seg, useAnswer } from "./parts";

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
            {isMetric ? x.replace(/^metric:/, "") : "Metric…"}
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
              metrics={metrics}
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

function MetricChoice(props: {
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
          {...(props.chosen ? { isChecked: props.chosen.includes(path) } : {})}
          onClick={() => props.onChoose(path)}
        >
          {path}
        </Item>
      ))}
      {!found.length && <div class="hd">No such metric</div>}
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

const SPREADS = [
  ["std", "± std"],
  ["sem", "± sem"],
  ["minmax", "min–max"],
] as const;

/** Group the runs by up to four configs: a chart then shows means with a band. */
export function Grouping({ project }: { project: string }): JSX.Element {
  const chosen = settings.groupBy.value;
  return (
    <Menu
      label="Group runs"
      button={(toggle, isOpen) => (
        <button
          type="button"
          id="group"
          class={chosen.length ? "btn on" : "btn"}
          aria-expanded={isOpen}
          onClick={toggle}
        >
          <Icon name="group" isSmall />
          <span class="v">Group</span>
          {chosen.length ? chosen.map((path) => path.slice(path.lastIndexOf("/") + 1)).join(", ") : "none"}
        </button>
      )}
    >
      {() => <GroupChoice project={project} chosen={chosen} />}
    </Menu>
  );
}

const ASIDE = /^(source_code|monitoring|sys)\//;

/** What is another value in nearly every run, or the same in all, makes no groups; who searches for it gets it. */
const makesGroups = (item: Attribute): boolean =>
  !/^monitoring\/|^sys\/.*_time$/.test(item.path) && (item.n_distinct ?? 0) > 1 && (item.n_distinct ?? 0) <= 100;

function GroupChoice({ project, chosen }: { project: string; chosen: readonly string[] }): JSX.Element {
  const [text, setText] = useState("");
  const { data } = useAnswer(() => api.attributes(project, { kind: "config", q: text, limit: 200 }), [project, text]);
  const useful = (data?.items ?? []).filter(
    (item) => item.path !== "sys/state" && (text || chosen.includes(item.path) || makesGroups(item)),
  );
  useful.sort((a, b) => Number(ASIDE.test(a.path)) - Number(ASIDE.test(b.path)) || natural(a.path, b.path));
  return (
    <>
      <div class="pad">
        <input
          class="field"
          placeholder="A config"
          aria-label="Search configs"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      {chosen.length > 0 && (
        <>
          <div class="pad">
            <Seg
              label="Band of a group"
              value={settings.spread.value}
              options={SPREADS}
              onChange={(value) => setParams({ band: value === "std" ? null : value })}
            />
          </div>
          <Item icon="close" onClick={() => setParams({ g: null, band: null })}>
            No groups
          </Item>
          <div class="hd">Failed and crashed runs are left out of the means.</div>
        </>
      )}
      {["sys/state", ...useful.map((item) => item.path)].map((path) => (
        <Item
          key={path}
          isChecked={chosen.includes(path)}
          right={useful.find((item) => item.path === path)?.n_distinct}
          onClick={() =>
            setParams({ g: chosen.includes(path) ? chosen.filter((p) => p !== path) : [...chosen, path].slice(-4) })
          }
        >
          {path}
        </Item>
      ))}
    </>
  );
}

function PanelMenu({ metrics }: { metrics: readonly string[] }): JSX.Element {
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
