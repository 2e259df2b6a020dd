/** A row of the table and its cells. */
import type { JSX } from "preact";
import { among, duration, short, time } from "../../lib/format";
import { isMetricColumn } from "../../lib/metrics";
import { direction, toNumber, toText } from "../../lib/values";
import { runLink, setParams } from "../../state/location";
import type { Project } from "../../state/project";
import * as settings from "../../state/settings";
import type { RunRow, RunTable } from "../../state/table";
import { runColor } from "../../state/theme";
import { Icon } from "../parts/icons";
import { IconButton, StateMark, stateText } from "../parts/parts";
import { Name, Tags, wholeName } from "../runs/name";
import type { Laid, Parts } from "./layout";
import { NAME_WIDTH, numeric } from "./layout";

interface RowParts extends Parts {
  row: RunRow | undefined;
  y: number;
  index: number;
  /** Told, not asked for: a component that gets what it had is not drawn again. */
  isSelected: boolean;
  isCurrent: boolean;
}

export function GridRow(props: RowParts): JSX.Element {
  const { row, table, selection, project, isSelected } = props;
  if (!row) return <div class="trow" role="row" style={{ transform: `translateY(${props.y}px)` }} />;
  const cell = ({ path, left, width }: Laid): JSX.Element => (
    <Value key={path} project={project} row={row} path={path} left={left} width={width} table={table} />
  );
  return (
    <div
      class={`trow${isSelected ? " sel" : ""}${props.isCurrent ? " cur" : ""}`}
      role="row"
      id={props.index < 0 ? undefined : `row-${props.index}`}
      aria-selected={isSelected}
      aria-rowindex={props.index + 2}
      style={{ transform: `translateY(${props.y}px)` }}
    >
      <div
        class={props.fixed.length ? "fixed edge" : "fixed"}
        role="presentation"
        style={{ "--w": `${props.fixedWidth}px` }}
      >
        <div class="tc name" role="rowheader" style={{ left: 0, width: `${NAME_WIDTH}px` }}>
          <button
            type="button"
            role="checkbox"
            aria-checked={isSelected}
            aria-label={`Select ${row.name}`}
            onClick={(event) => selection.toggle(row.id, props.index, event.shiftKey ? table : null)}
          >
            <span class="cb">
              <Icon name="check" />
            </span>
          </button>
          <span class="sw" style={{ "--c": runColor(row) }} />
          <a href={runLink(project.name, row.id)} title={wholeName(row)}>
            <Name text={row.name} />
          </a>
          <Tags tags={row.tags} />
          {props.index < 0 && (
            <IconButton
              icon="close"
              label={`Unpin ${row.name}`}
              isSmall
              onClick={() => setParams({ pinrun: settings.pinnedRuns.peek().filter((id) => id !== row.id) })}
            />
          )}
        </div>
        {props.fixed.map(cell)}
      </div>
      {props.visible.map(cell)}
    </div>
  );
}

function Value({
  project,
  row,
  path,
  left,
  width,
  table,
}: Laid & { project: Project; row: RunRow; table: RunTable }): JSX.Element {
  const cell = row.cells[path];
  const value = toNumber(cell);
  const style = { left: `${left}px`, width: `${width}px` };
  if (path === "sys/state") {
    return (
      <div class="tc x" role="gridcell" style={style} title={row.reason ?? undefined}>
        <StateMark state={row.state} reason={row.reason} /> {stateText(row.state, row.reason)}
        {row.state === "running" && row.progress !== null && (
          <span class="dim" title={row.eta === null ? undefined : `${duration(row.eta)} left`}>
            {` ${Math.round(row.progress * 100)} %`}
          </span>
        )}
      </div>
    );
  }
  if (value === null || (typeof cell === "string" && !Number.isFinite(value) && !numeric(path, table))) {
    return (
      <div class="tc" role="gridcell" style={style} title={toText(cell)}>
        {toText(cell)}
      </div>
    );
  }
  const isMetric = isMetricColumn(path, project.metricSet.value);
  const text =
    path === "sys/running_time" || path === "sys/eta"
      ? duration(value)
      : path === "sys/progress"
        ? `${Math.round(value * 100)} %`
        : path.endsWith("_time")
          ? time(value)
          : isMetric
            ? among(value, table.span(path))
            : among(value, table.span(path), short);
  return (
    <div class="tc n" role="gridcell" style={style} title={path.endsWith("_time") ? "" : String(value)}>
      {isMetric && direction(path) !== 0 && <Bar value={value} stats={table.stats.peek()[path]} width={width} />}
      {text}
    </div>
  );
}

/** How high a value of a metric is among all. */
function Bar({
  value,
  stats,
  width,
}: {
  value: number;
  stats: RunTable["stats"]["value"][string] | undefined;
  width: number;
}): JSX.Element | null {
  const [low, high] = [toNumber(stats?.min), toNumber(stats?.max)];
  if (low === null || high === null || !(high > low) || !Number.isFinite(value)) return null;
  return <span class="bar" style={{ width: `${Math.max(2, ((value - low) / (high - low)) * (width - 14))}px` }} />;
}
