/** The console of a run: any number of lines, of which those in view are fetched. */
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { download, fileName } from "../../chart/export";
import { count } from "../../lib/format";
import { one, setParams } from "../../state/location";
import type { Found, Stream } from "../../state/log";
import { PAGE, LogModel } from "../../state/log";
import type { TabProps } from "../../state/run-page";
import { Icon } from "../../ui/parts/icons";
import { Line } from "../../ui/parts/log-lines";
import { IconButton, Seg } from "../../ui/parts/parts";
import { attempt, explain } from "../../ui/parts/say";

const ROW = 19;
// A browser lays out no more than 33 million pixels: of longer logs there is a part at a time.
const PART = 500_000;
const HALF = PART / 2;

/** The first line of the part that has line `n` well inside. */
const partOf = (n: number): number => Math.max(0, Math.round((n - HALF) / HALF) * HALF);
const SEARCH_MS = 250;
// Wrapped lines have heights of their own: this many around the place in view are laid out.
const WRAPPED = 1500;
const NONE: Found = { matches: [], total: 0, isWhole: true };

/** Which match is shown, of how many; dots as long as more may be found. */
function placeOf(match: number, { total, isWhole }: Found): string {
  if (!total) return isWhole ? "none" : "…";
  return `${count(match + 1)} / ${count(total)}${isWhole ? "" : "…"}`;
}

