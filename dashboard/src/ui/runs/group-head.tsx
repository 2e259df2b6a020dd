/** The head of a group of runs in the list: what they share, and the figures of those that did not fail. */
import type { JSX } from "preact";
import type { Group } from "../../api/api";
import { groupKey, isCounted } from "../../chart/data/group-lines";
import { atCursor, cursorPath } from "../../chart/hover";
import { setHovered } from "../../chart/linked";
import { counted, meanText, splitPath } from "../../lib/format";
import { columnText } from "../../lib/metrics";
import { toNumber, toText } from "../../lib/values";
import { setParams } from "../../state/location";
import type { Project } from "../../state/project";
import * as settings from "../../state/settings";

/** What a group is called, as `groupKey` has it. */
export const groupName = (group: Group, groupBy: readonly string[]): string =>
  groupKey({ cells: Object.fromEntries(groupBy.map((path, i) => [path, group.key[i] ?? null])) }, groupBy);

/** The figures of a group: mean ± deviation, n. */
export function figures(
  group: Group,
  column: string,
  metrics: ReadonlySet<string>,
): { text: string; n: number; title: string } | null {
  const found = group.agg[column];
  const mean = toNumber(found?.mean);
  if (!found || mean === null) return null;
  const leftOut = group.n - group.counted;
  const title =
    `${columnText(column, metrics)}: mean ± standard deviation of ${counted(found.n, "run")}` +
    (leftOut ? `; ${leftOut} that failed or crashed left out` : "");
  return { text: meanText(mean, toNumber(found.std)), n: found.n, title };
}

/** n 12, 2 left out: those that failed or crashed. */
export function groupSize(group: Group): string {
  const leftOut = group.n - group.counted;
  return leftOut ? `n ${group.counted}, ${leftOut} left out` : `n ${group.counted}`;
}

export function GroupHead(props: {
  project: Project;
  group: Group;
  y: number;
  column: string | undefined;
  color: string;
}): JSX.Element {
  const { project, group, column } = props;
  const groupBy = settings.groupBy.value;
  const name = groupName(group, groupBy);
  const shown = new Set(project.drawn.value.map((row) => row.id));
  const members = project.counted.value.filter((row) => groupKey(row, groupBy) === name).map((row) => row.id);
  const isShown = members.some((id) => shown.has(id));
  const toggle = (): void => {
    for (const id of members) {
      if (isShown) shown.delete(id);
      else shown.add(id);
    }
    setParams({ show: shown.size ? [...shown] : "none" });
  };
  const isFailedOnly = !project.counted.value.some((row) => isCounted(row) && groupKey(row, groupBy) === name);
  const found = column === undefined ? null : figures(group, column, project.metricSet.value);
  return (
    <div
      class={isShown ? "grp" : "grp off"}
      role="row"
      style={{ transform: `translateY(${props.y}px)`, "--c": props.color }}
      onMouseEnter={() => setHovered(isShown && !isFailedOnly ? name : null)}
    >
      <span role="gridcell">
        <button type="button" class="eye" aria-label={`Show the group ${name}`} aria-pressed={isShown} onClick={toggle}>
          <span class="sw" />
        </button>
      </span>
      <span role="gridcell" class="key" title={`${name}, ${counted(group.n, "run")}`}>
        {group.key.map((value, i) => (
          <span key={i}>
            <span class="dim">{splitPath(groupBy[i] ?? "")[1]}</span> {toText(value) || "–"}{" "}
          </span>
        ))}
      </span>
      <span class="dim" role="gridcell">
        {groupSize(group)}
      </span>
      <span class="sp" />
      {cursorPath.value !== null ? (
        <AtCursor of={name} />
      ) : (
        found && (
          <span class="num" role="gridcell" title={found.title}>
            <span class="dim">{splitPath(columnText(column!, project.metricSet.value))[1]}</span> {found.text}
            {found.n !== group.counted && <span class="dim">, n {found.n}</span>}
          </span>
        )
      )}
    </div>
  );
}

/** The group at the cursor, as the tooltip of the chart has it. */
function AtCursor({ of }: { of: string }): JSX.Element {
  const value = atCursor.value?.values.get(of);
  const spread = atCursor.value?.spread.get(of);
  return (
    <span class="num lg" role="gridcell">
      {value === undefined || !spread ? "" : `${meanText(value, spread.n > 1 ? spread.std : null)}, n ${spread.n}`}
    </span>
  );
}
