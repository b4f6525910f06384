import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bold, code, italic, type Piece, pre, rich } from "#core/rich-text.ts";

describe("rich", () => {
  it("joins pieces and marks where they lie", () => {
    expect(rich("To ", bold("Homer"), ": ", code("npm test"), italic("!"), pre("a\nb"))).toEqual({
      text: "To Homer: npm test!a\nb",
      spans: [
        { type: "bold", offset: 3, length: 5 },
        { type: "code", offset: 10, length: 8 },
        { type: "italic", offset: 18, length: 1 },
        { type: "pre", offset: 19, length: 3 },
      ],
    });
  });

  it("counts in UTF-16 units, as chats do", () => {
    expect(rich("👩‍💻 ", bold("né")).spans).toEqual([{ type: "bold", offset: 6, length: 2 }]);
    expect(rich(bold("😀")).spans).toEqual([{ type: "bold", offset: 0, length: 2 }]);
  });

  it("drops marks of nothing, and is nothing of nothing", () => {
    expect(rich(bold(""), "a", code(""))).toEqual({ text: "a", spans: [] });
    expect(rich()).toEqual({ text: "", spans: [] });
  });

  it("escapes nothing: markup in a piece is text", () => {
    expect(rich(bold("<b>*_`&amp;"))).toEqual({ text: "<b>*_`&amp;", spans: [{ type: "bold", offset: 0, length: 11 }] });
  });

  it("writes out what deceives the eye, and leaves what scripts and emoji need", () => {
    const shown = rich(bold("pay\u202etxt.exe\u200b"), "\u2066a\ufeff\u001b[31m\r\nb\tc");
    expect(shown.text).toBe("pay⟨U+202E⟩txt.exe⟨U+200B⟩⟨U+2066⟩a⟨U+FEFF⟩⟨U+001B⟩[31m\nb\tc");
    expect(shown.spans).toEqual([{ type: "bold", offset: 0, length: "pay⟨U+202E⟩txt.exe⟨U+200B⟩".length }]);
    expect(rich("שלום\u200f سلام\u200cها 👩\u200d💻").text).toBe("שלום\u200f سلام\u200cها 👩\u200d💻");
  });

  const mark = fc.constantFrom(bold, italic, code, pre);
  const piece: fc.Arbitrary<Piece> = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.tuple(mark, fc.string({ unit: "grapheme" })).map(([as, text]) => as(text)),
  );

  it("every span is the text of its piece, in order, none over another", () =>
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const { text, spans } = rich(...pieces);
        const marked = pieces.filter((one) => typeof one !== "string" && one.text !== "");
        expect(spans.map(({ type, offset, length }) => ({ as: type, text: text.slice(offset, offset + length) }))).toEqual(marked);
        for (const [i, span] of spans.slice(1).entries()) {
          const before = spans[i];
          expect(span.offset).toBeGreaterThanOrEqual((before?.offset ?? 0) + (before?.length ?? 0));
        }
        expect(text).toBe(pieces.map((one) => (typeof one === "string" ? one : one.text)).join(""));
      }),
    ));
});
