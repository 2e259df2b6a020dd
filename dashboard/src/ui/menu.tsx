/** Buttons that open a panel. */
import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { IconName } from "./icons";
import { Icon } from "./icons";

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
