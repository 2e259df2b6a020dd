/** Pages whose code is fetched when they are opened, or when the browser has nothing else to do. */
import { signal } from "@preact/signals";
import type { ComponentType, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { Skeleton } from "./empty";

/** A component that is here, or comes later. */
export interface Loaded<P> {
  page: { value: ComponentType<P> | null };
  /** It could not be fetched: nobody answers, or another version of the page is served by now. */
  hasFailed: { value: boolean };
  load: () => Promise<void>;
}

const IDLE_MS = 3000;
const AGAIN_MS = 2000;

/** A page that comes later. */
export function later<P>(fetch: () => Promise<ComponentType<P>>): Loaded<P> {
  const page = signal<ComponentType<P> | null>(null);
  const hasFailed = signal(false);
  const load = async (): Promise<void> => {
    if (page.peek()) return;
    try {
      page.value = await fetch();
    } catch {
      hasFailed.value = true;
    }
  };
  setTimeout(() => requestIdleCallback(() => void load()), IDLE_MS);
  return { page, hasFailed, load };
}

/** A part of the page that is here from the beginning. */
export function ready<P>(component: ComponentType<P>): Loaded<P> {
  return { page: signal(component), hasFailed: signal(false), load: () => Promise.resolve() };
}

export function Later<P extends object>({ of, ...props }: { of: Loaded<P> } & P): JSX.Element {
  const Page = of.page.value;
  const hasFailed = of.hasFailed.value;
  useEffect(() => {
    void of.load();
    const again = setInterval(() => void of.load(), AGAIN_MS);
    return () => clearInterval(again);
  }, [of]);
  if (!Page && hasFailed)
    return (
      <main class="empty">
        <div>
          <h1>This page can't be loaded</h1>
          <p>The server does not answer, or serves another version of the dashboard by now.</p>
          <button type="button" class="btn pri" onClick={() => location.reload()}>
            Reload
          </button>
        </div>
      </main>
    );
  if (!Page)
    return (
      <main class="page" aria-busy="true">
        <Skeleton />
      </main>
    );
  return <Page {...(props as unknown as P)} />;
}
