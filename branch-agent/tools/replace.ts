/**
 * Finding what a model wants replaced, and replacing nothing else.
 *
 * A text is looked for as given; then with line ends and byte order mark normalised; then also without blanks at line ends and with
 * typographic quotes, dashes and spaces taken for plain ones. Never by similarity. Each normalised character remembers the stretch of the
 * original that it stands for, so whatever is not matched keeps its bytes, and so does what old and new have in common at either end.
 */

export interface Edit {
  old: string;
  new: string;
  replace_all?: boolean | undefined;
}

export type Replaced = { ok: true; text: string; lines: number[] } | { ok: false; index: number; problem: string };

/** Offsets into the original: what was matched, and the part of it that gives way to `text`. */
interface Range {
  start: number;
  end: number;
  from: number;
  to: number;
  text: string;
}

interface View {
  text: string;
  start(i: number): number;
  end(i: number): number;
}

type Strictness = "exact" | "line ends" | "loose";
const strictnesses: readonly Strictness[] = ["exact", "line ends", "loose"];
const linesShown = 5;
/** Beyond it a program is the right tool. */
const mostPlaces = 100_000;

/**
 * Applies all edits to `original`, or none: each `old` must be there once (or `replace_all`), and no two matches may overlap.
 * @param lineEnd how lines end where the new text goes, if `original` is but a part
 */
export function replaceAll(original: string, edits: readonly Edit[], lineEnd = lineEnds(original)): Replaced {
  const views = new Map<Strictness, View>();
  const viewOf = (strictness: Strictness) => {
    const view = views.get(strictness) ?? viewAs(original, strictness);
    views.set(strictness, view);
    return view;
  };
  const ranges: (Range & { index: number })[] = [];
  for (const [index, edit] of edits.entries()) {
    const found = locate(original, viewOf, { edit, lineEnd });
    if (typeof found === "string") return { ok: false, index, problem: found };
    ranges.push(...found.map((range) => ({ ...range, index })));
  }
  ranges.sort((a, b) => a.start - b.start || a.end - b.end);
  const pieces: string[] = [];
  const lines: number[] = [];
  const lineOf = countLines(original);
  let done = 0;
  for (const [i, range] of ranges.entries()) {
    const before = ranges[i - 1];
    if (before && range.start < before.end) {
      return { ok: false, index: range.index, problem: `it overlaps with edit ${before.index + 1}. Make one edit of the two.` };
    }
    pieces.push(original.slice(done, range.from), range.text);
    lines.push(lineOf(range.start));
    done = range.to;
  }
  const text = pieces.join("") + original.slice(done);
  if (text === original) return { ok: false, index: 0, problem: "nothing would change: line ends are kept as they are in the file." };
  return { ok: true, text, lines };
}

function locate(
  original: string,
  viewOf: (strictness: Strictness) => View,
  { edit, lineEnd }: { edit: Edit; lineEnd: LineEnd },
): Range[] | string {
  if (edit.old === "") return "old is empty. Give the text to replace; for a new file use write.";
  if (edit.old === edit.new) return "old and new are the same. Leave it out, or give the new text.";
  for (const strictness of strictnesses) {
    // A bare line feed must not match half of a CRLF.
    if (strictness === "exact" && original.includes("\r\n") && /(^|[^\r])\n/.test(edit.old)) continue;
    const view = viewOf(strictness);
    const needle = viewAs(edit.old, strictness).text;
    if (needle === "") continue;
    // Blanks that were dropped from the end of `old` stood for the end of a line: it must not match the beginning of a longer word.
    const atLineEnd = strictness === "loose" && !viewAs(edit.old, "line ends").text.endsWith(needle.slice(-1));
    const places = occurrences(view.text, needle).filter(
      (at) => !atLineEnd || /^(\n|$)/.test(view.text.slice(at + needle.length).slice(0, 1)),
    );
    if (places.length === 0) continue;
    if (places.length > mostPlaces) return `old matches more than ${mostPlaces} places. Use bash with sed or a script.`;
    if (places.length > 1 && !edit.replace_all) {
      const lines = places.slice(0, linesShown).map((at) => lineAt(original, view.start(at)));
      return `old matches ${places.length} places (lines ${lines.join(", ")}${places.length > linesShown ? ", …" : ""}). Add lines around it, or set replace_all.`;
    }
    const change = changeOf(edit, needle, strictness);
    return apart(places, needle.length).map((at) => rangeAt({ at, size: needle.length }, view, { change, lineEnd }));
  }
  return notFound(original, edit.old);
}

/** What gives way in a match and to what: `head` to `tail` in the characters of the view, narrowed to where old and new differ. */
interface Change {
  head: number;
  tail: number;
  text: string;
}

/** What the model itself left as it was, by its own old and new, stays: a quote that it changed on purpose is changed. */
function changeOf(edit: Edit, needle: string, strictness: Strictness): Change {
  if (strictness === "exact") return { head: 0, tail: needle.length, text: edit.new };
  const old = viewAs(edit.old, "line ends").text;
  const fresh = viewAs(edit.new, "line ends").text;
  const typed = viewAs(old, strictness);
  const { prefix, suffix } = shared(old, fresh);
  let head = 0;
  while (head < needle.length && typed.end(head) <= prefix) head++;
  let tail = needle.length;
  while (tail > head && typed.start(tail - 1) >= old.length - suffix) tail--;
  const text = fresh.slice(
    head > 0 ? typed.end(head - 1) : 0,
    tail < needle.length ? fresh.length - old.length + typed.start(tail) : fresh.length,
  );
  return { head, tail, text };
}

