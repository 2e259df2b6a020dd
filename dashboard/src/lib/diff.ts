/** A unified diff, read into files and lines for the page. */

export interface DiffLine {
  kind: "add" | "del" | "same" | "hunk" | "note";
  old: number | null;
  now: number | null;
  text: string;
}

export interface DiffFile {
  path: string;
  lines: DiffLine[];
  added: number;
  removed: number;
}

export function parseDiff(text: string): DiffFile[] {
  const files: DiffFile[] = [];
  let file: DiffFile | null = null;
  let [old, now, oldLeft, nowLeft] = [0, 0, 0, 0];
  for (const line of text.split("\n")) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line);
    if (file && (oldLeft > 0 || nowLeft > 0)) {
      if (line.startsWith("+")) {
        file.lines.push({ kind: "add", old: null, now: now++, text: line.slice(1) });
        file.added++;
        nowLeft--;
      } else if (line.startsWith("-")) {
        file.lines.push({ kind: "del", old: old++, now: null, text: line.slice(1) });
        file.removed++;
        oldLeft--;
      } else if (line.startsWith("\\")) {
        file.lines.push({ kind: "note", old: null, now: null, text: line.slice(2) });
      } else {
        file.lines.push({ kind: "same", old: old++, now: now++, text: line.slice(1) });
        oldLeft--;
        nowLeft--;
      }
    } else if (line.startsWith("diff --git ")) {
      file = { path: pathOf(line), lines: [], added: 0, removed: 0 };
      files.push(file);
    } else if (file && hunk) {
      [old, now] = [Number(hunk[1]), Number(hunk[3])];
      [oldLeft, nowLeft] = [Number(hunk[2] ?? 1), Number(hunk[4] ?? 1)];
      file.lines.push({ kind: "hunk", old: null, now: null, text: line });
    } else if (file && /^(Binary files|rename |new file|deleted file|\\ )/.test(line)) {
      file.lines.push({ kind: "note", old: null, now: null, text: line.replace(/^\\ /, "") });
    } else if (file && line.startsWith("+++ b/")) {
      file.path = line.slice(6).replace(/\t$/, "");
    }
  }
  return files;
}

const pathOf = (line: string): string => / b\/(.*)$/.exec(line)?.[1] ?? line.slice(11);
