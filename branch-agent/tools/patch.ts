/** Hunks put into a text: whatever they do not remove or add keeps its bytes. */
import type { Hunk, PatchLine } from "./patch-format.ts";
import { type LineEnd, lineEnds, plain, replaceAll } from "./replace.ts";

export type Patched = { ok: true; text: string } | { ok: false; problem: string };

/** A line of the original: its text from `start` to `end`, and `next`, behind its line end. */
interface Line {
  start: number;
  end: number;
  next: number;
}

/** As it stands; then without blanks at its end, and typographic characters as plain ones. Never by likeness. */
const readings = [(line: string) => line, (line: string) => plainly(line).trimEnd()] as const;
/** An anchor only says where to look: there the indentation does not matter either. */
const anchorReadings = [...readings, (line: string) => plainly(line).trim()] as const;

/** Each hunk is looked for behind the one before it, and must be there once; behind a line that `@@` names, the first place counts. */
export function patched(original: string, hunks: readonly Hunk[]): Patched {
  const lines = linesOf(original);
  const textOf = ({ start, end }: Line) => original.slice(start, end);
  const asIs = lines.map(textOf);
  const changes: Change[] = [];
  let from = 0;
  for (const [i, hunk] of hunks.entries()) {
    const place = locate(hunk, asIs, from);
    if (typeof place === "string") return { ok: false, problem: `Hunk ${i + 1} of ${hunks.length}: ${place}` };
    const { blocks, next } = blocksOf(hunk.lines, place);
    changes.push(...blocks);
    from = next;
  }
  const pieces: string[] = [];
  const lineEnd = lineEnds(original);
  let done = 0;
  for (const change of changes) {
    const { from: at, to, text } = replacement(original, lines, { ...change, lineEnd });
    pieces.push(original.slice(done, at), text);
    done = to;
  }
  const text = pieces.join("") + original.slice(done);
  return text === original ? { ok: false, problem: "Nothing would change." } : { ok: true, text };
}

/** The index of the line that the hunk begins at. */
function locate({ anchors, lines, atEnd }: Hunk, original: readonly string[], after: number): number | string {
  let from = after;
  let isOnly = true;
  for (const anchor of anchors) {
    const places = anchorPlaces(original, anchor, from);
    const [first] = places;
    if (first === undefined) return `no line after line ${from} is "${anchor.trim()}". ${again}`;
    isOnly &&= places.length === 1;
    // The next anchor, or the hunk, may begin with that line itself.
    from = first;
  }
  const old = lines.filter(({ kind }) => kind !== "add").map(({ text }) => text);
  if (old.length === 0) {
    if (anchors.length === 0) return original.length;
    return isOnly ? from + 1 : `"${anchors.at(-1)?.trim()}" is there more than once. Give lines that are kept around the new ones.`;
  }
  for (const reading of readings) {
    const places = placesOf(original.map(reading), old.map(reading), { from, atEnd });
    const [first] = places;
    if (first === undefined) continue;
    if (places.length > 1 && !(anchors.length > 0 && isOnly)) {
      const shown = places.slice(0, 5).map((at) => at + 1);
      return `its lines are there ${places.length} times (at lines ${shown.join(", ")}${places.length > 5 ? ", …" : ""}). Keep more lines around them, or name the function with @@.`;
    }
    return first;
  }
  const anywhere = readings.some((reading) => placesOf(original.map(reading), old.map(reading), { from: 0, atEnd: false }).length > 0);
  if (anywhere && atEnd) return "its lines are in the file, but not at its end.";
  if (anywhere) return `its lines are in the file, but not after line ${from}. Order the hunks as the file is; no two may overlap.`;
  return `its lines are not in the file: "${
    old
      .find((line) => line.trim() !== "")
      ?.trim()
      .slice(0, 100) ?? ""
  }" …. ${again}`;
}

/** More are not needed to refuse. */
const mostPlaces = 100;
const again = "Read the file again and copy its lines as they are.";

function anchorPlaces(lines: readonly string[], anchor: string, from: number): number[] {
  for (const reading of anchorReadings) {
    const wanted = reading(anchor);
    const places = lines.flatMap((line, at) => (at >= from && reading(line) === wanted ? [at] : []));
    if (places.length > 0) return places;
  }
  return [];
}

function placesOf(texts: readonly string[], wanted: readonly string[], { from, atEnd }: { from: number; atEnd: boolean }): number[] {
  const places: number[] = [];
  const last = texts.length - wanted.length;
  for (let at = atEnd ? Math.max(from, last) : from; at <= last && places.length < mostPlaces; at++) {
    if (wanted.every((line, i) => texts[at + i] === line)) places.push(at);
  }
  return places;
}

/** Lines `first` up to `after` give way to `added`. */
interface Change {
  first: number;
  after: number;
  removed: string[];
  added: string[];
}

/** The stretches of a hunk that change; what is kept between them is not touched. */
function blocksOf(hunkLines: readonly PatchLine[], place: number): { blocks: Change[]; next: number } {
  const blocks: Change[] = [];
  let at = place;
  let open: Change | null = null;
  for (const { kind, text } of hunkLines) {
    if (kind === "keep") {
      open = null;
      at++;
      continue;
    }
    if (open === null) {
      open = { first: at, after: at, removed: [], added: [] };
      blocks.push(open);
    }
    if (kind === "add") open.added.push(text);
    else {
      open.removed.push(text);
      open.after = ++at;
    }
  }
  return { blocks, next: at };
}

/** A change as a range of the original and what it becomes, with the line ends of the place. */
function replacement(original: string, lines: readonly Line[], { first, after, removed, added, ...how }: Change & { lineEnd: LineEnd }) {
  const here = lines[first];
  const last = lines[after - 1];
  const lineEnd = how.lineEnd(here?.start ?? original.length);
  if (here === undefined || last === undefined || first === after) {
    const at = here?.start ?? original.length;
    const inserted = added.join(lineEnd);
    // Behind a last line without a line end: the file ends without one still.
    if (here === undefined && last && last.next === last.end) return { from: at, to: at, text: lineEnd + inserted };
    return { from: at, to: at, text: inserted + lineEnd };
  }
  if (added.length === 0) return { from: here.start, to: last.next, text: "" };
  const within = original.slice(here.start, last.end);
  const edited = replaceAll(original.slice(here.start, last.next), [{ old: removed.join("\n"), new: added.join("\n") }], () => lineEnd);
  if (edited.ok) return { from: here.start, to: last.next, text: edited.text };
  const same = removed.join("\n") === added.join("\n");
  return { from: here.start, to: last.end, text: same ? within : added.join(lineEnd) };
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  for (let start = text.startsWith("\uFEFF") ? 1 : 0; start < text.length; ) {
    const feed = text.indexOf("\n", start);
    const next = feed < 0 ? text.length : feed + 1;
    const end = feed < 0 ? text.length : feed > start && text[feed - 1] === "\r" ? feed - 1 : feed;
    lines.push({ start, end, next });
    start = next;
  }
  return lines;
}

const plainly = (line: string) => line.replace(/[\u00a0-\uffff]/g, (character) => String.fromCharCode(plain(character.charCodeAt(0))));