function rangeAt({ at, size }: { at: number; size: number }, view: View, { change, lineEnd }: { change: Change; lineEnd: LineEnd }): Range {
  const { head, tail, text } = change;
  const start = view.start(at);
  const before = head > 0 ? view.end(at + head - 1) : start;
  return {
    start,
    end: view.end(at + size - 1),
    from: head < tail ? view.start(at + head) : before,
    to: head < tail ? view.end(at + tail - 1) : before,
    text: text.includes("\n") ? text.replace(/\r?\n/g, lineEnd(start)) : text,
  };
}

/** How much two texts have in common at either end, without counting anything twice. */
function shared(a: string, b: string): { prefix: number; suffix: number } {
  const most = Math.min(a.length, b.length);
  let prefix = 0;
  while (prefix < most && a[prefix] === b[prefix]) prefix++;
  let suffix = 0;
  while (suffix < most - prefix && a.at(-1 - suffix) === b.at(-1 - suffix)) suffix++;
  return { prefix, suffix };
}

export type LineEnd = (offset: number) => "\r\n" | "\n";

/** How lines end at an offset: the next line end from there on, else the last before it. Quick if the offsets rise. */
export function lineEnds(original: string): LineEnd {
  let from = 0;
  let next = original.indexOf("\n");
  const last = original.lastIndexOf("\n");
  return (offset) => {
    if (offset < from || (next >= 0 && offset > next)) next = original.indexOf("\n", offset);
    from = offset;
    const at = next >= 0 ? next : last;
    return at > 0 && original[at - 1] === "\r" ? "\r\n" : "\n";
  };
}

function viewAs(text: string, strictness: Strictness): View {
  if (strictness === "exact") return { text, start: (i) => i, end: (i) => i + 1 };
  const loose = strictness === "loose";
  const codes = new Uint16Array(text.length);
  const starts = new Uint32Array(text.length);
  const ends = new Uint32Array(text.length);
  let size = 0;
  let lineStart = 0;
  const dropBlanks = () => {
    while (loose && size > lineStart && isBlank(codes[size - 1])) size--;
  };
  for (let i = text.startsWith("\uFEFF") ? 1 : 0; i < text.length; i++) {
    const start = i;
    if (text[i] === "\r" && text[i + 1] === "\n") i++;
    const code = text.charCodeAt(i);
    if (code === lineFeed) dropBlanks();
    codes[size] = loose ? plain(code) : code;
    starts[size] = start;
    ends[size] = i + 1;
    size++;
    if (code === lineFeed) lineStart = size;
  }
  dropBlanks();
  return {
    text: Buffer.from(codes.buffer, 0, size * 2).toString("utf16le"),
    start: (i) => starts[i] ?? 0,
    end: (i) => ends[i] ?? 0,
  };
}

const lineFeed = 0x0a;
const isBlank = (code: number | undefined) => code === 0x20 || code === 0x09;

/** Typographic characters as what a keyboard gives: one for one, so that offsets stay. */
export function plain(code: number): number {
  if (code < 0xa0) return code;
  if ((code >= 0x2018 && code <= 0x201b) || code === 0x2032) return 0x27;
  if ((code >= 0x201c && code <= 0x201f) || code === 0x2033) return 0x22;
  if ((code >= 0x2010 && code <= 0x2015) || code === 0x2212) return 0x2d;
  if (code === 0xa0 || (code >= 0x2000 && code <= 0x200a) || code === 0x202f || code === 0x205f || code === 0x3000) return 0x20;
  return code;
}

/** Every place, overlapping ones too: two readings of one text are two places. One beyond the most that may be replaced is enough. */
function occurrences(text: string, needle: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(needle); at >= 0 && places.length <= mostPlaces; at = text.indexOf(needle, at + 1)) places.push(at);
  return places;
}

function apart(places: readonly number[], length: number): number[] {
  const chosen: number[] = [];
  for (const at of places) if (at >= (chosen.at(-1) ?? -length) + length) chosen.push(at);
  return chosen;
}

function notFound(original: string, old: string): string {
  const first = old.split("\n").find((line) => line.trim() !== "");
  const at = first ? original.indexOf(first.trim()) : -1;
  const hint = at >= 0 ? ` Its first line is at line ${lineAt(original, at)}, but what follows differs.` : "";
  return `old is not in the file.${hint} Read the file again and copy the text as it is, without line numbers.`;
}

function lineAt(text: string, offset: number): number {
  return countLines(text)(offset);
}

/** The number of the line that an offset lies in. Each call goes on from the last: the offsets must rise. */
function countLines(text: string): (offset: number) => number {
  let line = 1;
  let at = text.indexOf("\n");
  return (offset) => {
    for (; at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line++;
    return line;
  };
}
