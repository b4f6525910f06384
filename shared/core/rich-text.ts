/** Text with marked spans: what a chat message is made of, so that nothing ever needs escaping. */
export interface Span {
  type: "bold" | "italic" | "code" | "pre";
  /** UTF-16 code units, as chats count them. */
  offset: number;
  length: number;
}

export interface RichText {
  text: string;
  spans: Span[];
}

export type Piece = string | { as: Span["type"]; text: string };

/** Joins pieces; empty marked pieces vanish. */
export function rich(...pieces: Piece[]): RichText {
  let text = "";
  const spans: Span[] = [];
  for (const piece of pieces) {
    if (typeof piece === "string") {
      text += piece;
    } else if (piece.text !== "") {
      spans.push({ type: piece.as, offset: text.length, length: piece.text.length });
      text += piece.text;
    }
  }
  return { text, spans };
}

export const bold = (text: string): Piece => ({ as: "bold", text });
export const italic = (text: string): Piece => ({ as: "italic", text });
export const code = (text: string): Piece => ({ as: "code", text });
export const pre = (text: string): Piece => ({ as: "pre", text });
