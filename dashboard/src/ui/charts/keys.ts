/** The keys of every page with charts. */
import type { ChartsModel } from "../../chart/data/model";
import { pathsOf } from "../../lib/metrics";
import { setParams } from "../../state/location";
import * as settings from "../../state/settings";

const AXES = ["step", "time", "wall"];

export function chartKeys(model: ChartsModel): Record<string, () => void> {
  const under = (work: (name: string) => void) => () => {
    const name = model.under.peek() || settings.fullScreen.peek();
    if (name) work(name);
  };
  const smoother = (by: number): void => {
    const next = Math.round(Math.max(0, Math.min(0.99, settings.smoothing.peek() + by)) * 100) / 100;
    setParams({ sm: next ? String(next) : null });
  };
  return {
    m: () => document.getElementById("metric-filter")?.focus(),
    x: () => {
      const next = AXES[(AXES.indexOf(settings.xAxis.peek()) + 1) % 3]!;
      setParams({ x: next === settings.usualAxis.peek() ? null : next, z: null });
    },
    "[": () => smoother(-0.1),
    "]": () => smoother(0.1),
    "0": () => setParams({ z: null, full: null }),
    l: under((name) => settings.setLog(name, !settings.logPaths.peek().has(name))),
    p: under((name) => {
      const [path, ...others] = pathsOf(name);
      if (path && !others.length) settings.togglePin(path);
    }),
    f: under((name) => setParams({ f: settings.fullScreen.peek() ? null : name })),
  };
}
