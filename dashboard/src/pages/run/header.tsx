/** The head of a run's page: its name, state, facts, and what can be done with it. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { RunDetails } from "../../api/api";
import { api } from "../../api/api";
import { compact, duration, time } from "../../lib/format";
import { toText } from "../../lib/values";
import { go, keptParams, one, pagePath, route, runLink, setParams } from "../../state/location";
import type { Project } from "../../state/project";
import type { TabProps } from "../../state/run-page";
import { tabPath } from "../../state/run-page";
import { runColor } from "../../state/theme";
import { Icon } from "../../ui/parts/icons";
import { current } from "../../ui/parts/keys";
import { Menu } from "../../ui/parts/menu";
import { IconButton, StateMark, stateText } from "../../ui/parts/parts";
import { attempt, copy, say } from "../../ui/parts/say";
import type { Edited } from "../../ui/runs/edit";
import { EditDialog } from "../../ui/runs/edit";
import { RunPicker } from "../../ui/runs/picker";

const PYTHON = (details: RunDetails): string => `import goodseed

run = goodseed.Run(
${Object.entries({ project: details.project, run_id: details.id, ...details.reading })
  .map(([name, value]) => `    ${name}=${JSON.stringify(value)},\n`)
  .join("")}    read_only=True,
)
print(run.get_configs())
for path in run.get_metric_paths():
    print(path, run.get_metric_data(path)["raw_points"][-1:])
`;

export function Header({ project, details, reload }: TabProps): JSX.Element {
  const [isEditing, setEditing] = useState(false);
  const color = runColor(details);
  const edited: Edited = {
    id: details.id,
    name: details.name ?? "",
    description: toText(details.description),
    tags: details.tags,
    color: details.color,
  };
  const trash = async (): Promise<void> => {
    const done = await attempt(() => api.change(project.name, details.id, { trashed: !details.trashed }));
    if (!done) return;
    say(done.trashed ? "Moved to the trash" : "Restored", [
      "Undo",
      () => void attempt(() => api.change(project.name, details.id, { trashed: details.trashed })).then(reload),
    ]);
    project.table.reload();
    reload();
  };
  return (
    <>
      <div class="rh">
        <span class="sw lg" style={{ "--c": color }} />
        <h1 title={details.name ?? ""}>{details.name || details.id}</h1>
        <StateBadge details={details} />
        {details.trashed && <span class="badge failed">In the trash</span>}
        {details.tags.map((tag) => (
          <span class="tag" key={tag}>
            {tag}
          </span>
        ))}
        <button type="button" class="btn gh" onClick={() => setEditing(true)}>
          <Icon name="edit" isSmall />
          Edit
        </button>
        <span class="sp" />
        <IconButton icon="up" label="Previous run (k)" onClick={() => void neighbour(project, details.id, -1)} />
        <IconButton icon="down" label="Next run (j)" onClick={() => void neighbour(project, details.id, 1)} />
        <button
          type="button"
          class="btn"
          title="Copy Python that loads this run"
          onClick={() => copy(PYTHON(details), "Python copied")}
        >
          <Icon name="copy" isSmall />
          Python
        </button>
        <BaselineMenu project={project} details={details} />
        <IconButton
          icon={details.trashed ? "restore" : "trash"}
          label={details.trashed ? "Restore" : "Move to the trash"}
          onClick={() => void trash()}
        />
      </div>
      <Facts project={project} details={details} />
      {isEditing && (
        <EditDialog
          project={project}
          run={edited}
          shownColor={color}
          onClose={() => setEditing(false)}
          onSaved={reload}
        />
      )}
    </>
  );
}

function StateBadge({ details }: { details: RunDetails }): JSX.Element {
  const { progress } = details;
  const part =
    progress?.step != null && progress.max_steps
      ? Math.min(100, Math.round((progress.step / progress.max_steps) * 100))
      : null;
  return (
    <span class={`badge ${stateText(details.state, details.end_reason)}`} title={details.end_reason ?? undefined}>
      <StateMark state={details.state} reason={details.end_reason} />
      {stateText(details.state, details.end_reason)}
      {details.state === "running" && part !== null && ` · ${part} %`}
    </span>
  );
}

function Facts({ project, details }: { project: Project; details: RunDetails }): JSX.Element {
  const { progress, git, env } = details;
  const facts: [string, JSX.Element | string][] = [
    [
      "",
      <span class="mono" key="id">
        {details.id}
      </span>,
    ],
  ];
  if (details.failure)
    facts.push([
      "",
      <a class="st failed" key="f" href={tabPath(project.name, details.id, "overview")}>
        {details.failure.reason.slice(0, 120)}
      </a>,
    ]);
  else if (details.end_reason) facts.push(["Ended", details.end_reason.slice(0, 120)]);
  if (details.created) facts.push(["Started", time(details.created)]);
  facts.push([details.state === "running" ? "Elapsed" : "Took", duration(details.duration)]);
  if (progress?.eta_seconds != null && details.state === "running") facts.push(["ETA", duration(progress.eta_seconds)]);
  if (progress?.step != null)
    facts.push([
      "Step",
      progress.max_steps ? `${compact(progress.step)} of ${compact(progress.max_steps)}` : compact(progress.step),
    ]);
  if (env["hostname"]) facts.push(["Host", toText(env["hostname"])]);
  if (typeof git["commit"] === "string") {
    facts.push([
      "Commit",
      <>
        <a class="mono" href={tabPath(project.name, details.id, "source")}>
          {git["commit"].slice(0, 7)}
        </a>
        {git["dirty"] === true && <span class="st crashed">&nbsp;+ uncommitted</span>}
      </>,
    ]);
  }
  if (details.parent)
    facts.push([
      "Parent",
      <a class="link" key="p" href={runLink(project.name, toText(details.parent))}>
        {toText(details.parent)}
      </a>,
    ]);
  return (
    <div class="meta">
      {facts.map(([name, value]) => (
        <span key={name}>
          {name} <b>{value}</b>
        </span>
      ))}
    </div>
  );
}

function BaselineMenu({ project, details }: { project: Project; details: RunDetails }): JSX.Element {
  const base = one("base");
  return (
    <Menu
      label="Compare with a run"
      button={(toggle, isOpen) => (
        <button type="button" class={base ? "btn on" : "btn"} aria-expanded={isOpen} onClick={toggle}>
          <Icon name="compare" isSmall />
          {base ? `against ${project.run(base).name}` : "Compare with…"}
        </button>
      )}
    >
      {(close) => (
        <>
          {base && (
            <>
              <a class="it" href={pagePath(project.name, "compare") + keptParams({ runs: [base, details.id] })}>
                Open the comparison
              </a>
              <button
                type="button"
                class="it"
                onClick={() => {
                  setParams({ base: null });
                  close();
                }}
              >
                No baseline
              </button>
            </>
          )}
          <RunPicker
            project={project.name}
            without={[details.id]}
            onPick={(row) => {
              project.known.set(row.id, row);
              setParams({ base: row.id });
              close();
            }}
          />
        </>
      )}
    </Menu>
  );
}

/** To the next or previous run of the list, wherever in it the run is. */
export async function neighbour(project: Project, id: string, by: number): Promise<void> {
  const at = await project.table.indexOf(id);
  if (at < 0) {
    say("This run is not in the present list");
    return;
  }
  const next = await project.table.rowAt(at + by);
  if (!next) return;
  current.value = at + by;
  go(tabPath(project.name, next.id, route.peek().tab));
}
