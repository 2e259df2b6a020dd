/** The code of a run: its commit, what was not committed, and how another run's code differed. */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Source } from "../../api/api";
import { api } from "../../api/api";
import type { DiffFile } from "../../lib/diff";
import { parseDiff } from "../../lib/diff";
import { toText } from "../../lib/values";
import { one, setParams } from "../../state/location";
import type { TabProps } from "../../state/run-page";
import { Icon } from "../../ui/parts/icons";
import { Fault, Seg, useAnswer } from "../../ui/parts/parts";
import { copy } from "../../ui/parts/say";

const AGAINST = ["commit", "upstream", "run", "packages"] as const;
type Against = (typeof AGAINST)[number];
const MAX_LINES = 4000;

interface Loaded {
  source: Source;
  commit: DiffFile[];
  upstream: DiffFile[];
  packages: string;
  base: { source: Source; files: DiffFile[] } | null;
}

async function load(project: string, id: string, base: string): Promise<Loaded> {
  const source = await api.source(project, id);
  const text = (url: string | null | undefined): Promise<string> => (url ? api.text(url) : Promise.resolve(""));
  const other = base && base !== id ? await api.source(project, base) : null;
  const [commit, upstream, packages, otherDiff] = await Promise.all([
    text(source.diff_url),
    text(source.upstream?.diff_url),
    text(source.requirements_url),
    text(other?.diff_url),
  ]);
  return {
    source,
    commit: parseDiff(commit),
    upstream: parseDiff(upstream),
    packages,
    base: other && { source: other, files: parseDiff(otherDiff) },
  };
}

export function SourceTab({ project: { name: project }, details: { id } }: TabProps): JSX.Element {
  const base = one("base");
  const { data, error } = useAnswer(() => load(project, id, base), [project, id, base]);
  const against: Against = AGAINST.find((name) => name === one("against")) ?? "commit";
  const file = one("file");
  const setFile = (path: string): void => setParams({ file: path || null });
  const files = useMemo(() => (data ? filesOf(data, against) : []), [data, against]);
  if (error) return <Fault text={error} />;
  if (!data) return <div class="page" aria-busy="true" />;
  const { source } = data;
  if (!source.commit && !source.command && !data.packages)
    return <Fault text="No source was recorded: the script was not in a git repository, or git_ref was off." />;
  const options: [Against, string][] = [["commit", "Uncommitted"]];
  if (source.upstream?.diff_url) options.push(["upstream", "Unpushed"]);
  if (data.base) options.push(["run", "Against the baseline"]);
  if (data.packages) options.push(["packages", "Packages"]);
  const shown = file ? files.filter((one) => one.path === file) : files;
  return (
    <div class="split">
      <div class="files">
        <div style={{ padding: "0 8px" }}>
          <Seg
            label="Compared with"
            value={against}
            options={options}
            onChange={(value) => setParams({ against: value === "commit" ? null : value, file: null })}
          />
        </div>
        {against !== "packages" && (
          <>
            <h2>{files.length ? `${files.length} changed files` : "No changes"}</h2>
            {files.length > 1 && (
              <button
                type="button"
                class="fl"
                aria-current={file === "" ? "true" : undefined}
                onClick={() => setFile("")}
              >
                All files
              </button>
            )}
            {files.map((one) => (
              <button
                type="button"
                class="fl"
                key={one.path}
                aria-current={file === one.path ? "true" : undefined}
                onClick={() => setFile(one.path)}
              >
                <Icon name="file" isSmall />
                <span>{one.path}</span>
                <span class="sp" />
                {one.added > 0 && <span class="up">+{one.added}</span>}
                {one.removed > 0 && <span class="dn">−{one.removed}</span>}
              </button>
            ))}
          </>
        )}
        <Facts source={source} />
      </div>
      <div class="diff" tabIndex={0} role="region" aria-label="Changes">
        {against === "packages" ? (
          <div class="pad">
            <button type="button" class="btn" onClick={() => copy(data.packages)}>
              <Icon name="copy" isSmall />
              Copy
            </button>
            <pre>{data.packages}</pre>
          </div>
        ) : (
          shown.map((one) => <FileDiff key={one.path} file={one} />)
        )}
        {against !== "packages" && !files.length && (
          <p class="dim" style={{ padding: "12px 14px" }}>
            {emptyText(data, against)}
          </p>
        )}
      </div>
    </div>
  );
}

function emptyText(data: Loaded, against: Against): string {
  if (against === "run")
    return data.base?.source.commit === data.source.commit
      ? "Both runs had the same commit and the same changes."
      : "The runs had other commits, and the same changes on top of them.";
  return data.source.commit
    ? "Everything was committed: the commit is the code of this run."
    : "There is no git repository.";
}

/** What the page lists: changed files; or, against another run, those whose changes differ. */
function filesOf(data: Loaded, against: Against): DiffFile[] {
  if (against === "upstream") return data.upstream;
  if (against !== "run" || !data.base) return data.commit;
  const theirs = new Map(data.base.files.map((one) => [one.path, one]));
  const text = (one: DiffFile | undefined): string =>
    (one?.lines ?? []).map((line) => line.kind + line.text).join("\n");
  const paths = [...new Set([...data.commit.map((one) => one.path), ...theirs.keys()])].sort();
  const found: DiffFile[] = [];
  for (const path of paths) {
    const [own, other] = [data.commit.find((one) => one.path === path), theirs.get(path)];
    if (text(own) === text(other)) continue;
    const note = (words: string): DiffFile["lines"][number] => ({ kind: "note", old: null, now: null, text: words });
    found.push({
      path,
      added: own?.added ?? 0,
      removed: own?.removed ?? 0,
      lines: [
        note("Changes in this run"),
        ...(own?.lines ?? []),
        note("Changes in the baseline"),
        ...(other?.lines ?? []),
      ],
    });
  }
  return found;
}

const SIGNS = { add: "+", del: "−", same: "", hunk: "", note: "" } as const;

function FileDiff({ file }: { file: DiffFile }): JSX.Element {
  const [isWhole, setWhole] = useState(false);
  const lines = isWhole ? file.lines : file.lines.slice(0, MAX_LINES);
  return (
    <section aria-label={file.path}>
      <h3>{file.path}</h3>
      {lines.map((line, i) => (
        <div key={i} class={`dl ${line.kind}`}>
          <span>{line.old}</span>
          <span>{line.now}</span>
          <span>{SIGNS[line.kind]}</span>
          <span>{line.text}</span>
        </div>
      ))}
      {lines.length < file.lines.length && (
        <button type="button" class="btn" onClick={() => setWhole(true)}>
          Show {file.lines.length - lines.length} more lines
        </button>
      )}
    </section>
  );
}

function Facts({ source }: { source: Source }): JSX.Element {
  const facts: [string, string | null][] = [
    ["Commit", toText(source.commit)],
    ["Branch", toText(source.branch)],
    ["Message", toText(source.message)],
    ["Author", toText(source.author)],
    ["Date", toText(source.date)],
    ["Command", source.command],
    ["Entry point", source.entrypoint],
    ["Remotes", Array.isArray(source.remotes) ? source.remotes.join("\n") : toText(source.remotes)],
  ];
  return (
    <>
      <h2>Where it came from</h2>
      <dl class="kv">
        {facts
          .filter(([, value]) => value)
          .flatMap(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name}=`}>{value}</dd>])}
      </dl>
    </>
  );
}
