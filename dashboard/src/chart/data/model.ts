/** The charts of a page: which runs they draw, and where their series come from. */
import type { ReadonlySignal } from "@preact/signals";
import { computed, effect, signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { slotColor } from "../../lib/colors";
import type { Project } from "../../state/project";
import * as settings from "../../state/settings";
import type { RunRow } from "../../state/table";
import { isDark, runColor } from "../../state/theme";
import { Hardware } from "./hardware";
import type { LineRun, Picked } from "./line";
import { SeriesStore } from "./store";

export const PLAIN_AXES = ["step", "time", "wall"];

export class ChartsModel {
  readonly store: SeriesStore;
  readonly runs: ReadonlySignal<LineRun[]>;
  /** A point of a run that was clicked. */
  readonly picked = signal<(Picked & { axis: string }) | null>(null);
  readonly hardware: Hardware;
  /** The chart under the pointer: its metrics, as `nameOf` has them. */
  readonly under = signal("");
  private readonly stops: (() => void)[] = [];
  private steps: SeriesStore | null = null;

  constructor(
    readonly project: Project,
    rows: ReadonlySignal<RunRow[]>,
    /** Charts of one run are never grouped. */
    readonly isSingle: boolean,
    /** Of groups: the runs that are shown themselves; all are counted. */
    shown?: ReadonlySignal<ReadonlySet<string>>,
  ) {
    this.store = new SeriesStore(project.name);
    this.hardware = new Hardware(project.name);
    this.runs = computed(() =>
      rows.value.map((row) => ({
        id: row.id,
        name: row.name,
        state: row.state,
        color: runColor(row),
        ordinal: row.ordinal,
        cells: row.cells,
        isHidden: shown !== undefined && !shown.value.has(row.id),
      })),
    );
    this.stops.push(
      effect(() =>
        this.store.show({ x: settings.xAxis.value, range: settings.zoom.value }, settings.smoothing.value > 0),
      ),
      project.listen((changes) => {
        if (changes.reset) this.store.forget();
        this.store.take(changes);
        this.steps?.take(changes);
      }),
    );
    project.watch(() => this.store.watched());
  }

  close(): void {
    for (const stop of this.stops) stop();
    this.store.close();
    this.steps?.close();
    this.project.watch(() => ({ runs: [], paths: [] }));
  }

  /** Series by step, for charts whose metrics share no step with the metric on the x axis. */
  get fallback(): SeriesStore {
    this.steps ??= new SeriesStore(this.project.name);
    return this.steps;
  }

  groupColor(index: number): string {
    return slotColor(index, isDark.peek());
  }
}

export const Charts = createContext<ChartsModel | null>(null);

export function useCharts(): ChartsModel {
  const model = useContext(Charts);
  if (!model) throw new Error("Charts stand inside a page of charts");
  return model;
}
