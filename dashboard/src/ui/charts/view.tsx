/** One chart as a part of the page: binds the drawing to the settings, the runs and the series. */
import { effect, untracked } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ChartLook } from "../../chart/axes";
import { Chart } from "../../chart/chart";
import { isShared } from "../../chart/data/hardware";
import type { Line } from "../../chart/data/line";
import { linesOf } from "../../chart/data/lines";
import { PLAIN_AXES, useCharts } from "../../chart/data/model";
import type { Wanted } from "../../chart/data/store";
import { nameOf } from "../../lib/metrics";
import { suggestsLog } from "../../lib/series/domain";
import { spanOf } from "../../lib/format";
import { direction } from "../../lib/values";
import { setParams } from "../../state/location";
import * as settings from "../../state/settings";
import { follow } from "../../state/table";
import { isDark } from "../../state/theme";

export interface Best {
  kind: string;
  value: number;
  color: string;
  name: string;
  /** How far the values of the chart are apart. */
  span: number;
  /** Of a group: how far its runs are apart, and how many there are. */
  std?: number;
  n?: number;
}

const PROGRESS_MS = 250;

interface Shown {
  note: string;
  /** How much of the longest series has been read that is new to the server, as a percentage; null if none is. */
  read: number | null;
  isWaiting: boolean;
  isClipped: boolean;
  canBeLog: boolean;
}

