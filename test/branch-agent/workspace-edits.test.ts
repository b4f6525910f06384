/** What the owner has in hand, replayed into a worktree on request: all of it that is work, from a checkout that nothing touches. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { author, dir, eachInARepository, git, put, repo, root, workspaces } from "./repository.ts";

eachInARepository();

const withEdits = { withEdits: true };
const digest = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
/** The checkout's files with their times, and all of `.git` that is not objects or of worktrees and branches of ours. */
function ownersState() {
  return (readdirSync(repo, { recursive: true }) as string[])
    .filter(
      (name) => !/^\.git\/(objects|worktrees|refs\/heads\/uac|logs\/refs\/heads\/uac)/.test(name) && statSync(join(repo, name)).isFile(),
    )
    .sort()
    .map((name) => [name, digest(join(repo, name)), statSync(join(repo, name)).mtimeMs]);
}
const inTree = (commit: string) => git("ls-tree", "-r", "--format=%(objectmode) %(path)", commit).split("\n");

/** Awaits `act` with a home that holds these files. */
async function atHome<T>(files: Record<string, string>, act: () => Promise<T>): Promise<T> {
  const before = { HOME: process.env.HOME, XDG: process.env.XDG_CONFIG_HOME };
  put(join(dir, "home"), files);
  process.env.HOME = join(dir, "home");
  delete process.env.XDG_CONFIG_HOME;
  try {
    return await act();
  } finally {
    if (before.HOME !== undefined) process.env.HOME = before.HOME;
    if (before.XDG !== undefined) process.env.XDG_CONFIG_HOME = before.XDG;
  }
}

