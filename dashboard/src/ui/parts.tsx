/** Small parts that all pages share. */
import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api";
import { duration, splitPath } from "../lib/format";
import type { IconName } from "./icons";
import { Icon } from "./icons";

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

/** A button that opens a panel under itself; Escape, a click elsewhere or `close` puts it away. */
export function Menu(props: {
  button: (toggle: () => void, isOpen: boolean) => ComponentChildren;
  label: string;
  children: (close: () => void) => ComponentChildren;
}): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const anchor = useRef<HTMLSpanElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const close = (): void => {
    setOpen(false);
    anchor.current?.querySelector("button")?.focus();
  };
  useLayoutEffect(() => {
    if (!isOpen || !panel.current || !anchor.current) return;
    place(panel.current, anchor.current.getBoundingClientRect());
    panel.current.querySelector<HTMLElement>("input,button,select")?.focus();
    const away = (event: PointerEvent): void => {
      const target = event.target as Node;
      if (!panel.current?.contains(target) && !anchor.current?.contains(target)) setOpen(false);
    };
    addEventListener("pointerdown", away, true);
    return () => removeEventListener("pointerdown", away, true);
  }, [isOpen]);
  return (
    <span
      class="pop"
      ref={anchor}
      onKeyDown={(event) => {
        if (event.key === "Escape" && isOpen) {
          event.stopPropagation();
          close();
        }
        if (isOpen && (event.key === "ArrowDown" || event.key === "ArrowUp")) moveFocus(event, panel.current);
      }}
    >
      {props.button(() => setOpen(!isOpen), isOpen)}
      {isOpen && (
        <div class="menu" role="dialog" aria-label={props.label} ref={panel}>
          {props.children(close)}
        </div>
      )}
    </span>
  );
}

function place(panel: HTMLElement, anchor: DOMRect): void {
  const { offsetWidth: width, offsetHeight: height } = panel;
  panel.style.left = `${Math.max(8, Math.min(anchor.left, innerWidth - width - 8))}px`;
  const below = anchor.bottom + 4;
  panel.style.top = `${below + height > innerHeight - 8 ? Math.max(8, anchor.top - height - 4) : below}px`;
}

function moveFocus(event: KeyboardEvent, panel: HTMLElement | null): void {
  const items = [...(panel?.querySelectorAll<HTMLElement>(".it:not(:disabled)") ?? [])];
  if (!items.length || (event.target as HTMLElement).tagName === "SELECT") return;
  event.preventDefault();
  const at = items.indexOf(document.activeElement as HTMLElement);
  items[(at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length]?.focus();
}

export function Item(props: {
  onClick: () => void;
  icon?: IconName;
  isChecked?: boolean;
  right?: ComponentChildren;
  children: ComponentChildren;
}): JSX.Element {
  const isChoice = props.isChecked !== undefined;
  return (
    <button
      type="button"
      class="it"
      role={isChoice ? "checkbox" : undefined}
      aria-checked={props.isChecked}
      onClick={props.onClick}
    >
      {isChoice && (
        <span class="cb">
          <Icon name="check" />
        </span>
      )}
      {props.icon && <Icon name={props.icon} isSmall />}
      <span>{props.children}</span>
      {props.right !== undefined && <span class="r">{props.right}</span>}
    </button>
  );
}

/** A dialog over the page; the focus stays inside, and goes back to where it was. */
export function Dialog(props: {
  label: string;
  className?: string;
  onClose: () => void;
  children: ComponentChildren;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  // Before the next key: what is typed right after the dialog opens belongs to it.
  useLayoutEffect(() => {
    const before = document.activeElement;
    const first = box.current?.querySelector<HTMLElement>("input,button,[tabindex]");
    (first ?? box.current)?.focus();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Escape") {
      event.stopPropagation();
      props.onClose();
    }
    if (event.key !== "Tab" || !box.current) return;
    const all = [...box.current.querySelectorAll<HTMLElement>("input,button,a[href],select,textarea,[tabindex='0']")];
    const edge = event.shiftKey ? all[0] : all.at(-1);
    if (document.activeElement === edge) {
      event.preventDefault();
      (event.shiftKey ? all.at(-1) : all[0])?.focus();
    }
  };
  return (
    <div
      class="scrim"
      onPointerDown={(event) => event.target === event.currentTarget && props.onClose()}
      onKeyDown={onKeyDown}
    >
      <div
        class={props.className ?? "dlg"}
        role="dialog"
        aria-modal="true"
        aria-label={props.label}
        ref={box}
        tabIndex={-1}
      >
        {props.children}
      </div>
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

const LOOKS: Record<string, [string, string]> = {
  running: ["●", "running"],
  failed: ["✕", "failed"],
  crashed: ["■", "crashed"],
};

/** The state of a run, where it is other than finished; with `of` also how far it is while it runs. */
export function StateMark({
  state,
  of,
}: {
  state: string;
  of?: { progress: number | null; eta: number | null };
}): JSX.Element | null {
  const look = LOOKS[state];
  if (!look) return null;
  const isRunning = state === "running";
  const part = isRunning && of?.progress != null ? `${Math.round(of.progress * 100)} %` : "";
  const left = isRunning && of?.eta != null ? `${duration(of.eta)} left` : "";
  const words = [look[1], part, left].filter(Boolean).join(" · ");
  return (
    <span class={`st ${state}`} title={words} role="img" aria-label={words}>
      {isRunning ? <span class="pulse" /> : look[0]}
      {part}
    </span>
  );
}

interface Toast {
  text: string;
  action?: [string, () => void] | undefined;
}

export const toast = signal<Toast | null>(null);
let toastTimer = 0;

/** Say something for a few seconds, perhaps with a way back. */
export function say(text: string, action?: [string, () => void]): void {
  toast.value = { text, action };
  clearTimeout(toastTimer);
  toastTimer = window.setTimeout(() => (toast.value = null), action ? 8000 : 4000);
}

/** What went wrong, with what to do about it. */
export function explain(problem: unknown): string {
  if (problem instanceof ApiError) return problem.hint ? `${problem.message}. ${problem.hint}` : problem.message;
  return problem instanceof Error ? problem.message : String(problem);
}

/** Do something that may fail, and say so. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (problem) {
    say(explain(problem));
    return undefined;
  }
}

export function copy(text: string, what = "Copied"): void {
  void attempt(async () => {
    await navigator.clipboard.writeText(text);
    say(what);
  });
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
