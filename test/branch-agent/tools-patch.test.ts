/** `apply_patch`: the format as models write it, where hunks go, what stays untouched, and all files or none. */
import { chmodSync, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { patched } from "../../branch-agent/tools/patch.ts";
import { parsePatch } from "../../branch-agent/tools/patch-format.ts";
import { disk, hands, inAWorktree, put, refusal, root } from "./hands.ts";

inAWorktree();

const patch = (...lines: string[]) => ["*** Begin Patch", ...lines, "*** End Patch"].join("\n");

/** The text that an update makes of `original`, or why it makes none. */
function updated(original: string, ...lines: string[]): string {
  const sections = parsePatch(patch("*** Update File: f", ...lines));
  if (typeof sections === "string") return `refused: ${sections}`;
  const [section] = sections;
  if (section?.kind !== "update") throw new Error("no update");
  const result = patched(original, section.hunks);
  return result.ok ? result.text : `refused: ${result.problem}`;
}

describe("a hunk", () => {
  const twice = "class A:\n  def run():\n    go()\n\nclass B:\n  def run():\n    go()\n";

  it.each<[what: string, original: string, lines: string[], expected: string]>([
    ["replaces between kept lines", "a\nb\nc\n", ["@@", " a", "-b", "+x", "+y", " c"], "a\nx\ny\nc\n"],
    ["may begin without @@", "a\nb\n", [" a", "-b", "+x"], "a\nx\n"],
    ["several, in order", "a\nb\nc\nd\n", ["@@", "-a", "+1", "@@", "-d", "+4"], "1\nb\nc\n4\n"],
    ["only removes", "a\nb\nc\n", ["-b"], "a\nc\n"],
    ["only adds, behind the line that @@ names", "f() {\n  x\n}\n", ["@@ f() {", "+  y"], "f() {\n  y\n  x\n}\n"],
    ["only adds, at the end", "a\n", ["@@", "+b"], "a\nb\n"],
    ["adds to an empty file", "", ["+a"], "a\n"],
    ["goes behind the line that @@ names", twice, ["@@ class B:", "-    go()", "+    stay()"], twice.replace(/go\(\)\n$/, "stay()\n")],
    ["goes by two names", twice, ["@@ class B:", "@@   def run():", "-    go()", "+    no()"], twice.replace(/go\(\)\n$/, "no()\n")],
    ["numbers of a unified diff are no names", "a\nb\n", ["@@ -1,2 +1,2 @@", " a", "-b", "+c"], "a\nc\n"],
    ["at the end of the file", "x\ny\nx\n", ["-x", "+z", "*** End of File"], "x\ny\nz\n"],
    ["an empty kept line without its blank", "a\n\nb\n", [" a", "", "-b", "+c"], "a\n\nc\n"],
    ["a blank line before the next part is none", "a\nb\n", ["-a", "+c", ""], "c\nb\n"],
    ["keeps CRLF", "a\r\nb\r\n", [" a", "-b", "+c", "+d"], "a\r\nc\r\nd\r\n"],
    ["takes the line ends of the place", "a\nb\nc\r\nd\r\n", ["-a", "+1", "+2", "@@", "-d", "+3", "+4"], "1\n2\nb\nc\r\n3\r\n4\r\n"],
    ["keeps the mark", "\uFEFFa\nb\n", ["+0", " a"], "\uFEFF0\na\nb\n"],
    ["keeps that there is no final line end", "a\r\nb", [" a", "-b", "+c", "+d"], "a\r\nc\r\nd"],
    ["… where it adds behind it, too", "a\r\nb", [" b", "+c"], "a\r\nb\r\nc"],
    ["keeps blanks and quotes of kept lines", "say “a”  \nb\n", [' say "a"', "-b", "+c"], "say “a”  \nc\n"],
    ["keeps what a changed line has in common", "say “a” now\n", ['-say "a" now', '+say "a" then'], "say “a” then\n"],
    ["a blank line is removed", "a\n\nb\n", [" a", "-", " b"], "a\nb\n"],
    ["a blank line is filled", "a\n\nb\n", [" a", "-", "+x", " b"], "a\nx\nb\n"],
    ["tabs stay tabs", "\tif\n\t\tx\n", [" \tif", "-\t\tx", "+\t\ty"], "\tif\n\t\ty\n"],
  ])("%s", (_, original, lines, expected) => {
    expect(updated(original, ...lines)).toBe(expected);
  });

  it.each<[what: string, original: string, lines: string[], expected: RegExp]>([
    ["is there twice", twice, ["-    go()", "+    x()"], /2 times \(at lines 3, 7\).*Keep more lines.*@@/],
    ["is named by a line that is there twice", twice, ["@@   def run():", "-    go()", "+    x()"], /2 times/],
    ["adds behind a line that is there twice", twice, ["@@   def run():", "+    x()"], /more than once/],
    ["is not there", "a\n", ["-b", "+c"], /not in the file: "b".*Read the file again/],
    ["is like it, no more", "return value;\n", ["-return valve;", "+x"], /not in the file/],
    ["is indented otherwise", "  a\n", ["-a", "+b"], /not in the file/],
    ["is before the one before it", "a\nb\n", ["-b", "+x", "@@", "-a", "+y"], /Hunk 2 of 2.*not after line 2.*Order/],
    ["overlaps with the one before it", "a\nb\nc\n", [" a", "-b", "@@", "-b", "+x"], /Hunk 2 of 2.*no two may overlap/],
    ["is not at the end", "a\nb\n", ["-a", "+x", "*** End of File"], /not at its end/],
    ["names a line that is not there", "a\n", ["@@ def x", "-a", "+b"], /no line after line 0 is "def x"/],
    ["changes nothing", "a\n", [" a"], /changes nothing/],
    ["puts in what it takes out", "a\n", ["-a", "+a"], /Nothing would change/],
  ])("is refused if it %s", (_, original, lines, expected) => {
    expect(updated(original, ...lines)).toMatch(/^refused/);
    expect(updated(original, ...lines)).toMatch(expected);
  });

  it("leaves every byte alone that it does not name", () => {
    const text = fc.constantFrom("a", "b  ", "\tif x:", "say “hi”", "", "é😀", "x\u00a0y", "-", "+", " ");
    const end = fc.constantFrom("\n", "\r\n");
    const bom = fc.constantFrom("", "\uFEFF");
    const line = fc.tuple(text, end).map(([content, own]) => content + own);
    const lines = fc.array(line, { maxLength: 8 });
    const typed = (raw: string) =>
      ` ${raw
        .replace(/\r?\n$/, "")
        .replace(/[“”]/g, '"')
        .replaceAll("\u00a0", " ")
        .trimEnd()}`;
    fc.assert(
      fc.property(fc.record({ bom, before: lines, after: lines, kept: line, own: end, isLast: fc.boolean() }), (file) => {
        const { bom, before, after, kept, own, isLast } = file;
        const old = `<<old>>${isLast && after.length === 0 ? "" : own}`;
        const original = bom + before.join("") + kept + old + after.join("");
        const result = updated(original, typed(kept), "-<<old>>", "+[[new]]");
        expect(result).toBe(bom + before.join("") + kept + old.replace("<<old>>", "[[new]]") + after.join(""));
      }),
      { numRuns: 500 },
    );
  });
});

describe("the format", () => {
  it("is found in what models put around it", () => {
    const body = patch("*** Add File: a", "+x");
    for (const text of [body, `apply_patch <<'EOF'\n${body}\nEOF\n`, body.replaceAll("\n", "\r\n"), `\n${body}\n\n`]) {
      expect(parsePatch(text)).toEqual([{ kind: "add", path: "a", content: "x\n" }]);
    }
  });

  it.each<[lines: string[], expected: RegExp]>([
    [[], /names no file/],
    [["what"], /Line 2 of the patch, "what": here a file is named/],
    [["*** Add File: a", "x"], /every line of a new file begins with \+/],
    [["*** Update File: a", "x"], /begins with a blank/],
    [["*** Update File: a"], /changes nothing in "a"/],
    [["*** Update File: a", "-x", "*** Move to: b"], /stands right under/],
    [["*** Delete File: a", "-x"], /here a file is named/],
  ])("is refused: %j", (lines, expected) => {
    expect(parsePatch(patch(...lines))).toMatch(expected);
  });

  it("without its first or last line is refused", () => {
    expect(parsePatch("*** Add File: a\n+x\n*** End Patch")).toMatch(/begins with the line/);
    expect(parsePatch("*** Begin Patch\n*** Add File: a\n+x")).toMatch(/ends with/);
  });
});

describe("the tool", () => {
  const apply = (call: ReturnType<typeof hands>, ...lines: string[]) => call("apply_patch", { input: patch(...lines) });

  it("adds, updates, moves and deletes, and keeps modes", async () => {
    put({ "p/up.txt": "a\nb\n", "p/run.sh": "#!/bin/sh\necho a\n", "p/gone.txt": "x\n", "p/as-is.txt": "same\n" });
    chmodSync(join(root, "p/run.sh"), 0o755);
    const call = hands();
    for (const path of ["p/up.txt", "p/run.sh", "p/gone.txt", "p/as-is.txt"]) await call("read", { path });
    const moved = ["*** Update File: p/run.sh", "*** Move to: p/bin/go.sh", "@@", "-echo a", "+echo b"];
    const rest = ["*** Delete File: p/gone.txt", "*** Update File: p/as-is.txt", "*** Move to: p/other.txt"];
    const { content } = await apply(call, "*** Add File: p/new/n.txt", "+one", "*** Update File: p/up.txt", "-b", "+c", ...moved, ...rest);
    expect(content).toBe(
      'Added "p/new/n.txt".\nUpdated "p/up.txt".\nMoved "p/run.sh" to "p/bin/go.sh".\nDeleted "p/gone.txt".\nMoved "p/as-is.txt" to "p/other.txt".',
    );
    const files = ["p/new/n.txt", "p/up.txt", "p/bin/go.sh", "p/other.txt"].map(disk);
    expect(files).toEqual(["one\n", "a\nc\n", "#!/bin/sh\necho b\n", "same\n"]);
    expect(statSync(join(root, "p/bin/go.sh")).mode & 0o777).toBe(0o755);
    expect(["p/run.sh", "p/gone.txt", "p/as-is.txt"].filter((name) => existsSync(join(root, name)))).toEqual([]);
    // Its own change is no stranger's.
    expect((await apply(call, "*** Update File: p/up.txt", "-c", "+d")).isError).toBeUndefined();
  });

  it("changes no file if one can't be changed", async () => {
    put({ "q/a.txt": "a\n", "q/b.txt": "b\n" });
    const call = hands();
    await call("read", { path: "q/a.txt" });
    const first = ["*** Update File: q/a.txt", "-a", "+x"];
    const others: [RegExp, ...string[]][] = [
      [/not read "q\/b.txt"/, "*** Update File: q/b.txt", "-b", "+x"],
      [/not read/, "*** Delete File: q/b.txt"],
      [/no file "q\/c.txt"/, "*** Delete File: q/c.txt"],
      [/there already/, "*** Add File: q/b.txt", "+x"],
      [/named twice/, "*** Delete File: q/a.txt"],
      [/outside the worktree/, "*** Add File: ../out.txt", "+x"],
      [/belongs to git/, "*** Add File: .git/hooks/x", "+x"],
      [/is a directory/, "*** Add File: q/", "+x"],
      [/surrogate/, "*** Add File: q/d.txt", "+\ud800"],
    ];
    for (const [expected, ...lines] of others) expect(await apply(call, ...first, ...lines)).toMatchObject(refusal(expected));
    expect([disk("q/a.txt"), disk("q/b.txt")]).toEqual(["a\n", "b\n"]);
    await call("bash", { command: "echo more >> q/a.txt" });
    expect(await apply(call, ...first)).toMatchObject(refusal("changed since"));
  });

  it("undoes what it did if a later file can't be written", async () => {
    put({ "u/a.txt": "a\n", "u/gone.txt": "g\n" });
    chmodSync(join(root, "u/gone.txt"), 0o751);
    const call = hands();
    for (const path of ["u/a.txt", "u/gone.txt"]) await call("read", { path });
    const steps = ["*** Update File: u/a.txt", "-a", "+x", "*** Delete File: u/gone.txt", "*** Add File: u/new", "+n"];
    expect(await apply(call, ...steps, "*** Add File: u/new/below", "+b")).toMatchObject({ isError: true });
    expect([disk("u/a.txt"), disk("u/gone.txt"), existsSync(join(root, "u/new"))]).toEqual(["a\n", "g\n", false]);
    expect(statSync(join(root, "u/gone.txt")).mode & 0o777).toBe(0o751);
  });
});