describe("the owner's uncommitted changes", () => {
  it("are all there: edited, staged, added, deleted, moved, modes and links; and the checkout is byte for byte as it was", async () => {
    put(repo, { gone: "1\n", old: "1\n2\n3\n", run: "x\n", both: "1\n", "was-dir/x": "1\n", ".gitignore": "*.log\n" });
    git("add", "-A");
    git("commit", "-qm", "more");
    put(repo, { "a.txt": "edited\n", "new/file.txt": "n\n", "staged.txt": "s\n", both: "staged\n", "x.log": "ignored" });
    git("add", "staged.txt", "both");
    put(repo, { both: "staged and edited\n" });
    rmSync(join(repo, "gone"));
    git("mv", "old", "moved");
    git("rm", "-qr", "was-dir");
    put(repo, { "was-dir": "a file now\n" });
    chmodSync(join(repo, "run"), 0o755);
    symlinkSync("a.txt", join(repo, "link"));
    const head = git("rev-parse", "HEAD");
    const status = git("status", "--porcelain");
    const before = ownersState();

    const all = workspaces();
    const worktree = await all.open("demo", "t", 1, withEdits);
    expect(worktree).toMatchObject({ uncommitted: 0, replayed: { from: head, left: [] } });
    expect(worktree.replayed?.files).toBe(Number(git("diff", "--name-only", "--no-renames", head, worktree.base).split("\n").length));
    expect(git("rev-parse", `${worktree.base}^`)).toBe(head);
    expect(readFileSync(join(worktree.path, "both"), "utf8")).toBe("staged and edited\n");
    expect(inTree(worktree.base)).toEqual([
      ...["100644 .gitignore", "100644 a.txt", "100644 both", "120000 link", "100644 moved", "100644 new/file.txt"],
      ...["100644 package.json", "100755 run", "100644 src/b.ts", "100644 staged.txt", "100644 was-dir"],
    ]);
    expect(ownersState()).toEqual(before);

    put(worktree.path, { "a.txt": "edited\nby the task\n" });
    const made = await all.commit(worktree, "work", author);
    expect(made.diffstat).toMatchObject({ files: 1, insertions: 1, deletions: 0 });
    await all.close(worktree);
    expect(ownersState()).toEqual(before);
    expect(git("status", "--porcelain")).toBe(status);
    expect(readdirSync(root)).toEqual([]);
  });

  it("are the same after a crash, whatever the owner did since", async () => {
    put(repo, { "a.txt": "edited\n" });
    const worktree = await workspaces().open("demo", "t", 1, withEdits);
    put(repo, { "a.txt": "edited again\n", later: "l\n" });
    rmSync(worktree.path, { recursive: true });
    expect(await workspaces().open("demo", "t", 1, withEdits)).toEqual(worktree);
    expect(readFileSync(join(worktree.path, "a.txt"), "utf8")).toBe("edited\n");
  });

  it("may be none: then it is the last commit, and goes without a trace", async () => {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1, withEdits);
    expect(worktree).toMatchObject({ base: git("rev-parse", "HEAD"), replayed: { files: 0 } });
    await all.close(worktree);
    expect(git("branch", "--list", "uac/*")).toBe("");
  });

  it("leave out artefacts, large files, secrets that nobody tracks and repositories of their own, and say so", async () => {
    put(repo, { "node_modules/x.js": "x", ".env": "K=v", "keys/id_ed25519": "k", "big.bin": Buffer.alloc(6 * 1024 ** 2), "ok.txt": "o" });
    mkdirSync(join(repo, "inner"));
    execFileSync("git", ["init", "-q"], { cwd: join(repo, "inner") });
    const { replayed, path } = await workspaces().open("demo", "t", 1, withEdits);
    expect(replayed).toMatchObject({ files: 1, left: ["inner/", ".env", "keys/id_ed25519", "big.bin"] });
    expect(existsSync(join(path, "ok.txt"))).toBe(true);
  });

  it("keep a file under Git LFS a pointer: what a filter would have made of it is left out", async () => {
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    put(repo, { ".gitattributes": "*.bin filter=lfs -text\n", "x.bin": pointer, "y.bin": pointer });
    git("add", "-A");
    git("commit", "-qm", "lfs");
    put(repo, { "x.bin": "the real content", "a.txt": "edited\n" });
    const { replayed, base } = await workspaces().open("demo", "t", 1, withEdits);
    expect(replayed).toMatchObject({ files: 1, left: ["x.bin"] });
    expect(git("show", `${base}:x.bin`)).toBe(pointer.trim());
  });

  it("heed what the owner's git ignores everywhere", async () => {
    put(repo, { "x.swp": "s", "y.txt": "y" });
    const { base } = await atHome({ ".config/git/ignore": "*.swp\n" }, () => workspaces().open("demo", "t", 1, withEdits));
    expect(git("diff", "--name-only", "HEAD", base)).toBe("y.txt");
  });

  it("have the line ends that the owner's git would give them", async () => {
    put(repo, { "a.txt": "one\r\nand more\r\n" });
    const { base } = await atHome({ ".gitconfig": "[core]\n\tautocrlf = true\n" }, () => workspaces().open("demo", "t", 1, withEdits));
    expect(execFileSync("git", ["show", `${base}:a.txt`], { cwd: repo, encoding: "utf8" })).toBe("one\nand more\n");
  });

  it("come from the middle of a merge as the files stand, and the merge goes on", async () => {
    git("checkout", "-qb", "other");
    put(repo, { "a.txt": "theirs\n" });
    git("commit", "-qam", "theirs");
    git("checkout", "-q", "main");
    put(repo, { "a.txt": "ours\n" });
    git("commit", "-qam", "ours");
    expect(() => git("merge", "-q", "other")).toThrow();
    const before = ownersState();
    const { base } = await workspaces().open("demo", "t", 1, withEdits);
    expect(git("show", `${base}:a.txt`)).toContain("<<<<<<<");
    expect(ownersState()).toEqual(before);
    expect(git("status", "--porcelain")).toBe("UU a.txt");
  });

  it("run no filter, hook or monitor of the repository's", async () => {
    const trap = join(dir, "trap");
    put(repo, { ".gitattributes": "*.txt filter=evil\n" });
    git("config", "filter.evil.clean", `touch ${trap}; cat`);
    git("config", "core.fsmonitor", `touch ${trap}`);
    put(repo, { "a.txt": "edited\n", "src/b.ts": "edited\n" });
    // Its time alone says that it changed: git looks at the content.
    utimesSync(join(repo, "package.json"), 1, 1);
    const { base } = await workspaces().open("demo", "t", 1, withEdits);
    expect(git("show", `${base}:src/b.ts`)).toBe("edited");
    expect(existsSync(trap)).toBe(false);
  });

  it("are refused where they are too many, and nothing is left of it", async () => {
    for (let i = 0; i < 2001; i += 1) writeFileSync(join(repo, `n${i}`), "");
    const message = expect.stringMatching(/^The checkout holds 2001 files/);
    await expect(workspaces().open("demo", "t", 1, withEdits)).rejects.toMatchObject({ code: "workspace_failed", message });
    expect(readdirSync(root)).toEqual([]);
  });
});
