/** The VP Coder's tools on a real worktree in the real sandbox. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { UacError } from "#core/errors.ts";
import { toolsFor } from "#core/patches.ts";
import type { Sandbox } from "#ports/sandbox.ts";
import { noSandbox } from "../../branch-agent/sandbox/none.ts";
import { coderHands } from "../../branch-agent/tools/coder-hands.ts";
import type { CoderContext } from "../../branch-agent/tools/context.ts";
import { dir, disk, everyTool, hands, inAWorktree, put, ran, refusal, root, secret, worktree } from "./hands.ts";

inAWorktree();

describe("the toolset", () => {
  it("holds what the token's actions and the VP's list allow, and costs little to describe", () => {
    const names = (allowed: CoderContext["allowed"], more: Partial<CoderContext> = {}) =>
      coderHands({ ...context(), allowed, names: toolsFor(everyTool, { model: "claude-sonnet-5-5" }), ...more }).tools.map(
        ({ name }) => name,
      );
    expect(names(["read", "write", "exec"])).toEqual(["read", "edit", "write", "bash", "job", "grep", "glob"]);
    expect(names(["read"])).toEqual(["read", "grep", "glob"]);
    expect(names(["write", "commit"])).toEqual(["edit", "write"]);
    expect(names([])).toEqual([]);
    expect(names(["read", "write"], { names: toolsFor(everyTool, { model: "gpt-5.6-sol" }) })).toEqual([
      "read",
      "apply_patch",
      "write",
      "grep",
      "glob",
    ]);
    const specs = coderHands(context()).tools.map(({ name, description, input }) => ({
      name,
      description,
      input: z.toJSONSchema(input, { io: "input" }),
    }));
    expect(JSON.stringify(specs).length).toBeLessThan(4_000);
    for (const { input } of specs) expect(input).toMatchObject({ type: "object", additionalProperties: false });
  });

  it("refuses unknown keys, and takes a list of edits that came as a JSON string", () => {
    const input = (name: string) => coderHands(context()).tools.find((tool) => tool.name === name)?.input as z.ZodType;
    expect(input("read").safeParse({ path: "a", force: true }).success).toBe(false);
    expect(input("bash").safeParse({ command: "x", timeout_s: 601 }).success).toBe(false);
    expect(input("edit").parse({ path: "a", edits: '[{"old":"a","new":"b"}]' })).toEqual({ path: "a", edits: [{ old: "a", new: "b" }] });
    expect(input("edit").safeParse({ path: "a", edits: "no json" }).success).toBe(false);
  });

  function context(): CoderContext {
    const scope = { worktree: root, readOnly: [], masked: [], network: [] };
    const callbacks = { redact: (text: string) => text, async ran() {} };
    return {
      worktree,
      names: everyTool,
      seesImages: true,
      sandbox: noSandbox(),
      scope,
      allowed: ["read", "write", "exec"],
      logDir: join(dir, "logs"),
      ...callbacks,
    };
  }
});

describe("the worktree's bounds", () => {
  const ways = () => [
    "../outside.txt",
    join(dir, "outside.txt"),
    "sub/../../outside.txt",
    "/etc/passwd",
    "link-file",
    "link-dir/outside.txt",
    "link-dir/new.txt",
    "dangling",
    ".git",
    ".GIT/config",
    "sub/.git/hooks/pre-commit",
    "masked.env",
    "vault/one",
    "vault-link",
    "\0",
  ];
  beforeAll(() => {
    put({ "sub/file": "x", "masked.env": secret, "vault/one": secret });
    symlinkSync(join(dir, "outside.txt"), join(root, "link-file"));
    symlinkSync(dir, join(root, "link-dir"));
    symlinkSync(join(dir, "not-yet"), join(root, "dangling"));
    symlinkSync("vault/one", join(root, "vault-link"));
  });

  it("hold for every tool and every way out", async () => {
    const call = hands();
    for (const path of ways()) {
      for (const [tool, input] of [
        ["read", { path }],
        ["write", { path, content: "mine" }],
        ["edit", { path, edits: [{ old: "outside", new: "mine" }] }],
        ["grep", { pattern: "outside", path }],
        ["glob", { pattern: "*", path }],
      ] as const) {
        expect(await call(tool, input), `${tool} ${path}`).toMatchObject({ isError: true });
      }
    }
    expect(readFileSync(join(dir, "outside.txt"), "utf8")).toBe("outside\n");
    expect(existsSync(join(dir, "new.txt")) || existsSync(join(dir, "not-yet"))).toBe(false);
    expect(disk("masked.env")).toBe(secret);
  });

  it("hold for patterns", async () => {
    const call = hands();
    for (const pattern of ["../*", "/etc/*", "sub/../../*"])
      expect(await call("glob", { pattern })).toMatchObject(refusal("out of the worktree"));
    const listed = (await call("glob", { pattern: "*" })).content.split("\n");
    expect(listed).toContain("sub/");
    expect(listed).not.toContain("link-dir/");
    expect(listed).not.toContain("masked.env");
    expect((await call("glob", { pattern: "link-dir/*" })).content).toMatch(/No file/);
    expect(await call("grep", { pattern: "x", glob: "../*" })).toMatchObject(refusal("leads out"));
    expect((await call("grep", { pattern: "outside|s3cr3t" })).content).toMatch(/No match/);
  });

  it("let paths through that only look strange", async () => {
    put({ "..dots/a file with 'quotes' $(and) more": "found me\n" });
    const call = hands();
    expect((await call("read", { path: "..dots/a file with 'quotes' $(and) more" })).content).toBe("     1\tfound me");
    expect((await call("read", { path: join(root, "sub/../sub/file") })).content).toBe("     1\tx");
    expect((await call("grep", { pattern: "found", path: "..dots/a file with 'quotes' $(and) more" })).content).toContain(
      "more:1:found me",
    );
  });
});

describe("read", () => {
  it("numbers lines, and says how to go on", async () => {
    put({ "long.txt": Array.from({ length: 2_500 }, (_, i) => `line ${i + 1}\r\n`).join("") });
    const call = hands();
    const first = (await call("read", { path: "long.txt" })).content;
    expect(first.startsWith("     1\tline 1\n     2\tline 2\n")).toBe(true);
    expect(first).toMatch(/ {2}2000\tline 2000\n… 500 more lines: read on with offset 2001$/);
    expect((await call("read", { path: "long.txt", offset: 2_499 })).content).toBe("  2499\tline 2499\n  2500\tline 2500");
    expect((await call("read", { path: "long.txt", offset: 10, limit: 1 })).content).toMatch(/^ {4}10\tline 10\n… 2490 more/);
    expect(await call("read", { path: "long.txt", offset: 2_501 })).toMatchObject(refusal("has 2500 lines"));
  });

  it("stays within 50 KB, and cuts a line that is too long", async () => {
    put({ "wide.txt": `${"ä".repeat(1_500)}\n`.repeat(100), "one-line.js": "x".repeat(1_000_000) });
    const call = hands();
    const { content } = await call("read", { path: "wide.txt" });
    expect(Buffer.byteLength(content)).toBeLessThan(51_300);
    expect(content).toMatch(/read on with offset 18$/);
    expect((await call("read", { path: "one-line.js" })).content).toMatch(/x… \(998000 more characters\)$/);
  });

  it("refuses what is no readable text file", async () => {
    put({ "bin.dat": Buffer.from([0x89, 0, 1]), "empty.txt": "" });
    execFileSync("mkfifo", [join(root, "pipe")]);
    const call = hands();
    expect(await call("read", { path: "bin.dat" })).toMatchObject(refusal("binary"));
    expect(await call("read", { path: "pipe" })).toMatchObject(refusal("no regular file"));
    expect(await call("read", { path: "sub" })).toMatchObject(refusal("is a directory.*glob"));
    expect(await call("read", { path: "missing" })).toMatchObject(refusal("no file.*glob"));
    expect((await call("read", { path: "empty.txt" })).content).toContain("empty");
    rmSync(join(root, "pipe"));
  });
});

describe("edit and write", () => {
  it("change what was read, keep the mode, and tell that they did", async () => {
    put({ "run.sh": "#!/bin/sh\r\necho “one”  \r\n" });
    chmodSync(join(root, "run.sh"), 0o755);
    const call = hands();
    await call("read", { path: "run.sh" });
    const result = await call("edit", { path: "run.sh", edits: [{ old: 'echo "one"\n', new: 'echo "one"\necho two\n' }] });
    expect(result.content).toBe('Edited "run.sh": 1 replaced, at line 2.');
    expect(disk("run.sh")).toBe("#!/bin/sh\r\necho “one”  \r\necho two\r\n");
    expect(statSync(join(root, "run.sh")).mode & 0o777).toBe(0o755);
    // Its own change is no stranger's.
    expect((await call("edit", { path: "run.sh", edits: [{ old: "two", new: "three" }] })).isError).toBeUndefined();
    expect((await call("write", { path: "run.sh", content: "new" })).content).toContain("Replaced");
  });

  it("refuse a file that was not read, or that changed since", async () => {
    put({ "stale.txt": "one\n" });
    const call = hands();
    const edit = () => call("edit", { path: "stale.txt", edits: [{ old: "one", new: "two" }] });
    const write = () => call("write", { path: "stale.txt", content: "x" });
    expect(await edit()).toMatchObject(refusal("not read.*Read it first"));
    expect(await write()).toMatchObject(refusal("not read"));
    await call("read", { path: "stale.txt" });
    await call("bash", { command: "echo one more >> stale.txt" });
    expect(await edit()).toMatchObject(refusal("changed since.*Read it again"));
    expect(await write()).toMatchObject(refusal("changed since"));
    expect(disk("stale.txt")).toBe("one\none more\n");
    await call("read", { path: "stale.txt" });
    // After a resume nothing counts as read.
    expect(await hands()("edit", { path: "stale.txt", edits: [{ old: "one\none", new: "two" }] })).toMatchObject(refusal("not read"));
    expect((await call("edit", { path: "stale.txt", edits: [{ old: "one\none", new: "two" }] })).isError).toBeUndefined();
  });

  it("change no byte on the disk but those of the match", async () => {
    const call = hands();
    const line = fc.constantFrom("a", "\tb  ", "“q” – x", "é😀", "", "\u00a0");
    const lines = fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n")), { maxLength: 6 });
    const made = fc.record({ bom: fc.constantFrom("", "\uFEFF"), before: lines, after: lines, eol: fc.constantFrom("\n", "\r\n", "") });
    await fc.assert(
      fc.asyncProperty(made, async ({ bom, before, after, eol }) => {
        const flat = (parts: [string, string][]) => parts.map(([content, own]) => content + own).join("");
        const rest = eol === "" ? "" : eol + flat(after);
        put({ "bytes.txt": `${bom}${flat(before)}<<‘old’>>${rest}` });
        await call("read", { path: "bytes.txt" });
        await call("edit", { path: "bytes.txt", edits: JSON.stringify([{ old: "<<'old'>>", new: "<<'new'>>" }]) });
        expect(readFileSync(join(root, "bytes.txt"))).toEqual(Buffer.from(`${bom}${flat(before)}<<‘new’>>${rest}`));
      }),
      { numRuns: 100 },
    );
  });

  it("leave a file alone when one edit of several fails", async () => {
    put({ "multi.txt": "a\nb\n" });
    const call = hands();
    await call("read", { path: "multi.txt" });
    const edits = [
      { old: "a", new: "x" },
      { old: "c", new: "y" },
    ];
    expect(await call("edit", { path: "multi.txt", edits })).toMatchObject(refusal(/unchanged\. Edit 2 of 2: old is not in the file/));
    expect(disk("multi.txt")).toBe("a\nb\n");
  });

  it("do not touch what is no UTF-8 text", async () => {
    put({ "latin.txt": Buffer.from("caf\xe9 a\n", "latin1") });
    const call = hands();
    await call("read", { path: "latin.txt" });
    expect(await call("edit", { path: "latin.txt", edits: [{ old: "a", new: "b" }] })).toMatchObject(refusal("not UTF-8"));
  });

  it("make directories, write through a link within, and leave no drafts", async () => {
    put({ "real.txt": "r\n" });
    symlinkSync("real.txt", join(root, "alias.txt"));
    const call = hands();
    expect((await call("write", { path: "deep/er/new.txt", content: "n" })).content).toBe('Wrote "deep/er/new.txt": 1 bytes.');
    await call("read", { path: "alias.txt" });
    await call("edit", { path: "alias.txt", edits: [{ old: "r", new: "s" }] });
    expect(disk("real.txt")).toBe("s\n");
    expect(await call("write", { path: "real.txt/below", content: "x" })).toMatchObject({ isError: true });
    expect(await call("write", { path: "sub", content: "x" })).toMatchObject({ isError: true });
    expect((await call("glob", { pattern: "**/.uac-*" })).content).toMatch(/No file/);
  });
});

