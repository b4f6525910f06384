/** Looking for things: grep, by either of its ways, and glob. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { noSandbox } from "../../branch-agent/sandbox/none.ts";
import type { CoderContext } from "../../branch-agent/tools/context.ts";
import { hands, inAWorktree, put, refusal, root } from "./hands.ts";

inAWorktree();

const ways: [how: string, more: () => Partial<CoderContext>][] = [
  ["by git in the sandbox", () => ({})],
  ["by itself, where no command may run", () => ({ allowed: ["read"] })],
  ["by itself, where there is no sandbox", () => ({ sandbox: noSandbox() })],
];

describe.each(ways)("grep, %s", (_, more) => {
  beforeAll(() => {
    put({
      "find/a.ts": "const needle = 1;\n// it's a Needle\n",
      "find/b.md": "needle\n",
      "find/deep/c.ts": "x\nneedle42\n",
      "find/node_modules/d.ts": "needle\n",
      "find/bin": Buffer.from("needle\0\n"),
    });
  });

  it("finds lines by pattern, path and glob", async () => {
    const call = hands(more());
    const grep = async (input: object) => (await call("grep", input)).content.split("\n").sort();
    expect(await grep({ pattern: "needle", path: "find" })).toEqual([
      "find/a.ts:1:const needle = 1;",
      "find/b.md:1:needle",
      "find/deep/c.ts:2:needle42",
    ]);
    expect(await grep({ pattern: "needle\\d+" })).toEqual(["find/deep/c.ts:2:needle42"]);
    expect(await grep({ pattern: "needle", glob: "*.ts" })).toEqual(["find/a.ts:1:const needle = 1;", "find/deep/c.ts:2:needle42"]);
    expect(await grep({ pattern: "needle", path: "find", glob: "deep/**" })).toEqual(["find/deep/c.ts:2:needle42"]);
    expect(await grep({ pattern: "it's a", path: "find/a.ts" })).toEqual(["find/a.ts:2:// it's a Needle"]);
    expect(await grep({ pattern: "-e" })).toEqual(["No match for -e."]);
  });

  it("bounds its answer, and refuses a pattern that is none or never ends", async () => {
    put({ "find/many.txt": `match ${"y".repeat(1_000)}\n`.repeat(300), "find/evil.txt": `${"a".repeat(40)}!\n` });
    const call = hands(more());
    const { content } = await call("grep", { pattern: "match", path: "find/many.txt" });
    expect(content.split("\n")).toHaveLength(101);
    expect(content).toMatch(/narrow pattern, path or glob$/);
    expect(content.length).toBeLessThan(40_000);
    expect(await call("grep", { pattern: "(unclosed" })).toMatchObject({ isError: true });
    expect(await call("grep", { pattern: "x", path: "not-there" })).toMatchObject(refusal("glob"));
    const started = performance.now();
    await call("grep", { pattern: "^(a|a)*(a|aa)*$", path: "find/evil.txt" });
    expect(performance.now() - started).toBeLessThan(30_000);
    rmSync(join(root, "find/many.txt"));
  });
});

describe.each(ways)("glob, %s", (_, more) => {
  it("lists by name, without node_modules, within its bound", async () => {
    put(Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`many/f${String(i).padStart(3, "0")}.txt`, ""])));
    put({ "many/node_modules/x.txt": "" });
    const call = hands(more());
    const lines = (await call("glob", { pattern: "**/*.txt", path: "many" })).content.split("\n");
    expect(lines).toHaveLength(201);
    expect(lines.slice(0, 2)).toEqual(["many/f000.txt", "many/f001.txt"]);
    expect(lines.at(-1)).toBe("… 50 more: narrow the pattern");
    expect((await call("glob", { pattern: "*.none" })).content).toBe('No file matches "*.none".');
    expect((await call("glob", { pattern: "*", path: "." })).content.split("\n")).toContain("many/");
    expect((await call("glob", { pattern: "many/f00[0-2].{txt,md}" })).content).toBe("many/f000.txt\nmany/f001.txt\nmany/f002.txt");
    expect(await call("glob", { pattern: "*", path: "not-there" })).toMatchObject(refusal("There is no directory"));
  });
});

it("does not list what .gitignore names, wherever git can be asked", async () => {
  put({ ".gitignore": "built/\n*.log\n", "built/out.js": "", "own/a.log": "", "own/a.js": "" });
  expect((await hands()("glob", { pattern: "**/*.{js,log}" })).content).toBe("own/a.js");
  expect((await hands()("grep", { pattern: "^", glob: "built/**" })).content).toMatch(/No match/);
});
