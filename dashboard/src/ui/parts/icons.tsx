/** Icons, drawn on a grid of 16. */
import type { JSX } from "preact";

const PATHS = {
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Zm3.5 8 3 3",
  down: "m5 6.5 3 3 3-3",
  right: "m6.5 5 3 3-3 3",
  up: "m5 9.5 3-3 3 3",
  group: "M2.5 2.5h5v5h-5ZM8.5 8.5h5v5h-5ZM10 3.5h3.5M10 6h2M2.5 10.5H6M2.5 13h2",
  columns: "M2.5 3h11v10h-11ZM6.2 3v10M9.8 3v10",
  sort: "M5 3v10m0 0-2-2m2 2 2-2M9 4.5h4.5M9 8h3.5M9 11.5h2",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8ZM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6Z",
  pin: "M6 2.5h4l-.5 4 2.5 2.5H4l2.5-2.5L6 2.5ZM8 9v4.5",
  expand: "M9.5 2.5h4v4M6.5 13.5h-4v-4M13.5 2.5 9 7M2.5 13.5 7 9",
  log: "M2.5 2.5v11h11M4.5 11c3.5 0 4-2 5-4.5S11.5 3 13.5 3",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  close: "m4.5 4.5 7 7m0-7-7 7",
  plus: "M8 3.5v9M3.5 8h9",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5Z",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6ZM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9",
  help: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM6.2 6.3a1.8 1.8 0 1 1 2.6 1.9c-.6.3-.8.6-.8 1.2M8 11.5h.01",
  check: "m3.5 8.5 3 3 6-7",
  copy: "M5.5 5.5h8v8h-8ZM10.5 5.5v-3h-8v8h3",
  compare: "M2.5 3h4.5v10H2.5ZM9 3h4.5v10H9Z",
  download: "M8 2.5v8m0 0-3-3m3 3 3-3M3 13.5h10",
  trash: "M3 4.5h10M6 4.5v-2h4v2M4.5 4.5l.5 9h6l.5-9M6.8 7v4M9.2 7v4",
  wrap: "M2.5 4h11M2.5 8h9a2 2 0 0 1 0 4H8m0 0 1.5-1.5M8 12l1.5 1.5M2.5 12H5",
  file: "M4 2.5h5l3 3v8H4ZM9 2.5v3h3",
  edit: "m3 13 .7-2.8 7-7 2.1 2.1-7 7L3 13Z",
  tag: "M2.5 2.5h5l6 6-5 5-6-6ZM5.2 5.2h.01",
  restore: "M3 8a5 5 0 1 0 1.5-3.5M3 3v3h3",
  save: "M3 3h8l2 2v8H3ZM5.5 3v3.5h4V3M5.5 13V9.5h5V13",
  follow: "M8 3v9m0 0-3.5-3.5M8 12l3.5-3.5M3 14h10",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, isSmall }: { name: IconName; isSmall?: boolean }): JSX.Element {
  return (
    <svg class={isSmall ? "i s" : "i"} viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo(): JSX.Element {
  return (
    <svg viewBox="0 0 20 20" fill="none" aria-hidden="true">
      <path d="M10 18.2V9.6" stroke="var(--accent)" stroke-width="1.8" stroke-linecap="round" />
      <path d="M10 10.6C10 6.2 6.9 3.6 2.4 3.4 2.4 8 5.4 10.7 10 10.6Z" fill="var(--accent)" />
      <path d="M10 12.6c0-3.4 2.7-5.6 7.3-5.7.1 3.9-2.7 6.2-7.3 5.7Z" fill="var(--accent)" opacity=".55" />
    </svg>
  );
}
