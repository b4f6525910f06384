/** The edit engine: nothing outside a match changes, whatever the file's line ends, mark, blanks and typography. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { replaceAll } from "../../branch-agent/tools/replace.ts";

const apply = (original: string, ...edits: [old: string, fresh: string, all?: boolean][]) =>
  replaceAll(
    original,
    edits.map(([old, fresh, all]) => ({ old, new: fresh, replace_all: all })),
  );
const text = (original: string, ...edits: Parameters<typeof apply> extends [string, ...infer Rest] ? Rest : never) => {
  const result = apply(original, ...edits);
  return result.ok ? result.text : `refused: ${result.problem}`;
};

describe("matching", () => {
  it("replaces exactly, several at once, each against the original", () => {
    expect(text("a b c", ["a", "b"], ["b", "a"])).toBe("b a c");
    expect(text("x\ny\nz\n", ["y\n", ""])).toBe("x\nz\n");
    expect(text("no end", ["end", "more"])).toBe("no more");
  });

  it.each<[what: string, original: string, old: string, fresh: string, expected: string]>([
    ["line ends of the file are kept", "a\r\nb\r\nc\r\n", "a\nb", "a\nx\ny", "a\r\nx\r\ny\r\nc\r\n"],
    ["a line feed never takes half of a CRLF", "a\r\nb\r\n", "\nb", "\nc", "a\r\nc\r\n"],
    ["a one-line match takes the file's line ends too", "a\r\nb\r\n", "b", "b\nc", "a\r\nb\r\nc\r\n"],
    ["mixed line ends: those of the place", "a\nb\r\nc\n", "a", "a\nx", "a\nx\nb\r\nc\n"],
    ["mixed line ends: those of the place, further on", "a\nb\r\nc\n", "b", "b\nx", "a\nb\r\nx\r\nc\n"],
    ["behind the last line end: those before", "a\r\nb", "b", "b\nc", "a\r\nb\r\nc"],
    ["mixed line ends: those of the match", "a\nb\r\nc\n", "b\nc", "b\nx\nc", "a\nb\r\nx\r\nc\n"],
    ["CRLF from the model in a file without", "a\nb\n", "a\r\nb", "a\r\nc", "a\nc\n"],
    ["byte order mark kept", "\uFEFFa\nb", "a\nb", "c", "\uFEFFc"],
    ["byte order mark from the model", "a\nb", "\uFEFFa", "\uFEFFc", "c\nb"],
    ["blanks at line ends", "if x:  \n\ty \n", "if x:\n\ty", "if x:\n\tz", "if x:  \n\tz \n"],
    ["blanks at the end of the model's lines", "a\nb\n", "a  \nb", "a\nc", "a\nc\n"],
    ["typographic quotes and dashes", "say “hi” – now", 'say "hi" - now', 'say "hi" - then', "say “hi” – then"],
    ["no-break space", "a\u00a0b c", "a b c", "a b d", "a\u00a0b d"],
    ["plain in the file, typographic from the model", 'x = "a"', "x = “a”", "x = “b”", 'x = "b"'],
    ["a quote changed on purpose is changed", "x = “a”; \ny", "x = “a”;\ny", 'x = "a";\ny', 'x = "a"; \ny'],
    ["an inserted line between kept ones", "a \r\nb\t\r\n", "a\nb", "a\nn\nb", "a \r\nn\r\nb\t\r\n"],
    ["no final line end is kept so", "a\r\nb", "a\nb", "a\nc", "a\r\nc"],
    ["tabs stay tabs", "\tfoo(\t1);", "\tfoo(\t1);", "\tfoo(\t2);", "\tfoo(\t2);"],
  ])("%s", (_, original, old, fresh, expected) => {
    expect(text(original, [old, fresh])).toBe(expected);
  });

  it("replaces every place on demand", () => {
    expect(text("a a a", ["a", "b", true])).toBe("b b b");
    expect(text("aaa", ["aa", "b", true])).toBe("ba");
    expect(text("x \r\nx\r\n", ["x\n", "y\n", true])).toBe("x \r\ny\r\n");
  });
});

describe("refusing", () => {
  it("names the problem and the way out", () => {
    expect(text("a\nb\na\n", ["a", "c"])).toMatch(/matches 2 places \(lines 1, 3\).*replace_all/);
    expect(text("aaa", ["aa", "b"])).toMatch(/matches 2 places/);
    expect(text("abc", ["x", "y"])).toMatch(/not in the file.*Read the file again/);
    expect(text("one\ntwo\n", ["one\nthree", "y"])).toMatch(/first line is at line 1/);
    expect(text("abc", ["", "y"])).toMatch(/empty/);
    expect(text("abc", ["a", "a"])).toMatch(/the same/);
    expect(text("abcd", ["abc", "x"], ["cd", "y"])).toMatch(/overlaps with edit 1/);
  });

  it("does not match by likeness", () => {
    expect(text("return value;\n", ["return valve;", "x"])).toMatch(/not in the file/);
    expect(text("return xyz;\n", ["return x  ", "y"])).toMatch(/not in the file/);
    expect(text("  indented\n", ["   indented", "y"])).toMatch(/not in the file/);
    expect(text("a\n\nb\n", ["a\nb", "y"])).toMatch(/not in the file/);
  });

  it("makes none of the edits when one cannot be made", () => {
    expect(apply("a b", ["a", "x"], ["c", "y"])).toMatchObject({ ok: false, index: 1 });
  });
});

const piece = fc.constantFrom("a", "b", "foo", " ", "\t", "“", "”", "’", "–", "\u00a0", "é", "😀", "{", '"', "'", "-");
const line = fc
  .tuple(fc.array(piece, { maxLength: 6 }), fc.constantFrom("", "", " ", "  ", "\t"))
  .map(([parts, blanks]) => parts.join("") + blanks);
const lineEnd = fc.constantFrom("\n", "\r\n");
const body = (mixed: boolean) =>
  fc
    .tuple(lineEnd, fc.array(fc.tuple(line, lineEnd), { maxLength: 8 }))
    .map(([one, lines]) => lines.map(([content, own]) => content + (mixed ? own : one)).join(""));
const mark = fc.constantFrom("", "\uFEFF");

/** As a model gives a text back: no mark, line feeds, no blanks at line ends, keyboard characters. */
const asTyped = (original: string) =>
  original
    .replaceAll("\r\n", "\n")
    .replace(/[“”]/g, '"')
    .replace(/’/g, "'")
    .replace(/–/g, "-")
    .replace(/\u00a0/g, " ")
    .replace(/[ \t]+(?=\n|$)/g, "");

