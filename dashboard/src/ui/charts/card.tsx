/** A chart with its title and what can be done with it; on the screen only while it is in view. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { Fragment } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Chart } from "../../chart/chart";
import type { Line } from "../../chart/data/line";
import { useCharts } from "../../chart/data/model";
import { csvOf, download, exportPng, fileName, svgOf } from "../../chart/export";
import { among, meanText, splitPath } from "../../lib/format";
import { hardwareName, keptOf, nameOf, pathsOf } from "../../lib/metrics";
import { setParams, withParams } from "../../state/location";
import * as settings from "../../state/settings";
import { Dialog } from "../parts/dialog";
import { Item, Menu } from "../parts/menu";
import { IconButton, PathText } from "../parts/parts";
import { copy } from "../parts/say";
import { Legend } from "./legend";
import type { Best } from "./view";
import { ChartView } from "./view";

// Cards this far outside the view are already drawn, so that scrolling finds them ready.
const MARGIN = "300px";
const watchers = new WeakMap<Element, (isNear: boolean) => void>();
const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) watchers.get(entry.target)?.(entry.isIntersecting);
  },
  { rootMargin: MARGIN, scrollMargin: MARGIN } as IntersectionObserverInit,
);

export function ChartCard({ paths, isBig }: { paths: readonly string[]; isBig?: boolean }): JSX.Element {
  const model = useCharts();
  const card = useRef<HTMLElement>(null);
  const chart = useRef<Chart | null>(null);
  const [isNear, setNear] = useState(false);
  const [best, setBest] = useState<Best | null>(null);
  useEffect(() => {
    const element = card.current!;
    watchers.set(element, setNear);
    observer.observe(element);
    return () => observer.unobserve(element);
  }, []);
  const name = nameOf(paths);
  const take = (next: Best | null): void =>
    setBest((old) =>
      old?.value === next?.value && old?.name === next?.name && old?.color === next?.color ? old : next,
    );
  return (
    <article
      class={isBig ? "card chart big" : "card chart"}
      ref={card}
      aria-label={paths.join(", ")}
      data-metric={name}
      onMouseEnter={() => (model.under.value = name)}
      onMouseLeave={() => (model.under.value = "")}
      onFocusIn={() => (model.under.value = name)}
    >
      <header>
        {paths.length === 1 ? (
          <PathText path={hardwareName(paths[0]!)} />
        ) : (
          <span class="ttl" title={paths.join(", ")}>
            <PanelTitle paths={paths} />
          </span>
        )}
        {best && (
          <span class="best" title={`${best.kind}: ${best.name}`}>
            <span>{best.kind}</span>
            <span class="sw" style={{ "--c": best.color }} />
            <b>{best.n && best.n > 1 ? meanText(best.value, best.std ?? null) : among(best.value, best.span)}</b>
            {best.n && <span>n {best.n}</span>}
          </span>
        )}
        {isNear && <CardActions paths={paths} chart={() => chart.current} />}
      </header>
      {isNear ? <ChartView paths={paths} onBest={take} onChart={(c) => (chart.current = c)} /> : <div class="plot" />}
    </article>
  );
}

/** The metrics of a chart of several: each underlined as its lines are drawn. */
function PanelTitle({ paths }: { paths: readonly string[] }): JSX.Element {
  const own = paths.filter((path) => !keptOf(path));
  const names = own.map((path) => splitPath(path)[1]);
  const shown = new Set(names).size === names.length ? names : own;
  const { runs } = useCharts();
  return (
    <>
      {shown.map((name, i) => (
        <Fragment key={i}>
          {i > 0 && ", "}
          <span class={runs.value.length > 1 ? `dash${Math.min(i, 3)}` : ""}>{name}</span>
        </Fragment>
      ))}
    </>
  );
}