describe("bash", () => {
  it("runs in the root, reports, and counts", async () => {
    const call = hands();
    expect((await call("bash", { command: "pwd; echo err >&2; exit 3" })).content).toMatch(
      new RegExp(`^${root}\nerr\n\\[exit 3, \\d+\\.\\d s\\]$`),
    );
    expect(ran).toEqual([{ command: "pwd; echo err >&2; exit 3", exitCode: 3, durationMs: expect.any(Number) }]);
    expect(await call("bash", { command: "sleep 30", timeout_s: 1 })).toMatchObject({
      isError: true,
      content: expect.stringContaining("ended after 1 s"),
    });
  });

  it("shows the head and the tail, and keeps the rest where read finds it", async () => {
    const call = hands();
    const { content } = await call("bash", { command: "seq 1 5000" });
    expect(content).toMatch(/^1\n2\n/);
    expect(content).toMatch(/\n128\n… 4744 lines left out …\n4873\n/);
    expect(content).toMatch(/\n5000\n\[exit 0/);
    const log = /read "([^"]+)"/.exec(content)?.[1] ?? "";
    expect((await call("read", { path: log, offset: 2_500, limit: 1 })).content).toMatch(/^ {2}2500\t2500\n/);
    expect(await call("write", { path: log, content: "x" })).toMatchObject(refusal("outside"));
    const wide = (await call("bash", { command: "head -c 100000 /dev/zero | tr '\\0' ä" })).content;
    expect(Buffer.byteLength(wide)).toBeLessThan(11_000);
  });

  it("redacts what comes out, the log and the record of the command too", async () => {
    const call = hands();
    const { content } = await call("bash", { command: `echo ${secret}; seq 1000; echo ${secret}` });
    expect(content).toContain("[SECRET]");
    expect(content).not.toContain(secret);
    expect(ran[0]?.command).not.toContain(secret);
    expect(readFileSync(/read "([^"]+)"/.exec(content)?.[1] ?? "", "utf8")).not.toContain(secret);
    put({ "holds.txt": secret });
    for (const [tool, input] of [
      ["read", { path: "holds.txt" }],
      ["grep", { pattern: "s3cr3t" }],
    ] as const) {
      expect((await call(tool, input)).content).toContain("[SECRET]");
    }
    rmSync(join(root, "holds.txt"));
  });

  it("is refused without a sandbox", async () => {
    expect(await hands({ sandbox: noSandbox() })("bash", { command: "touch unconfined" })).toMatchObject(refusal("SANDBOX=none"));
    expect(existsSync(join(root, "unconfined"))).toBe(false);
  });

  it("never overlaps with another tool", async () => {
    let running = 0;
    let most = 0;
    const slow: Sandbox = {
      ...noSandbox(),
      async run() {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
        throw new UacError("internal", "over");
      },
    };
    const call = hands({ sandbox: slow });
    const results = await Promise.all([1, 2, 3].map(() => call("bash", { command: "true" })));
    expect(results.map(({ content }) => content)).toEqual(["over", "over", "over"]);
    expect(most).toBe(1);
  });
});
