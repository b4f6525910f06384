/**
 * A text as others might read it: percent-decoded, unescaped, without white space. Every view remembers which characters
 * of the original each of its bytes came from, so that what is found in a view can be cut out of the original.
 */

/** `bytes` holds one byte per character (UTF-8), so that one search serves every script. */
export interface View {
  bytes: string;
  /** For each byte, where its source begins and ends in the original, in UTF-16 units. */
  from: Int32Array;
  to: Int32Array;
}

/** Escapes of escapes are undone so often: JSON in JSON in JSON, or a URL in a URL in JSON. */
const maxLayers = 3;

const percent = /%[0-9a-fA-F]{2}/g;
const escapes = /\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|["\\/bfnrt'`])/g;
/** Control characters, every kind of white space, and what has no width: zero-width, bidi, variation and tag characters. */
const invisible =
  /[\0-\x20\x7f]+|\xc2[\x80-\xa0\xad]|\xcd\x8f|\xd8\x9c|\xe1\x9a\x80|\xe1\x85[\x9f\xa0]|\xe1\xa0[\x8b-\x8f]|\xe2\x80[\x80-\x8f\xa8-\xaf]|\xe2\x81[\x9f-\xaf]|\xe3\x80\x80|\xe3\x85\xa4|\xef\xb8[\x80-\x8f]|\xef\xbb\xbf|\xef\xbe\xa0|\xf3\xa0[\x80-\x87][\x80-\xbf]/g;

/** The readings of `text` in which a secret is looked for, each without white space and invisible characters. */
export function viewsOf(text: string): View[] {
  const views = [viewOf(text)];
  let layer = views;
  for (let depth = 0; depth < maxLayers; depth += 1) {
    layer = layer.flatMap((view) =>
      [rewrite(view, percent, unpercent), rewrite(view, escapes, unescapeOne)].filter((next) => next !== view),
    );
    views.push(...layer);
  }
  return views.map((view) => dense(view));
}

export function dense(view: View): View {
  return rewrite(view, invisible, () => "");
}

/** UTF-8 of `text`, one byte per character. A lone surrogate becomes U+FFFD, as encoders write it. */
export function bytesOf(text: string): string {
  const bytes = new TextEncoder().encode(text);
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return binary;
}

function viewOf(text: string): View {
  const bytes = bytesOf(text);
  const from = new Int32Array(bytes.length);
  const to = new Int32Array(bytes.length);
  let at = 0;
  for (let unit = 0; unit < text.length; ) {
    const point = text.codePointAt(unit) ?? 0;
    const units = point > 0xffff ? 2 : 1;
    const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    from.fill(unit, at, at + size);
    to.fill(unit + units, at, at + size);
    at += size;
    unit += units;
  }
  return { bytes, from, to };
}

/** Replaces each match by `decode(match)`, which is never longer. The same view where nothing matches. */
function rewrite(view: View, pattern: RegExp, decode: (match: string) => string): View {
  const parts: string[] = [];
  const from = new Int32Array(view.bytes.length);
  const to = new Int32Array(view.bytes.length);
  let read = 0;
  let written = 0;
  const copy = (end: number) => {
    parts.push(view.bytes.slice(read, end));
    from.set(view.from.subarray(read, end), written);
    to.set(view.to.subarray(read, end), written);
    written += end - read;
  };
  for (const { 0: match, index } of view.bytes.matchAll(pattern)) {
    copy(index);
    read = index + match.length;
    const bytes = decode(match);
    parts.push(bytes);
    from.fill(view.from[index] ?? 0, written, written + bytes.length);
    to.fill(view.to[read - 1] ?? 0, written, written + bytes.length);
    written += bytes.length;
  }
  if (read === 0) return view;
  copy(view.bytes.length);
  return { bytes: parts.join(""), from: from.subarray(0, written), to: to.subarray(0, written) };
}

function unpercent(match: string) {
  return String.fromCharCode(Number.parseInt(match.slice(1), 16));
}

const short: Record<string, string> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

function unescapeOne(match: string) {
  const kind = match.charAt(1);
  if (kind === "u")
    return bytesOf(
      String.fromCharCode(
        ...match
          .slice(2)
          .split("\\u")
          .map((hex) => Number.parseInt(hex, 16)),
      ),
    );
  if (kind === "x") return bytesOf(String.fromCharCode(Number.parseInt(match.slice(2), 16)));
  return short[kind] ?? kind;
}
