/** What the parts of a run's page share: the run, its version, and where its tabs are. */
import { signal } from "@preact/signals";
import type { RunDetails } from "../api/api";
import { runLink } from "./location";
import type { Project } from "./project";

/** Goes up when the run on the screen has changed. */
export const runVersion = signal(0);

/** What every tab gets. */
export interface TabProps {
  project: Project;
  details: RunDetails;
  /** Ask for the run again, after a change of our own. */
  reload: () => void;
}

/** The address of a tab. What holds for charts by step means nothing to those of the hardware, which go by time. */
export const tabPath = (project: string, id: string, tab: string): string =>
  runLink(project, id, tab, tab === "system" ? { z: null, m: null } : {});
