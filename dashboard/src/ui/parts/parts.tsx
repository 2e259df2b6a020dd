/** Small parts that all pages share. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { duration, splitPath } from "../../lib/format";
import type { Cell } from "../../lib/values";
import type { IconName } from "./icons";
import { Icon } from "./icons";
import { explain } from "./say";

interface IconButtonProps {
  icon: IconName;
  label: string;
  onClick?: (event: MouseEvent) => void;
  isPressed?: boolean;
  isSmall?: boolean;
  isExpanded?: boolean;
}

export function IconButton({ icon, label, onClick, isPressed, isSmall, isExpanded }: IconButtonProps): JSX.Element {
  return (
    <button
      type="button"
      class={isSmall ? "ib sm" : "ib"}
      title={label}
      aria-label={label}
      aria-pressed={isPressed}
      aria-expanded={isExpanded}
      onClick={onClick}
    >
      <Icon name={icon} isSmall={isSmall ?? false} />
    </button>
  );
}

/** A few choices of which one holds. */
export function Seg<T extends string>(props: {
  label: string;
  value: T;
  options: readonly (readonly [T, ComponentChildren])[];
  onChange: (value: T) => void;
}): JSX.Element {
  return (
    <div class="seg" role="group" aria-label={props.label}>
      {props.options.map(([value, text]) => (
        <button type="button" key={value} aria-pressed={value === props.value} onClick={() => props.onChange(value)}>
          {text}
        </button>
      ))}
    </div>
  );
}

/** A path with what stands before its last slash in grey. */
export function PathText({ path }: { path: string }): JSX.Element {
  const [before, name] = splitPath(path);
  return (
    <span class="ttl" title={path}>
      {before && <i>{before}</i>}
      {name}
    </span>
  );
}

const SIGNS: Record<string, string> = { running: "●", failed: "✕", crashed: "■", pruned: "◐" };
const PRUNED = "pruned";

/** What a run's state is called: one that a search ended early has finished, and is called pruned. */
export const stateText = (state: string, reason?: Cell): string =>
  state === "finished" && reason === PRUNED ? PRUNED : state;

/** The state of a run, where it is other than finished; with `of` also how far it is while it runs. */
export function StateMark({
  state: known,
  reason,
  of,
}: {
  state: string;
  /** Why it ended. */
  reason?: Cell | undefined;
  of?: { progress: number | null; eta: number | null };
}): JSX.Element | null {
  const state = stateText(known, reason);
  const sign = SIGNS[state];
  if (!sign) return null;
  const isRunning = state === "running";
  const part = isRunning && of?.progress != null ? `${Math.round(of.progress * 100)} %` : "";
  const left = isRunning && of?.eta != null ? `${duration(of.eta)} left` : "";
  const why = typeof reason === "string" && reason !== state ? reason : "";
  const words = [state, part, left, why].filter(Boolean).join(" · ");
  return (
    <span class={`st ${state}`} title={words} role="img" aria-label={words}>
      {isRunning ? <span class="pulse" /> : sign}
      {part}
    </span>
  );
}

/** Data from the server: null while it is on its way, an error where it could not be had. */
export function useAnswer<T>(
  ask: () => Promise<T>,
  inputs: readonly unknown[],
): { data: T | null; error: string; reload: () => void } {
  const [state, setState] = useState<{ data: T | null; error: string }>({ data: null, error: "" });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    ask().then(
      (data) => isCurrent && setState({ data, error: "" }),
      (problem: unknown) => isCurrent && setState((old) => ({ data: old.data, error: explain(problem) })),
    );
    return () => {
      isCurrent = false;
    };
  }, [...inputs, turn]);
  return { ...state, reload: () => setTurn((t) => t + 1) };
}

export function Fault({ text }: { text: string }): JSX.Element {
  return (
    <div class="empty">
      <div role="alert">
        <h1>That did not work</h1>
        <p>{text}</p>
      </div>
    </div>
  );
}
