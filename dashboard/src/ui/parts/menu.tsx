/** Buttons that open a panel. */
import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { firstField } from "./dialog";
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
    const [box, button] = [panel.current, anchor.current];
    // In the top layer: no card, dialog or scroller around the button moves it or cuts it off.
    box.showPopover();
    const put = (): void => place(box, button.getBoundingClientRect());
    put();
    firstField(box)?.focus({ preventScroll: true });
    const away = (event: PointerEvent): void => {
      const target = event.target as Node;
      if (!box.contains(target) && !button.contains(target)) setOpen(false);
    };
    const scrolled = (event: Event): void => {
      if (!box.contains(event.target as Node)) put();
    };
    const sizes = new ResizeObserver(put);
    sizes.observe(box);
    addEventListener("pointerdown", away, true);
    addEventListener("scroll", scrolled, true);
    addEventListener("resize", put);
    return () => {
      sizes.disconnect();
      removeEventListener("pointerdown", away, true);
      removeEventListener("scroll", scrolled, true);
      removeEventListener("resize", put);
    };
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
        if (isOpen && event.key === "Enter") takeOnly(event, panel.current);
      }}
    >
      {props.button(() => setOpen(!isOpen), isOpen)}
      {isOpen && (
        <div class="menu" role="dialog" aria-label={props.label} ref={panel} popover="manual">
          {props.children(close)}
        </div>
      )}
    </span>
  );
}

const GAP = 4;
const EDGE = 8;

/** Under its button, or over it where there is more room; never off the screen. */
export function place(panel: HTMLElement, anchor: DOMRect): void {
  panel.style.maxHeight = "";
  const { offsetWidth: width, offsetHeight: height } = panel;
  panel.style.left = `${Math.max(EDGE, Math.min(anchor.left, innerWidth - width - EDGE))}px`;
  const [above, below] = [anchor.top - GAP - EDGE, innerHeight - anchor.bottom - GAP - EDGE];
  const isBelow = height <= below || below >= above;
  const room = Math.max(120, isBelow ? below : above);
  if (height > room) panel.style.maxHeight = `${room}px`;
  const top = isBelow ? anchor.bottom + GAP : anchor.top - GAP - Math.min(height, room);
  panel.style.top = `${Math.max(EDGE, Math.min(top, innerHeight - Math.min(height, room) - EDGE))}px`;
}

function moveFocus(event: KeyboardEvent, panel: HTMLElement | null): void {
  const items = [...(panel?.querySelectorAll<HTMLElement>(".it:not(:disabled)") ?? [])];
  if (!items.length || (event.target as HTMLElement).tagName === "SELECT") return;
  event.preventDefault();
  const at = items.indexOf(document.activeElement as HTMLElement);
  items[(at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length]?.focus();
}

/** Enter in a search takes what it has found, where that is one thing. */
function takeOnly(event: KeyboardEvent, panel: HTMLElement | null): void {
  const target = event.target as HTMLElement;
  if (!(target instanceof HTMLInputElement) || target.form || !target.value.trim()) return;
  const found = panel?.querySelectorAll<HTMLElement>("[data-found]") ?? [];
  if (found.length !== 1) return;
  event.preventDefault();
  found[0]!.click();
}

export function Item(props: {
  onClick: () => void;
  icon?: IconName;
  isChecked?: boolean;
  /** The search of the menu has found it. */
  isFound?: boolean;
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
      data-found={props.isFound ? "" : undefined}
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

/** How many of all a list shows, where it does not show all. */
export function Limit({ shown, of, what }: { shown: number; of: number; what: string }): JSX.Element | null {
  if (shown >= of) return null;
  return (
    <div class="hd">
      The first {shown.toLocaleString("en")} of {of.toLocaleString("en")} {what}: search to find more
    </div>
  );
}
