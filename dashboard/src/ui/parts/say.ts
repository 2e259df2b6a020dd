/** Words to the reader for a few seconds: what was done, or what went wrong. */
import { signal } from "@preact/signals";
import { ApiError } from "../../api/api";

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
