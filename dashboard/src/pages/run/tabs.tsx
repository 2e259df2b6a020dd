/** The tabs of a run's page: a new one is a file with its component and a row of this table. */
import type { RunDetails } from "../../api/api";
import type { TabProps } from "../../state/run-page";
import type { Loaded } from "../../ui/parts/later";
import { later, ready } from "../../ui/parts/later";
import { Overview } from "./overview";

export interface Tab {
  /** As it stands in the address. */
  name: string;
  title: string;
  component: Loaded<TabProps>;
  /** How many things the tab shows, beside its title. */
  count?: (details: RunDetails) => number;
  /** Whether the tab is offered; without it, always. Its address works all the same. */
  isOffered?: (details: RunDetails) => boolean;
}

/** In the order in which they stand on the page; the first one is shown where the address names none. */
export const TABS: readonly [Tab, ...Tab[]] = [
  { name: "overview", title: "Overview", component: ready(Overview) },
  {
    name: "charts",
    title: "Charts",
    component: later(async () => (await import("./charts")).RunCharts),
    count: ({ counts }) => counts.series,
  },
  {
    name: "config",
    title: "Config",
    component: later(async () => (await import("./config")).ConfigTab),
    count: ({ counts }) => counts.config,
  },
  { name: "logs", title: "Logs", component: later(async () => (await import("./logs")).LogsTab) },
  {
    name: "text",
    title: "Text",
    component: later(async () => (await import("./text")).TextTab),
    count: ({ counts }) => counts.text,
    isOffered: ({ counts }) => counts.text > 0,
  },
  {
    name: "history",
    title: "History",
    component: later(async () => (await import("./history")).HistoryTab),
    isOffered: ({ counts }) => counts.attempts > 1 || counts.kept > 0,
  },
  { name: "system", title: "System", component: later(async () => (await import("./charts")).SystemCharts) },
  { name: "source", title: "Source", component: later(async () => (await import("./source")).SourceTab) },
];