function CardActions({ paths, chart }: { paths: readonly string[]; chart: () => Chart | null }): JSX.Element {
  const name = nameOf(paths);
  const [path = ""] = paths;
  const isPanel = paths.length > 1;
  const isLog = settings.logPaths.value.has(name);
  const isPinned = settings.pins.value.includes(path);
  return (
    <span class="acts">
      <IconButton
        icon="log"
        label="Log y axis"
        isSmall
        isPressed={isLog}
        onClick={() => settings.setLog(name, !isLog)}
      />
      {!isPanel && (
        <IconButton
          icon="pin"
          label={isPinned ? "Unpin" : "Pin"}
          isSmall
          isPressed={isPinned}
          onClick={() => settings.togglePin(path)}
        />
      )}
      <IconButton icon="expand" label="Full screen" isSmall onClick={() => setParams({ f: name })} />
      <Menu
        label="More"
        button={(toggle, isOpen) => (
          <IconButton icon="more" label="More" isSmall onClick={toggle} isExpanded={isOpen} />
        )}
      >
        {(close) => (
          <>
            <ExportItems name={paths.join(", ")} chart={chart} close={close} />
            <div class="ln" />
            <Item
              icon="copy"
              onClick={() => {
                copy(location.origin + withParams({ f: name }), "Link copied");
                close();
              }}
            >
              Copy a link to this chart
            </Item>
            {isPanel && (
              <Item
                icon="trash"
                onClick={() =>
                  setParams({
                    panel: settings.panels
                      .peek()
                      .map(nameOf)
                      .filter((p) => p !== name),
                  })
                }
              >
                Remove this chart
              </Item>
            )}
          </>
        )}
      </Menu>
    </span>
  );
}

function ExportItems({
  name,
  chart,
  close,
}: {
  name: string;
  chart: () => Chart | null;
  close: () => void;
}): JSX.Element {
  const withChart = (work: (chart: Chart) => void) => () => {
    const now = chart();
    if (now) work(now);
    close();
  };
  return (
    <>
      <Item icon="download" onClick={withChart((c) => void exportPng(c, name))}>
        Image (PNG)
      </Item>
      <Item
        icon="download"
        onClick={withChart((c) =>
          download(
            fileName(name, "svg"),
            new Blob([svgOf(c.lines, c.area(), c.look, name)], { type: "image/svg+xml" }),
          ),
        )}
      >
        Drawing (SVG)
      </Item>
      <Item
        icon="download"
        onClick={withChart((c) =>
          download(fileName(name, "csv"), new Blob([csvOf(c.lines, settings.xAxis.peek())], { type: "text/csv" })),
        )}
      >
        Points as drawn (CSV)
      </Item>
    </>
  );
}

const fullChart = signal<Chart | null>(null);
const fullLines = signal<readonly Line[]>([]);

/** The chart that the address asks to see alone. */
export function FullScreenChart(): JSX.Element | null {
  const name = settings.fullScreen.value;
  if (!name) return null;
  const paths = pathsOf(name);
  const title = paths.map(hardwareName).join(", ");
  return (
    <Dialog label={title} className="dlg big" onClose={() => setParams({ f: null })}>
      <header>
        <h2>{title}</h2>
        <span class="sp" />
        <IconButton
          icon="log"
          label="Log y axis"
          isPressed={settings.logPaths.value.has(name)}
          onClick={() => settings.setLog(name, !settings.logPaths.peek().has(name))}
        />
        <Menu
          label="Export"
          button={(toggle, isOpen) => (
            <IconButton icon="download" label="Export" onClick={toggle} isExpanded={isOpen} />
          )}
        >
          {(close) => <ExportItems name={title} chart={() => fullChart.peek()} close={close} />}
        </Menu>
        <IconButton icon="close" label="Close" onClick={() => setParams({ f: null })} />
      </header>
      <div class="fullbody">
        <ChartView
          key={name}
          paths={paths}
          onChart={(c) => (fullChart.value = c)}
          onLines={(lines) => (fullLines.value = lines)}
        />
        <Legend lines={fullLines} path={paths[0] ?? ""} />
      </div>
    </Dialog>
  );
}
