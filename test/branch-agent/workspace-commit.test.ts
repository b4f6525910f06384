/** The host's commit: measured, repeatable, without artefacts. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { author, eachInARepository, git, put, repo, workspaces } from "./repository.ts";

const bytes6mb = 6 * 1024 ** 2;

eachInARepository();

describe("the host's commit", () => {
  it("gives measured facts, and the same ones again", async () => {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    expect(await all.commit(worktree, "nothing", author)).toEqual({
      head: null,
      diffstat: { files: 0, insertions: 0, deletions: 0, text: "" },
      patch: null,
      patchSha256: null,
    });
    put(worktree.path, { "a.txt": "two\nthree\n", "neu/ü b.txt": "n\n", "bin.dat": Buffer.from([0, 1, 2]) });
    rmSync(join(worktree.path, "src"), { recursive: true });
    const measured = await all.commit(worktree, "not to be committed", null);
    expect(git("rev-list", "--count", "main..uac/t-1")).toBe("0");
    const made = await all.commit(worktree, "Do it\n\nBecause.", author);
    expect(measured).toEqual({ ...made, head: null });
    expect(made.diffstat).toMatchObject({ files: 4, insertions: 3, deletions: 2 });
    expect(made.diffstat.text).toContain("4 files changed");
    expect(made.patch).toContain("+two\n+three\n");
    expect(made.patchSha256).toBe(
      createHash("sha256")
        .update(made.patch ?? "")
        .digest("hex"),
    );
    expect(git("log", "-1", "--format=%an <%ae> %cn %B", "uac/t-1")).toBe("Lisa <lisa@factory.invalid> Lisa Do it\n\nBecause.");
    expect(git("rev-parse", "uac/t-1^")).toBe(worktree.base);
    expect(await all.commit(worktree, "again", author)).toEqual(made);
    expect(git("rev-list", "--count", "main..uac/t-1")).toBe("1");
  });

  it("follows every kind of change: modes, links, files for directories and directories for files", async () => {
    put(repo, { "was-dir/x": "1\n", "was-file": "1\n", run: "1\n" });
    git("add", "-A");
    git("commit", "-qm", "kinds");
    const all = workspaces();
    const { path } = await all.open("demo", "t", 1);
    const worktree = await all.open("demo", "t", 1);
    for (const name of ["was-dir", "was-file"]) rmSync(join(path, name), { recursive: true });
    put(path, { "was-dir": "2\n", "was-file/x": "2\n" });
    chmodSync(join(path, "run"), 0o755);
    rmSync(join(path, "a.txt"));
    symlinkSync("run", join(path, "a.txt"));
    await all.commit(worktree, "work", author);
    expect(git("ls-tree", "-r", "--format=%(objectmode) %(path)", "uac/t-1").split("\n")).toEqual([
      "120000 a.txt",
      "100644 package.json",
      "100755 run",
      "100644 src/b.ts",
      "100644 was-dir",
      "100644 was-file/x",
    ]);
  });

  it("takes a tracked file that became a named pipe for removed, and commits the rest", async () => {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    rmSync(join(worktree.path, "a.txt"));
    execFileSync("mkfifo", [join(worktree.path, "a.txt")]);
    put(worktree.path, { "new.txt": "n\n" });
    const made = await all.commit(worktree, "work", author);
    expect(git("ls-tree", "--name-only", made.head ?? "").split("\n")).toContain("new.txt");
    expect(git("ls-tree", "--name-only", made.head ?? "").split("\n")).not.toContain("a.txt");
    expect(made.diffstat.text).toContain("a.txt");
    expect(await all.commit(worktree, "again", author)).toEqual(made);
  });

  it("reverses what it says: the patch makes the head from the base", async () => {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    put(worktree.path, { "a.txt": "two", "src/c.ts": "c\r\n" });
    const { patch, head } = await all.commit(worktree, "work", author);
    execFileSync("git", ["apply", "--index", "-"], { cwd: repo, input: patch ?? "" });
    expect(git("write-tree")).toBe(git("rev-parse", `${head}^{tree}`));
  });

  it("leaves artefacts out and says so, and keeps sources that only look like them", async () => {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    put(worktree.path, {
      "node_modules/x/index.js": "x",
      "src/__pycache__/b.cpython-312.pyc": "x",
      ".venv/bin/python": "x",
      "coverage/lcov.info": "x",
      "dist/main.js": "x",
      ".DS_Store": "x",
      "big.bin": Buffer.alloc(bytes6mb),
      "src/build/steps.ts": "source\n",
      "ignored.log": "x",
      ".gitignore": "*.log\n",
    });
    const made = await all.commit(worktree, "work", author);
    expect(git("ls-tree", "-r", "--name-only", "uac/t-1").split("\n").sort()).toEqual(
      [".gitignore", "a.txt", "package.json", "src/b.ts", "src/build/steps.ts"].sort(),
    );
    expect(made.diffstat.text).toMatch(/left out as artefacts or secrets: .*dist\//);
    expect(await all.commit(worktree, "work", author)).toEqual(made);
  });

  it("goes on with what the repository tracks, whatever its name", async () => {
    put(repo, { "dist/main.js": "1\n", "node_modules/own.js": "1\n" });
    git("add", "-Af");
    git("commit", "-qm", "track products");
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    put(worktree.path, { "dist/main.js": "2\n", "dist/other.js": "2\n", "node_modules/own.js": "2\n" });
    await all.commit(worktree, "work", author);
    expect(git("diff", "--name-only", "main", "uac/t-1").split("\n").sort()).toEqual([
      "dist/main.js",
      "dist/other.js",
      "node_modules/own.js",
    ]);
  });

  it("keeps a patch that is too large for the bus in the repository, known by its digest", async () => {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    put(worktree.path, { "long.txt": "line\n".repeat(50_000) });
    const made = await all.commit(worktree, "work", author);
    expect(made).toMatchObject({ patch: null, diffstat: { insertions: 50_000 } });
    expect(made.patchSha256).toMatch(/^[0-9a-f]{64}$/);
    for (let i = 0; i < 200; i++) put(worktree.path, { [`many/${"x".repeat(60)}${i}`]: "1\n" });
    const { diffstat } = await all.commit(worktree, "more", author);
    expect(diffstat.text.length).toBeLessThanOrEqual(8_000);
    expect(diffstat.text).toContain("201 files changed");
  });

  it("gives no patch text that would not be the patch: bytes beyond UTF-8", async () => {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    put(worktree.path, { "latin.txt": Buffer.from("caf\xe9\n", "latin1") });
    expect(await all.commit(worktree, "work", author)).toMatchObject({ patch: null, patchSha256: expect.any(String) });
  });

  it("refuses a repository inside, and says what to do", async () => {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    execFileSync("git", ["init", "-q", join(worktree.path, "inner")]);
    put(worktree.path, { "inner/file": "x", "a.txt": "two\n" });
    const attempt = all.commit(worktree, "work", author);
    await expect(attempt).rejects.toMatchObject({ code: "workspace_failed", message: expect.stringContaining('"inner/.git"') });
    rmSync(join(worktree.path, "inner/.git"), { recursive: true });
    expect((await all.commit(worktree, "work", author)).diffstat.files).toBe(2);
  });

  const bare = { HEAD: "ref: refs/heads/main\n", "objects/x": "", "refs/x": "", config: "[core]\n\tfsmonitor = touch /tmp/owned\n" };
  it.each<[string, Record<string, string>, string]>([
    ["a bare repository among the sources", inside("src/fixture", bare), '"src/fixture/"'],
    ["one that borrows another's objects", inside("lib", { HEAD: "x", commondir: "../.git\n" }), '"lib/"'],
    ["a .git by another case", { "sub/.GIT/config": "x" }, '"sub/.GIT"'],
    ["a .git by its short name", { "git~1/config": "x" }, '"git~1"'],
    ["a .git with what a Mac leaves out", { "sub/.g\u200cit/config": "x" }, "sub/"],
    ["a .git with what Windows leaves out", { "sub/.git. . /config": "x" }, "sub/"],
  ])("refuses %s", async (_, files, name) => {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    put(worktree.path, files);
    const message = expect.stringContaining(name);
    await expect(all.commit(worktree, "work", author)).rejects.toMatchObject({ code: "workspace_failed", message });
    expect(git("rev-parse", "uac/t-1")).toBe(worktree.base);
  });

  it("refuses a change that makes a repository of what is tracked, and lets names alone that only look like it", async () => {
    put(repo, { "fixture/HEAD": "x", "fixture/objects/x": "", "docs/git~": "fine", ".github/x": "fine", "a.git/HEAD": "fine" });
    git("add", "-A");
    git("commit", "-qm", "fixture");
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    put(worktree.path, { "docs/git~": "2", ".github/x": "2", "a.git/HEAD": "2", ".gitmodules": "x", ".gitignore": "y" });
    expect((await all.commit(worktree, "work", author)).diffstat.files).toBe(5);
    put(worktree.path, { "fixture/refs/x": "" });
    await expect(all.commit(worktree, "work", author)).rejects.toMatchObject({ message: expect.stringContaining('"fixture/"') });
  });

  it("says that what was put into a submodule is not in it", async () => {
    git("update-index", "--add", "--cacheinfo", `160000,${git("rev-parse", "HEAD")},vendor/lib`);
    git("commit", "-qm", "submodule");
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    put(worktree.path, { "vendor/lib/x.c": "x", "a.txt": "two\n" });
    const { diffstat } = await all.commit(worktree, "work", author);
    expect(diffstat).toMatchObject({ files: 1, text: expect.stringContaining("vendor/lib/ (a submodule)") });
  });
});

function inside(directory: string, files: Record<string, string>) {
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [`${directory}/${name}`, content]));
}
