/** A dialog over the page. */
import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** What is filled in first; else the first button, but for the one that closes. */
export const firstField = (box: HTMLElement): HTMLElement | null =>
  box.querySelector<HTMLElement>("input:not(:disabled),textarea,select") ??
  box.querySelector<HTMLElement>("button:not(:disabled):not([aria-label=Close])");

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
    ((box.current && firstField(box.current)) ?? box.current)?.focus();
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
