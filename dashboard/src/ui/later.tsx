/** Pages whose code is fetched when they are opened, or when the browser has nothing else to do. */
import { signal } from "@preact/signals";
import type { ComponentType, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { Skeleton } from "./empty";

interface Loaded<P> {
  page: { value: ComponentType<P> | null };
  load: () => Promise<void>;
}

const IDLE_MS = 3000;

/** A page that comes later. */
export function later<P>(fetch: () => Promise<ComponentType<P>>): Loaded<P> {
  const page = signal<ComponentType<P> | null>(null);
  const load = async (): Promise<void> => {
    if (!page.peek()) page.value = await fetch();
  };
  setTimeout(() => requestIdleCallback(() => void load()), IDLE_MS);
  return { page, load };
}

export function Later<P extends object>({ of, ...props }: { of: Loaded<P> } & P): JSX.Element {
  const Page = of.page.value;
  useEffect(() => void of.load(), [of]);
  if (!Page)
    return (
      <main class="page" aria-busy="true">
        <Skeleton />
      </main>
    );
  return <Page {...(props as unknown as P)} />;
}