export function LogsTab({ project, details: { id } }: TabProps): JSX.Element {
  const stream = (["out", "err"].includes(one("stream")) ? one("stream") : "all") as Stream;
  const isWrapped = one("wrap") === "1";
  const at = Number(one("at")) || 0;
  const [, redraw] = useState(0);
  const [error, setError] = useState("");
  const model = useRef<LogModel | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ first: 0, rows: 60 });
  const [isFollowing, setFollowing] = useState(!at && !one("find"));
  const [matches, setMatches] = useState<Found>(NONE);
  const [match, setMatch] = useState(0);
  const [marked, setMarked] = useState(-1);
  const search = one("find");
  const [base, setBase] = useState(0);
  const shownBase = useRef(0);
  const target = useRef<number | null>(null);
  const reach = (): void => {
    const [element, n] = [box.current, target.current];
    if (!element || n === null) return;
    target.current = null;
    const line = element.querySelector(`[data-n="${n}"]`);
    if (isWrapped && line) line.scrollIntoView({ block: "center" });
    else element.scrollTop = Math.max(0, (n - 10 - shownBase.current) * ROW);
  };
  useLayoutEffect(() => {
    if (box.current && shownBase.current !== base) box.current.scrollTop += (shownBase.current - base) * ROW;
    shownBase.current = base;
    reach();
  });
  const fail = (problem: unknown): void => setError(explain(problem));

  useEffect(() => {
    const now = new LogModel(project.name, id, stream, () => redraw((n) => n + 1));
    model.current = now;
    const begin = at
      ? now.around(at).then((n) => {
          setMarked(n);
          jump(n);
        })
      : now.page(0).then(() => now.page(Math.floor((now.total - 1) / PAGE)));
    begin.catch(fail);
    let isBusy = false;
    const stop = project.listen((changes) => {
      if (isBusy || !(changes.reset || id in changes.logs || changes.runs.some((run) => run.id === id))) return;
      isBusy = true;
      now
        .more()
        .catch(fail)
        .finally(() => {
          isBusy = false;
        });
    });
    project.watch(() => ({ runs: [id], paths: ["-"] }));
    return () => {
      stop();
      project.watch(() => ({ runs: [], paths: [] }));
    };
  }, [project, id, stream, at]);

  useEffect(() => {
    let isOver = false;
    const find = async (): Promise<void> => {
      setMatches({ ...NONE, isWhole: !search });
      setMatch(0);
      let isShown = false;
      for await (const found of model.current!.search(search)) {
        if (isOver) return;
        setMatches(found);
        if (!isShown && found.matches.length) jump(found.matches[0]!);
        isShown ||= found.matches.length > 0;
      }
    };
    const timer = setTimeout(() => void find().catch(fail), SEARCH_MS);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [search, stream]);

  const now = model.current;
  const total = now?.total ?? 0;
  const end = Math.min(total, base + PART);
  const [first, last] = isWrapped
    ? [
        Math.max(base, Math.min(end - WRAPPED, view.first - WRAPPED / 2)),
        Math.min(end, Math.max(base + WRAPPED, view.first + WRAPPED / 2)),
      ]
    : [Math.max(base, Math.min(end, view.first - 20)), Math.min(end, view.first + view.rows + 20)];
  useEffect(() => {
    for (let page = Math.floor(first / PAGE); page <= Math.floor(Math.max(0, last - 1) / PAGE); page++)
      now?.page(page).catch(fail);
  }, [first, last, now, total]);
  useLayoutEffect(() => {
    if (!isFollowing || !box.current) return;
    setBase(partOf(total));
    box.current.scrollTop = box.current.scrollHeight;
  }, [total, isFollowing, base]);

  const jump = (n: number): void => {
    setFollowing(false);
    target.current = n;
    setBase(partOf(n));
    setView((old) => ({ ...old, first: Math.max(0, n - 10) }));
  };
  const step = (by: number): void => {
    if (!matches.matches.length) return;
    const next = (match + by + matches.matches.length) % matches.matches.length;
    setMatch(next);
    jump(matches.matches[next]!);
  };
  const save = async (): Promise<void> => {
    const parts: string[] = [];
    for await (const lines of now!.all()) parts.push(lines.map((line) => `${line[3]}\n`).join(""));
    download(fileName(id, "log"), new Blob(parts, { type: "text/plain" }));
  };
  const rows: JSX.Element[] = [];
  for (let n = first; n < last; n++) {
    const line = now?.lines.get(n);
    rows.push(
      line ? (
        <Line
          key={n}
          line={line}
          streams={now!.streams}
          isCut={now!.cut.has(n)}
          isAt={n === marked || n === matches.matches[match]}
          search={search}
        />
      ) : (
        <div class="ln" key={n} />
      ),
    );
  }
  return (
    <div style={{ display: "grid", gridTemplateRows: "auto minmax(0, 1fr)", minHeight: 0 }}>
      <div class="tools" role="toolbar" aria-label="Logs">
        <label class="q low" style={{ maxWidth: "340px" }}>
          <Icon name="search" isSmall />
          <input
            placeholder="Search the log"
            aria-label="Search the log"
            value={search}
            onInput={(event) => setParams({ find: event.currentTarget.value || null })}
            onKeyDown={(event) => event.key === "Enter" && step(event.shiftKey ? -1 : 1)}
          />
          {search && <span>{placeOf(match, matches)}</span>}
        </label>
        {search && (
          <>
            <IconButton icon="up" label="Previous match" isSmall onClick={() => step(-1)} />
            <IconButton icon="down" label="Next match" isSmall onClick={() => step(1)} />
          </>
        )}
        <Seg
          label="Streams"
          value={stream}
          options={[
            ["all", "Console"],
            ["out", "stdout"],
            ["err", "stderr"],
          ]}
          onChange={(value) => setParams({ stream: value === "all" ? null : value })}
        />
        <button
          type="button"
          class="btn gh"
          aria-pressed={isWrapped}
          onClick={() => setParams({ wrap: isWrapped ? null : "1" })}
        >
          <Icon name="wrap" isSmall />
          Wrap
        </button>
        <span class="sp" />
        <span class="dim">
          {count(total)} lines{now?.folded ? ` · ${count(now.folded)} rewritten ones folded` : ""}
        </span>
        <button type="button" class="btn gh" disabled={!total} onClick={() => void attempt(save)}>
          <Icon name="download" isSmall />
          Download
        </button>
        <button type="button" class="btn" aria-pressed={isFollowing} onClick={() => setFollowing(!isFollowing)}>
          <Icon name="follow" isSmall />
          Follow
        </button>
      </div>
      <div
        class={isWrapped ? "log wrap" : "log"}
        ref={(element) => {
          box.current = element;
        }}
        tabIndex={0}
        role="log"
        aria-label="Console"
        aria-live="off"
        onKeyDown={(event) => {
          if (event.key !== "End" && event.key !== "Home") return;
          event.preventDefault();
          jump(event.key === "End" ? total - 1 : 0);
        }}
        onScroll={(event) => {
          const element = event.currentTarget;
          const at = shownBase.current + Math.floor(element.scrollTop / ROW);
          // Near the end of the part, go on to the next one.
          if (Math.abs(at - shownBase.current - HALF) > 0.75 * HALF) setBase(Math.min(partOf(at), partOf(total)));
          const isEnd = end === total && element.scrollTop + element.clientHeight >= element.scrollHeight - 2 * ROW;
          // On the way to the last part nobody has scrolled.
          if (!isEnd && isFollowing && shownBase.current === partOf(total)) setFollowing(false);
          const next = { first: at, rows: Math.ceil(element.clientHeight / ROW) };
          setView((old) => (Math.abs(old.first - next.first) > 8 || old.rows !== next.rows ? next : old));
        }}
      >
        {error && <p class="fault">{error}</p>}
        {now && !total && !error && (
          <p class="more dim" style={{ padding: "0 14px" }}>
            Nothing was printed, or the console was not captured.
          </p>
        )}
        <div style={{ height: `${(first - base) * ROW}px` }} />
        {rows}
        <div style={{ height: `${Math.max(0, end - last) * ROW}px` }} />
      </div>
    </div>
  );
}