export function ChartView(props: {
  paths: readonly string[];
  onBest?: (best: Best | null) => void;
  onChart?: (chart: Chart | null) => void;
  onLines?: (lines: readonly Line[]) => void;
}): JSX.Element {
  const model = useCharts();
  const element = useRef<HTMLDivElement>(null);
  const [shown, setShown] = useState<Shown>({
    note: "",
    read: null,
    isWaiting: true,
    isClipped: false,
    canBeLog: false,
  });
  const name = nameOf(props.paths);
  useEffect(() => {
    const [first = ""] = props.paths;
    let isFallback = false;
    let leave = (): void => undefined;
    const look = (): ChartLook => ({
      path: first,
      x: isFallback ? "step" : settings.xAxis.value,
      zoom: isFallback ? null : settings.zoom.value,
      isLogX: settings.isLogX.value,
      isLogY: settings.logPaths.value.has(name),
      isFull: settings.isFull.value,
      isSmooth: settings.smoothing.value > 0,
    });
    const chart = new Chart(element.current!, untracked(look), {
      zoom: settings.setZoom,
      pick: (picked) => (model.picked.value = { ...picked, axis: isFallback ? "step" : settings.xAxis.peek() }),
      reset: () =>
        setParams(settings.zoom.peek() ? { z: null, full: null } : { full: settings.isFull.peek() ? null : "1" }),
    });
    props.onChart?.(chart);
    const isHardware = props.paths.some(isShared);
    /** The series of the chart; null while it is not known which paths the runs have. */
    const wants = (): Wanted[] | null => {
      const all: Wanted[] = [];
      for (const run of model.runs.peek()) {
        for (const path of props.paths) {
          const sources = model.hardware.sources(run.id, path);
          if (!sources) return null;
          for (const source of sources) all.push({ run: run.id, path: source });
        }
      }
      return all;
    };
    let [updatedAt, timer] = [0, 0];
    const update = (): void => {
      clearTimeout(timer);
      // All of them are read before the first return: the effect below follows what was read.
      const now = look();
      const drawing = {
        smoothing: { kind: settings.smoothKind.value, weight: settings.smoothing.value },
        groupBy: model.isSingle ? [] : settings.groupBy.value,
        spread: settings.spread.value,
      };
      const store = isFallback ? model.fallback : model.store;
      const runs = model.runs.value;
      const wanted = wants();
      const found = (wanted ?? []).map(({ run, path }) => store.get(run, path));
      const isWaiting = !wanted || found.some((series) => !series);
      if (
        !isFallback &&
        !isWaiting &&
        found.length &&
        !PLAIN_AXES.includes(settings.xAxis.value) &&
        !found.some((s) => s?.n)
      ) {
        isFallback = true;
        join();
        return;
      }
      // While series come in one after the other, not each of them is worth drawing all others again.
      const since = performance.now() - updatedAt;
      if (isWaiting && since < PROGRESS_MS) {
        timer = window.setTimeout(update, PROGRESS_MS - since);
        return;
      }
      updatedAt = performance.now();
      const lines = linesOf({
        paths: props.paths,
        runs,
        get: (run, path) => store.get(run, path),
        whole: (run, path) => store.whole(run, path),
        sources: (run, path) => model.hardware.sources(run, path) ?? [],
        ...drawing,
        groupColor: (index) => model.groupColor(index),
      });
      chart.show(lines, now);
      props.onLines?.(lines);
      const smallest = Math.min(...lines.map((line) => line.stats?.min ?? NaN).filter(Number.isFinite));
      const shares = found.map((series) => series?.building ?? null).filter((share) => share !== null);
      const read = shares.length ? Math.floor(100 * Math.min(...shares)) : null;
      const note =
        lines.length || read !== null || (isWaiting && runs.length)
          ? ""
          : runs.length
            ? "None of the shown runs has logged this."
            : model.isSingle
              ? ""
              : model.project.table.isLoaded.value
                ? emptyText(model.project.table.total.value)
                : "";
      const next = {
        note,
        read,
        isWaiting: !lines.length && !note,
        isClipped: chart.domain.isClipped,
        canBeLog: !now.isLogY && suggestsLog(chart.domain, smallest),
      };
      setShown((old) => (JSON.stringify(old) === JSON.stringify(next) ? old : next));
      props.onBest?.(model.isSingle ? null : bestOf(first, lines));
    };
    const join = (): void => {
      leave();
      leave = (isFallback ? model.fallback : model.store).add({
        wants: () => wants() ?? [],
        distance: () => chart.distance(),
        update,
      });
    };
    join();
    const stop = effect(() => {
      follow(isDark);
      if (isHardware) {
        follow(model.hardware.version);
        model.hardware.need(model.runs.value);
      }
      if (isFallback && PLAIN_AXES.includes(settings.xAxis.value)) {
        isFallback = false;
        join();
      }
      update();
      untracked(() => (isFallback ? model.fallback : model.store).pump());
    });
    return () => {
      clearTimeout(timer);
      stop();
      leave();
      chart.destroy();
      props.onChart?.(null);
    };
  }, [name, model]);
  return (
    <div class="plot" ref={element} aria-busy={shown.isWaiting}>
      {shown.note && <div class="none">{shown.note}</div>}
      {shown.read !== null && (
        <div
          class="reading"
          role="status"
          title="A long series is read for the first time. The chart shows its first points, and grows."
        >
          {`Reading: ${String(shown.read)} %`}
        </div>
      )}
      {shown.isClipped && (
        <button
          type="button"
          class="clipped"
          title="Outliers are cut off. Show all of them."
          onClick={() => setParams({ full: "1" })}
        >
          clipped
        </button>
      )}
      {!shown.isClipped && shown.canBeLog && (
        <button
          type="button"
          class="clipped"
          title="The values span more than three orders of magnitude."
          onClick={() => settings.setLog(name, true)}
        >
          try log y
        </button>
      )}
    </div>
  );
}

const emptyText = (total: number): string =>
  total
    ? "Show a run with the square before its name."
    : settings.filter.peek()
      ? "No run passes this filter."
      : settings.isTrash.peek()
        ? "The trash is empty."
        : "No runs yet.";

function bestOf(path: string, lines: readonly Line[]): Best | null {
  const sign = direction(path);
  const kind = sign > 0 ? "max" : sign < 0 ? "min" : "last";
  let best: Best | null = null;
  const span = spanOf(lines.flatMap(({ stats }) => (stats ? [stats.min, stats.max] : [])));
  for (const { stats, best: ofGroup, color, label } of lines) {
    const value = ofGroup ? ofGroup.mean : stats && (sign > 0 ? stats.max : sign < 0 ? stats.min : stats.last);
    if (value === null || !Number.isFinite(value)) continue;
    if (best && (sign < 0 ? value >= best.value : value <= best.value)) continue;
    best = { kind, value, span, color, name: label, ...(ofGroup ? { std: ofGroup.std, n: ofGroup.n } : {}) };
  }
  return best;
}
