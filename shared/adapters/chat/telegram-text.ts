/** Marked text within Telegram's limits. All lengths are UTF-16 code units. */
import type { RichText } from "#core/rich-text.ts";

export const maxText = 4096;
export const maxCaption = 1024;
const cutMark = "\n…(cut)";

interface Entity {
  type: RichText["spans"][number]["type"];
  offset: number;
  length: number;
}

/** `text` if it fits; else as many whole lines as do, then "…(cut)". A single overlong line is cut inside, never inside a character. */
export function cutText({ text, spans }: RichText, max: number): RichText {
  if (text.length <= max) return { text, spans };
  const room = max - cutMark.length;
  const line = text.lastIndexOf("\n", room);
  // A line boundary that would throw away more than half is no better than a cut word.
  const end = wholeCharacter(text, line > room / 2 ? line : room);
  return { text: text.slice(0, end) + cutMark, spans: clip(spans, end) };
}

/** The spans as Telegram takes them: inside the text, not empty, on whole characters, in order. */
export function entitiesOf({ text, spans }: RichText): Entity[] {
  return clip(spans, text.length)
    .map(({ type, offset, length }) => {
      const start = wholeCharacter(text, offset);
      return { type, offset: start, length: wholeCharacter(text, offset + length) - start };
    })
    .filter(({ length }) => length > 0)
    .sort((a, b) => a.offset - b.offset || b.length - a.length);
}

function clip(spans: RichText["spans"], end: number): RichText["spans"] {
  return spans.flatMap((span) => {
    const start = Math.max(0, span.offset);
    const length = Math.min(end, span.offset + span.length) - start;
    return length > 0 ? [{ ...span, offset: start, length }] : [];
  });
}

/** `at`, or one less if that is the middle of a surrogate pair. */
function wholeCharacter(text: string, at: number): number {
  const low = text.charCodeAt(at);
  const high = text.charCodeAt(at - 1);
  return low >= 0xdc00 && low <= 0xdfff && high >= 0xd800 && high <= 0xdbff ? at - 1 : at;
}
