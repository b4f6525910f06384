/** Files as the tools show them and want them changed. */

import type { Call } from "./repair.ts";

/** Paths out of a listing, one a line; whatever else a tool says there is left out. */
export function readListing(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim().replace(/^\.\//, ""))
    .filter((line) => /^[\w@.][\w@./+-]*$/.test(line));
}

const numbered = /^ *(\d+)(?:→|\t|\| ?|: )(.*)$/;

/** The text of a file that was shown with line numbers, or without. Hints of the tool after the last line are dropped. */
export function readNumbered(shown: string): string {
  const lines = shown.split("\n");
  const first = lines.findIndex((line) => numbered.test(line));
  if (first < 0 || lines.slice(0, first).some((line) => line.trim() !== "" && first > 2)) return shown;
  const text: string[] = [];
  for (const line of lines.slice(first)) {
    const match = line.match(numbered);
    if (Number(match?.[1]) !== text.length + 1) break;
    text.push(match?.[2] ?? "");
  }
  return text.length > 0 ? text.join("\n") : shown;
}

/** What a coder that is offered `apply_patch` in its place does instead of an `edit` of whole lines. */
export function asOffered(tools: { has(name: string): boolean }, call: Call): Call {
  if (call.name !== "edit" || !tools.has("apply_patch")) return call;
  const { path, edits } = call.input as { path: string; edits: readonly { old: string; new: string }[] };
  const lines = (sign: string, text: string) => (text === "" ? [] : text.split("\n").map((line) => sign + line));
  const hunks = edits.flatMap((edit) => ["@@", ...lines("-", edit.old), ...lines("+", edit.new)]);
  const input = ["*** Begin Patch", `*** Update File: ${path}`, ...hunks, "*** End Patch"].join("\n");
  return { ...call, name: "apply_patch", input: { input } };
}

/** One edit that turns `before` into `after`: whole lines, and as many of them as make the old ones unique. */
export function hunk(before: string, after: string): { old: string; new: string } | null {
  if (before === after) return null;
  const a = before.split("\n");
  const b = after.split("\n");
  let head = 0;
  while (head < Math.min(a.length, b.length) && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  for (;;) {
    const old = a.slice(head, a.length - tail).join("\n");
    const next = { old, new: b.slice(head, b.length - tail).join("\n") };
    const unique = old.trim() !== "" && before.indexOf(old) === before.lastIndexOf(old);
    if (unique || (head === 0 && tail === 0)) return next;
    head = Math.max(0, head - 1);
    tail = Math.max(0, tail - 1);
  }
}
