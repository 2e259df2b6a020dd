/** The names of keys on the reader's machine. */

const isApple = /Mac|iPhone|iPad/.test(navigator.userAgent);

/** What is held for a command of the page, as it stands before another key. */
export const COMMAND = isApple ? "⌘" : "Ctrl ";
export const ALT = isApple ? "⌥" : "Alt";
export const SHIFT = isApple ? "⇧" : "Shift";
