/** All projects that are served. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { api } from "../api/api";
import { ago, count, counted } from "../lib/format";
import { projectPath } from "../state/location";
import { NoRuns } from "../ui/parts/empty";
import { Icon } from "../ui/parts/icons";
import { Fault, useAnswer } from "../ui/parts/parts";

const LOOK_MS = 5000;

export function Projects(): JSX.Element {
  const { data, error, reload } = useAnswer(api.projects, []);
  const [text, setText] = useState("");
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && reload(), LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  if (error && !data) return <Fault text={error} />;
  if (!data) return <main class="page" aria-busy="true" />;
  if (!data.length) return <NoRuns project="" />;
  const found = data.filter((project) => project.name.toLowerCase().includes(text.toLowerCase()));
  return (
    <main class="page">
      <div class="pad">
        <div class="lrow">
          <h1 class="h2">
            Projects<span class="cnt">{count(data.length)}</span>
          </h1>
          <span class="sp" />
          <label class="q low" style={{ maxWidth: "280px" }}>
            <Icon name="search" isSmall />
            <input
              placeholder="Find a project"
              aria-label="Find a project"
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </label>
        </div>
        <ul class="projects">
          {found.map((project) => (
            <li key={project.name}>
              <a class="card" href={projectPath(project.name)}>
                <h2>
                  {project.ws && <span class="dim">{project.ws}/</span>}
                  {project.project}
                </h2>
                <div class="lrow dim">
                  <span>{counted(project.runs, "run")}</span>
                  {project.running > 0 && (
                    <span class="st running">
                      <span class="pulse" /> {project.running} running
                    </span>
                  )}
                  <span class="sp" />
                  <span>{ago(project.updated)}</span>
                </div>
                <Activity days={project.activity} />
              </a>
            </li>
          ))}
        </ul>
      </div>
    </main>
  );
}

/** Runs of each of the last 30 days. */
function Activity({ days }: { days: readonly number[] }): JSX.Element {
  const most = Math.max(1, ...days);
  return (
    <div class="spark" role="img" aria-label={`${days.reduce((a, b) => a + b, 0)} runs in the last 30 days`}>
      {days.map((runs, i) => (
        <i key={i} class={runs ? "on" : ""} style={{ height: `${Math.max(7, (runs / most) * 100)}%` }} />
      ))}
    </div>
  );
}
