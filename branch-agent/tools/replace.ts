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

/** Applies all edits to `original`, or none: each `old` must be there once (or `replace_all`), and no two matches may overlap. */
export function replaceAll(original: string, edits: readonly Edit[]): Replaced {
  const views = new Map<Strictness, View>();
  const viewOf = (strictness: Strictness) => {
    const view = views.get(strictness) ?? viewAs(original, strictness);
    views.set(strictness, view);
    return view;
  };
  const ranges: (Range & { index: number })[] = [];
  for (const [index, edit] of edits.entries()) {
    const found = locate(original, viewOf, edit);
    if (typeof found === "string") return { ok: false, index, problem: found };
    ranges.push(...found.map((range) => ({ ...range, index })));
  }
  ranges.sort((a, b) => a.start - b.start || a.end - b.end);
  let text = "";
  let done = 0;
  for (const [i, range] of ranges.entries()) {
    const before = ranges[i - 1];
    if (before && range.start < before.end) {
      return { ok: false, index: range.index, problem: `it overlaps with edit ${before.index + 1}. Make one edit of the two.` };
    }
    text += original.slice(done, range.from) + range.text;
    done = range.to;
  }
  return { ok: true, text: text + original.slice(done), lines: ranges.map((range) => lineAt(original, range.start)) };
}

function locate(original: string, viewOf: (strictness: Strictness) => View, edit: Edit): Range[] | string {
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
    if (places.length > 1 && !edit.replace_all) {
      const lines = places.slice(0, linesShown).map((at) => lineAt(original, view.start(at)));
      return `old matches ${places.length} places (lines ${lines.join(", ")}${places.length > linesShown ? ", …" : ""}). Add lines around it, or set replace_all.`;
    }
    return apart(places, needle.length).map((at) => rangeFor(original, view, { at, needle, edit, strictness }));
  }
  return notFound(original, edit.old);
}

/** The match as a range of the original, narrowed to where old and new differ. */
function rangeFor(original: string, view: View, match: { at: number; needle: string; edit: Edit; strictness: Strictness }): Range {
  const { at, needle, edit } = match;
  const start = view.start(at);
  const end = view.end(at + needle.length - 1);
  const eol = lineEndOf(original, start, end);
  if (match.strictness === "exact") {
    return { start, end, from: start, to: end, text: eol === "\r\n" ? edit.new.replace(/\r?\n/g, eol) : edit.new };
  }
  // What the model itself left as it was, by its own old and new: a quote that it changed on purpose is changed.
  const old = viewAs(edit.old, "line ends").text;
  const fresh = viewAs(edit.new, "line ends").text;
  const typed = viewAs(old, match.strictness);
  const { prefix, suffix } = shared(old, fresh);
  let head = 0;
  while (head < needle.length && typed.end(head) <= prefix) head++;
  let tail = needle.length;
  while (tail > head && typed.start(tail - 1) >= old.length - suffix) tail--;
  const text = fresh.slice(
    head > 0 ? typed.end(head - 1) : 0,
    tail < needle.length ? fresh.length - old.length + typed.start(tail) : fresh.length,
  );
  const before = head > 0 ? view.end(at + head - 1) : start;
  const from = head < tail ? view.start(at + head) : before;
  const to = head < tail ? view.end(at + tail - 1) : before;
  return { start, end, from, to, text: text.replaceAll("\n", eol) };
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

/** How lines end in the stretch; in the whole text, where the stretch has no line end. */
function lineEndOf(original: string, start: number, end: number): "\r\n" | "\n" {
  const within = original.slice(start, end).indexOf("\n");
  const at = within >= 0 ? start + within : original.indexOf("\n");
  return at > 0 && original[at - 1] === "\r" ? "\r\n" : "\n";
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
function plain(code: number): number {
  if (code < 0xa0) return code;
  if ((code >= 0x2018 && code <= 0x201b) || code === 0x2032) return 0x27;
  if ((code >= 0x201c && code <= 0x201f) || code === 0x2033) return 0x22;
  if ((code >= 0x2010 && code <= 0x2015) || code === 0x2212) return 0x2d;
  if (code === 0xa0 || (code >= 0x2000 && code <= 0x200a) || code === 0x202f || code === 0x205f || code === 0x3000) return 0x20;
  return code;
}

/** Every place, overlapping ones too: two readings of one text are two places. */
function occurrences(text: string, needle: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + 1)) places.push(at);
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
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line++;
  return line;
}
