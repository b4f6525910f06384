/** Text with marked spans: what a chat message is made of, so that nothing ever needs escaping. */
import * as z from "zod";

const spanSchema = z.strictObject({
  type: z.enum(["bold", "italic", "code", "pre"]),
  /** UTF-16 code units, as chats count them. */
  offset: z.int().nonnegative(),
  length: z.int().nonnegative(),
});
export type Span = z.infer<typeof spanSchema>;

export const richTextSchema = z.strictObject({ text: z.string(), spans: z.array(spanSchema) });
export type RichText = z.infer<typeof richTextSchema>;

export type Piece = string | { as: Span["type"]; text: string };

// What makes a text read otherwise than it is: overridden direction, nothing where something is, control characters. Line ends and tabs
// stay, and so do the marks and joiners that scripts and emoji need.
const deceptive = /(?![\t\n])[\p{Cc}\u200b\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/gu;

/** Joins pieces; empty marked pieces vanish. A character that deceives the eye is written out: `⟨U+202E⟩`. */
export function rich(...pieces: Piece[]): RichText {
  let text = "";
  const spans: Span[] = [];
  for (const piece of pieces) {
    const shown = visible(typeof piece === "string" ? piece : piece.text);
    if (typeof piece !== "string" && shown !== "") spans.push({ type: piece.as, offset: text.length, length: shown.length });
    text += shown;
  }
  return { text, spans };
}

function visible(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replace(deceptive, (char) => `⟨U+${char.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

export const bold = (text: string): Piece => ({ as: "bold", text });
export const italic = (text: string): Piece => ({ as: "italic", text });
export const code = (text: string): Piece => ({ as: "code", text });
export const pre = (text: string): Piece => ({ as: "pre", text });
