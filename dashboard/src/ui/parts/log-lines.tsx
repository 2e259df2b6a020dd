/** Lines of a console, with their colours. */
import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { LogLine, Logs } from "../../api/api";
import { spans } from "../../lib/ansi";
import { clock } from "../../lib/format";

export function LogLines(props: {
  lines: readonly LogLine[];
  streams: Logs["streams"];
  at?: number | null;
  search?: string;
  isWrapped?: boolean;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => box.current?.querySelector(".at")?.scrollIntoView({ block: "center" }), [props.at]);
  return (
    <div class={props.isWrapped === false ? "log" : "log wrap"} ref={box}>
      {props.lines.map((line) => (
        <Line
          key={line[0]}
          line={line}
          streams={props.streams}
          isAt={line[0] === props.at}
          search={props.search ?? ""}
        />
      ))}
    </div>
  );
}

export function Line({
  line,
  streams,
  isAt,
  search,
  isCut,
}: {
  line: LogLine;
  streams: Logs["streams"];
  isAt: boolean;
  search: string;
  isCut?: boolean;
}): JSX.Element {
  const [n, ms, stream, text] = line;
  const source = streams[stream];
  const isError = source?.kind === "err";
  return (
    <div class={`ln${isError ? " err" : ""}${isAt ? " at" : ""}`} data-n={n} title={source?.name}>
      <span>{n + 1}</span>
      <span>{ms === null ? "" : clock(ms)}</span>
      <span>
        <Styled text={text} search={search} />
        {isCut && <span class="dim"> … cut here; the download has all of it</span>}
      </span>
    </div>
  );
}

/** Text with the colours that it asks a terminal for. */
export function Styled({ text, search }: { text: string; search: string }): JSX.Element {
  return (
    <>
      {spans(text).map((span, i) => (
        <span key={i} class={span.className}>
          {marked(span.text, search)}
        </span>
      ))}
    </>
  );
}

/** The text with what is searched for marked. */
function marked(text: string, search: string): (string | JSX.Element)[] | string {
  if (!search) return text;
  const parts: (string | JSX.Element)[] = [];
  const [lower, wanted] = [text.toLowerCase(), search.toLowerCase()];
  let at = 0;
  for (let found = lower.indexOf(wanted); found >= 0; found = lower.indexOf(wanted, at)) {
    parts.push(text.slice(at, found), <mark key={found}>{text.slice(found, found + wanted.length)}</mark>);
    at = found + wanted.length;
  }
  parts.push(text.slice(at));
  return parts;
}
