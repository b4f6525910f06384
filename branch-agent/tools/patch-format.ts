/**
 * The patch format that OpenAI's models were trained on, read (its grammar is in their Codex and in their prompting guide for GPT-4.1):
 * files to add, delete and update; an update is hunks of kept, removed and added lines, placed by what they hold and by `@@` lines.
 */

export interface PatchLine {
  kind: "keep" | "remove" | "add";
  text: string;
}

export interface Hunk {
  /** Lines to go to first, one after the other: what follows `@@`. */
  anchors: string[];
  lines: PatchLine[];
  /** The lines are the file's last. */
  atEnd: boolean;
}

export type Section =
  | { kind: "add"; path: string; content: string }
  | { kind: "delete"; path: string }
  | { kind: "update"; path: string; moveTo: string | null; hunks: Hunk[] };

/** A sentence, where the text is no such patch. */
export function parsePatch(input: string): Section[] | string {
  const all = input.replaceAll("\r\n", "\n").split("\n");
  const first = all.findIndex((line) => line.trim() === "*** Begin Patch");
  const last = all.findLastIndex((line) => line.trim() === "*** End Patch");
  if (first < 0 || last < first) return 'A patch begins with the line "*** Begin Patch" and ends with "*** End Patch".';
  const sections: Section[] = [];
  for (let i = first + 1; i < last; i++) {
    const line = all[i] ?? "";
    const problem = addLine(sections, line);
    if (problem !== null) return `Line ${i - first + 1} of the patch, "${line.slice(0, 100)}": ${problem}`;
  }
  for (const section of sections) if (section.kind === "update") section.hunks.forEach(withoutBlankEnd);
  if (sections.length === 0) return "The patch names no file.";
  const empty = sections.find((section) => section.kind === "update" && section.moveTo === null && !section.hunks.some(changes));
  return empty ? `The patch changes nothing in "${empty.path}": lines to take out begin with -, lines to put in with +.` : sections;
}

const header = /^\*\*\* (Add|Delete|Update) File: (.+)$/;
/** Some models give the numbers of a unified diff, which say nothing here. */
const numbers = /^-\d+(,\d+)? \+\d+(,\d+)? @@ ?/;

/** Null, or what is wrong with the line. */
function addLine(sections: Section[], line: string): string | null {
  const [, verb, path = ""] = header.exec(line.trimEnd()) ?? [];
  if (verb === "Add") sections.push({ kind: "add", path, content: "" });
  if (verb === "Delete") sections.push({ kind: "delete", path });
  if (verb === "Update") sections.push({ kind: "update", path, moveTo: null, hunks: [] });
  if (verb) return null;
  const section = sections.at(-1);
  if (section === undefined || section.kind === "delete") {
    return line.trim() === "" ? null : "here a file is named: *** Add File: PATH, *** Delete File: PATH or *** Update File: PATH.";
  }
  if (section.kind === "add") {
    if (!line.startsWith("+")) return "every line of a new file begins with +.";
    section.content += `${line.slice(1)}\n`;
    return null;
  }
  return addToUpdate(section, line);
}

function addToUpdate(section: Extract<Section, { kind: "update" }>, line: string): string | null {
  const move = /^\*\*\* Move to: (.+)$/.exec(line.trimEnd())?.[1];
  if (move !== undefined) {
    if (section.hunks.length > 0) return "*** Move to: stands right under the name of the file.";
    section.moveTo = move;
    return null;
  }
  let hunk = section.hunks.at(-1);
  const begins = line === "@@" || line.startsWith("@@ ");
  if (begins) {
    const anchor = line.slice(3).replace(numbers, "").replace(/ ?@@$/, "");
    if (hunk === undefined || hunk.lines.length > 0) {
      hunk = { anchors: [], lines: [], atEnd: false };
      section.hunks.push(hunk);
    }
    if (anchor.trim() !== "") hunk.anchors.push(anchor);
    return null;
  }
  if (hunk === undefined || hunk.atEnd) {
    hunk = { anchors: [], lines: [], atEnd: false };
    section.hunks.push(hunk);
  }
  if (line.trimEnd() === "*** End of File") hunk.atEnd = true;
  // Editors and models drop the blank of an empty line that is kept.
  else if (line === "" || line.startsWith(" ")) hunk.lines.push({ kind: "keep", text: line.slice(1) });
  else if (line.startsWith("-")) hunk.lines.push({ kind: "remove", text: line.slice(1) });
  else if (line.startsWith("+")) hunk.lines.push({ kind: "add", text: line.slice(1) });
  else return "a line of an update begins with a blank (kept), - (removed), + (added) or @@.";
  return null;
}

/** A blank line before the next file is layout, more often than a line of the file. */
function withoutBlankEnd({ lines }: Hunk): void {
  while (lines.at(-1)?.kind === "keep" && lines.at(-1)?.text === "") lines.pop();
}

const changes = (hunk: Hunk) => hunk.lines.some(({ kind }) => kind !== "keep");
