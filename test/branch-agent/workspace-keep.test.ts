/** What is kept of finished tasks, and for how long; and many tasks on one repository at the same time. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "#adapters/clock/system.ts";
import { clearOld } from "../../branch-agent/housekeeping.ts";
import { author, dir, eachInARepository, git, put, repo, root, workspaces } from "./repository.ts";

eachInARepository();

const dayMs = 24 * 3_600_000;
const days = (n: number) => ({ now: Date.now() + n * dayMs, retainMs: 30 * dayMs });
const branches = () =>
  git("branch", "--list", "--format=%(refname:short)", "uac/*")
    .split("\n")
    .filter((name) => name !== "");
async function finished(task: string, all = workspaces()) {
  const worktree = await all.open("demo", task, 1);
  put(worktree.path, { [`${task}.txt`]: `${task}\n` });
  await all.commit(worktree, task, author);
  await all.close(worktree);
}

describe("a branch that a finished task left", () => {
  it("stays for as long as it is to, and then goes", async () => {
    await finished("t");
    const all = workspaces();
    expect(await all.sweep(days(29))).toEqual([]);
    expect(branches()).toEqual(["uac/t-1"]);
    expect(await all.sweep(days(31))).toEqual(["uac/t-1"]);
    expect(branches()).toEqual([]);
    expect(readdirSync(join(dir, "branches"))).toEqual([]);
    expect(await all.sweep(days(62))).toEqual([]);
  });

  it("goes when it is merged, into a branch here or at a remote", async () => {
    for (const task of ["here", "there", "nowhere"]) await finished(task);
    git("merge", "-q", "--no-ff", "-m", "merge", "uac/here-1");
    git("update-ref", "refs/remotes/origin/main", "uac/there-1");
    expect((await workspaces().sweep(days(0))).toSorted()).toEqual(["uac/here-1", "uac/there-1"]);
    expect(branches()).toEqual(["uac/nowhere-1"]);
  });

  it("is not merged by another of ours, nor by its copy at a remote", async () => {
    await finished("t");
    git("branch", "uac/copy", "uac/t-1");
    git("update-ref", "refs/remotes/origin/uac/t-1", "uac/t-1");
    expect(await workspaces().sweep(days(0))).toEqual([]);
  });

  it("is the owner's for ever once it moved, is checked out, or was made anew", async () => {
    for (const task of ["moved", "checked", "linked"]) await finished(task);
    git("update-ref", "refs/heads/uac/moved-1", "main");
    git("checkout", "-q", "uac/checked-1");
    git("worktree", "add", "-q", join(dir, "own"), "uac/linked-1");
    expect(await workspaces().sweep(days(400))).toEqual([]);
    expect(branches()).toEqual(["uac/checked-1", "uac/linked-1", "uac/moved-1"]);
    // No longer checked out, it is as any other; the one that moved never is.
    git("checkout", "-q", "main");
    expect(await workspaces().sweep(days(400))).toEqual(["uac/checked-1"]);
  });

  it("of somebody else is never touched, whatever its name", async () => {
    git("branch", "uac/mine-1");
    await finished("t");
    git("branch", "-D", "-q", "uac/t-1");
    expect(await workspaces().sweep(days(400))).toEqual([]);
    expect(branches()).toEqual(["uac/mine-1"]);
  });

  it("keeps no other waiting where its repository is gone", async () => {
    await finished("t");
    const other = join(dir, "other");
    execFileSync("git", ["clone", "-q", repo, other]);
    const all = workspaces({ workspaces: { demo: repo, other } });
    const worktree = await all.open("other", "u", 1);
    put(worktree.path, { x: "x" });
    await all.commit(worktree, "u", author);
    await all.close(worktree);
    rmSync(other, { recursive: true });
    expect(await all.sweep(days(1))).toEqual([]);
    expect(await all.sweep(days(31))).toEqual(["uac/t-1"]);
    expect(readdirSync(join(dir, "branches"))).toEqual([]);
  });
});

it("logs of finished tasks go when they are old, those of open ones never", async () => {
  const logs = join(dir, "logs");
  for (const name of ["old-1", "open-1", "new-1"]) mkdirSync(join(logs, name), { recursive: true });
  for (const name of ["old-1", "open-1"]) utimesSync(join(logs, name), 1, 1);
  const { log } = { log: { debug() {}, info() {}, warn() {}, error() {}, with: () => log } } as never as { log: never };
  const journal = { open: async () => [{ order: { task: "open", epoch: 1 } }] as never };
  await clearOld({ workspaces: workspaces(), journal, clock: systemClock, log, logs, retainMs: dayMs });
  expect(readdirSync(logs).toSorted()).toEqual(["new-1", "open-1"]);
});

describe("many tasks on one repository", () => {
  it("never collide: opened, committed, closed and swept side by side, while the owner's git works and packs", async () => {
    // Two factories on one machine share nothing but the repository.
    const factories = [workspaces(), workspaces({ root: join(dir, "second", "worktrees") })];
    const busy = ownersGit();
    const rounds = 3;
    const each = 4;
    const worker = async (all: (typeof factories)[number], name: string) => {
      for (let round = 0; round < rounds; round += 1) {
        const worktree = await all.open("demo", `${name}r${round}`, 1, { withEdits: round === 1 });
        put(worktree.path, { [`${name}.txt`]: `${round}\n` });
        const { head, diffstat } = await all.commit(worktree, name, author);
        expect([head === null, diffstat.files]).toEqual([false, 1]);
        await all.close(worktree);
      }
    };
    const work = factories.flatMap((all, f) => Array.from({ length: each }, (_, n) => worker(all, `f${f}n${n}`)));
    await Promise.all([...work, factories[0]?.sweep(days(0)), factories[1]?.sweep(days(0))]);
    await busy.stop();
    expect(branches()).toHaveLength(factories.length * each * rounds);
    expect(git("worktree", "list").split("\n")).toHaveLength(1);
    for (const place of [root, join(dir, "second", "worktrees")]) expect(readdirSync(place)).toEqual([]);
    git("fsck", "--no-dangling", "--no-progress");
    expect(existsSync(join(repo, ".git/index.lock"))).toBe(false);
    for (const all of factories) await all.sweep(days(31));
    expect(branches()).toEqual([]);
  }, 60_000);

  it("wait for a lock that the owner's git holds for a moment", async () => {
    await finished("t");
    const lock = join(repo, ".git/refs/heads/uac/u-1.lock");
    put(repo, { ".git/refs/heads/uac/u-1.lock": "" });
    const opening = workspaces().open("demo", "u", 1);
    setTimeout(() => rmSync(lock), 300);
    expect((await opening).branch).toBe("uac/u-1");
  });
});

/** The owner commits, makes branches and packs, again and again, until told to stop. */
function ownersGit() {
  const script = `exec 2> /dev/null; while kill -0 $PPID; do echo $RANDOM > owner.txt; git add owner.txt; git commit -qm owner; git branch -f side; git pack-refs --all; git repack -qd; git worktree prune; done`;
  const child = spawn("bash", ["-c", script], { cwd: repo, stdio: "ignore", detached: true });
  return {
    stop: () =>
      new Promise<void>((resolve) => {
        child.once("close", () => resolve());
        process.kill(-(child.pid ?? 0), "SIGTERM");
      }),
  };
}
