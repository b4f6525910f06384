/** What an ordinary user's task closes to itself, and so to the factory, is committed and removed all the same. Root is let in everywhere. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { author, dir, eachInARepository, git, repo } from "./repository.ts";

eachInARepository();

const nobody = 65_534;

/** Opens a worktree, has `command` run in it, commits and removes it, all as an ordinary user: the commit's diffstat. */
function round(command: string): { files: number; text: string } {
  const script = `
    import { execFileSync } from "node:child_process";
    import { gitWorkspaces } from "./branch-agent/workspace/worktrees.ts";
    const log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log };
    const [repo, root, branches, command, author] = JSON.parse(process.argv[1]);
    const all = gitWorkspaces({ workspaces: { demo: repo }, root, branches, log });
    const worktree = await all.open("demo", "t", 1);
    execFileSync("/bin/sh", ["-c", command], { cwd: worktree.path });
    const { diffstat } = await all.commit(worktree, "work", author);
    await all.close(worktree);
    console.log(JSON.stringify(diffstat));`;
  const as = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  if ("uid" in as) execFileSync("chown", ["-R", `${nobody}:${nobody}`, dir]);
  chmodSync(dir, 0o755);
  const given = JSON.stringify([repo, join(dir, "worktrees"), join(dir, "branches"), command, author]);
  const env = { PATH: process.env.PATH, HOME: dir };
  const words = ["--input-type=module", "-e", script, given];
  const told = JSON.parse(execFileSync(process.execPath, words, { ...as, env, encoding: "utf8" }));
  expect(existsSync(join(dir, "worktrees", "t-1"))).toBe(false);
  if ("uid" in as) execFileSync("chown", ["-R", "0:0", dir]);
  return told;
}

it.each([
  ["a file", "echo two > a.txt; echo new > n.txt; chmod 000 a.txt n.txt", ["a.txt", "n.txt"]],
  ["a directory", "echo two > src/b.ts; mkdir -p q/r; echo new > q/r/n.txt; chmod 000 q src", ["q/r/n.txt", "src/b.ts"]],
  ["a directory that can be listed and not entered", "echo two > src/b.ts; chmod 400 src", ["src/b.ts"]],
  ["the worktree itself", "echo two > a.txt; chmod 000 .", ["a.txt"]],
  [
    "a cache that is read-only throughout",
    "mkdir -p .cache/go/x; echo x > .cache/go/x/y; chmod -R a-w .cache; echo two > a.txt",
    ["a.txt"],
  ],
])("%s", (_, command, changed) => {
  expect(round(command)).toMatchObject({ files: changed.length });
  expect(git("diff", "--name-only", "main", "uac/t-1").split("\n")).toEqual(changed);
});
