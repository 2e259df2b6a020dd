/** What is shown where nothing is yet: how to begin. */
import type { ComponentChildren, JSX } from "preact";
import { Icon } from "./icons";
import { copy } from "./say";

const script = (project: string): string => `import goodseed

with goodseed.Run(${project ? `project=${JSON.stringify(project)}` : ""}) as run:
    run["parameters"] = {"lr": 1e-3, "depth": 12}
    for step in range(1000):
        run["train/loss"].log(1 / (step + 1), step=step)
`;

export function NoRuns({ project }: { project: string }): JSX.Element {
  return (
    <main class="empty">
      <div>
        <h1>{project ? `No runs in ${project} yet` : "No runs yet"}</h1>
        <p>Start one from any Python process that writes to the served directory. It shows up here within a second.</p>
        <Snippet text={script(project)} />
        <div class="three">
          <Hint title="PyTorch Lightning" code="Trainer(logger=GoodseedLogger())" />
          <Hint title="Hugging Face, Keras" code="callbacks=[GoodseedCallback()]" />
          <Hint title="From the remote" code="goodseed download …" />
        </div>
      </div>
    </main>
  );
}

function Hint({ title, code }: { title: string; code: string }): JSX.Element {
  return (
    <div class="card">
      <div>{title}</div>
      <code class="dim">{code}</code>
    </div>
  );
}

const WORD = /("[^"]*")|\b(import|with|as|for|in|from)\b/g;

/** Python, with a button that copies it. */
export function Snippet({ text }: { text: string }): JSX.Element {
  const parts: (string | JSX.Element)[] = [];
  let at = 0;
  for (const match of text.matchAll(WORD)) {
    parts.push(
      text.slice(at, match.index),
      <span key={match.index} class={match[1] ? "str" : "kw"}>
        {match[0]}
      </span>,
    );
    at = match.index + match[0].length;
  }
  parts.push(text.slice(at));
  return (
    <div class="code" tabIndex={0} role="region" aria-label="Python">
      <code>{parts}</code>
      <button type="button" class="btn" onClick={() => copy(text)}>
        <Icon name="copy" isSmall />
        Copy
      </button>
    </div>
  );
}

/** What was asked for is not there. */
export function Missing({
  what,
  link,
  children,
}: {
  what: string;
  link: readonly [string, string];
  children?: ComponentChildren;
}): JSX.Element {
  return (
    <main class="empty">
      <div>
        <p class="code404">404</p>
        <h1>{what}</h1>
        <p>
          It may have another name, have been deleted, or be in another directory than the one that is served.{" "}
          <a class="link" href={link[0]}>
            {link[1]}
          </a>
        </p>
        {children}
      </div>
    </main>
  );
}

export function MissingProject({ project }: { project: string }): JSX.Element {
  return (
    <Missing what={`There is no project ${project}`} link={["/", "All projects"]}>
      <p>Its first run makes it, and shows up here within a second:</p>
      <Snippet text={script(project)} />
    </Missing>
  );
}

const WIDTHS = [62, 48, 70, 55, 40, 66, 52, 60];

/** Rows at their final size, while they are on their way. */
export function Skeleton({ rows = 8 }: { rows?: number }): JSX.Element {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        <i key={i} style={{ width: `${WIDTHS[i % WIDTHS.length]!}%` }} />
      ))}
    </div>
  );
}