describe("any file", () => {
  const target = fc.tuple(line, line).map(([first, second]) => [`<<${first}`, `${second}>>`] as const);

  it("keeps every byte outside the match", () => {
    fc.assert(
      fc.property(
        fc.record({ bom: mark, before: body(true), target, eol: lineEnd, after: body(true), typed: fc.boolean(), fresh: line }),
        ({ bom, before, target: [first, second], eol, after, typed, fresh }) => {
          const matched = first + eol + second;
          const old = typed ? asTyped(matched) : matched.replaceAll("\r\n", "\n");
          const result = replaceAll(bom + before + matched + after, [{ old, new: `[[${fresh}]]` }]);
          expect(result).toMatchObject({ ok: true, text: `${bom}${before}[[${fresh}]]${after}` });
        },
      ),
      { numRuns: 500 },
    );
  });

  it("keeps, within a match, the lines that old and new share", () => {
    fc.assert(
      fc.property(mark, body(false), target, body(false), (bom, before, [first, second], after) => {
        // One line end throughout, so that the expected text is plain to write.
        const eol = before.includes("\r\n") || after.includes("\r\n") ? "\r\n" : "\n";
        const same = (part: string) => part.replace(/\r?\n/g, eol);
        const original = bom + same(before) + first + eol + second + same(after);
        const old = asTyped(`${first}\n${second}`);
        const [typedFirst = "", typedSecond = ""] = old.split("\n");
        const result = replaceAll(original, [{ old, new: `${typedFirst}\n!new!\n${typedSecond}` }]);
        expect(result).toEqual({
          ok: true,
          text: `${bom}${same(before)}${first}${eol}!new!${eol}${second}${same(after)}`,
          lines: [same(before).split("\n").length],
        });
      }),
      { numRuns: 500 },
    );
  });

  it("makes several edits as if each were alone", () => {
    fc.assert(
      fc.property(fc.array(body(true), { minLength: 2, maxLength: 5 }), mark, (gaps, bom) => {
        const marker = (i: number) => `<<${i}>>`;
        const original = bom + gaps.map((gap, i) => gap + marker(i)).join("");
        const edits = gaps.map((_, i) => ({ old: marker(i), new: `(${i})` })).reverse();
        const result = replaceAll(original, edits);
        expect(result).toMatchObject({ ok: true, text: bom + gaps.map((gap, i) => `${gap}(${i})`).join("") });
      }),
      { numRuns: 200 },
    );
  });
});

describe("a large file", () => {
  const filler = fc.constantFrom("\tint x = 1;  ", "say “hi” – now", "", "é😀\u00a0y", "plain");
  const block = fc
    .array(fc.tuple(filler, lineEnd), { minLength: 20, maxLength: 40 })
    .map((lines) => lines.map(([content, own]) => content + own).join(""));
  const size = 10 * 1024 ** 2;

  it("of 10 MB keeps every byte outside the match", () => {
    fc.assert(
      fc.property(fc.record({ bom: mark, block, at: fc.nat(100), eol: lineEnd, isLast: fc.boolean() }), (made) => {
        const times = Math.floor(size / Buffer.byteLength(made.block));
        const before = made.bom + made.block.repeat(Math.floor((times * made.at) / 100));
        const after = made.isLast ? "" : made.eol + made.block.repeat(times - Math.floor((times * made.at) / 100));
        const result = replaceAll(`${before}<<“a”  ${made.eol}b>>${after}`, [{ old: '<<"a"\nb>>', new: '<<"a"\nc>>' }]);
        // Compared by hand: a difference of such length is nothing to print.
        expect(result.ok && result.text === `${before}<<“a”  ${made.eol}c>>${after}`).toBe(true);
      }),
      { numRuns: 4 },
    );
  }, 60_000);

  it("with as many places as may be replaced is replaced in one go; with more it is left to a program", () => {
    const result = apply("ab\r\n".repeat(100_000), ["b\n", "c\nd\n", true]);
    expect(result.ok && result.text === "ac\r\nd\r\n".repeat(100_000)).toBe(true);
    expect(apply("x".repeat(size), ["x", "y\n", true])).toMatchObject({
      problem: expect.stringMatching(/more than 100000 places\. Use bash/),
    });
    // One line without an end: where the new lines' ends come from is looked for once.
    expect(apply("ab".repeat(100_000), ["b", "\n", true])).toMatchObject({ ok: true, text: "a\n".repeat(100_000) });
  }, 60_000);
});
