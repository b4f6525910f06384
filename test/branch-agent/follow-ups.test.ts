/** Merge and discard, by real git in a repository of an owner who may be in the middle of anything. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Follow } from "#core/follow-up.ts";
import { gitFollowUps } from "../../branch-agent/workspace/follow-ups.ts";
import { author, dir, eachInARepository, git, put, repo, workspaces } from "./repository.ts";

eachInARepository();

const approved = "a".repeat(64);
const host = { name: "Homer (Desk)", email: "primary@desk-1.uac.invalid" };
const ups = () => gitFollowUps({ workspaces: { demo: repo } });

/** A task's work, committed by the host on a branch of its own; resolves to the follow-up that is approved. */
async function finished(files: Record<string, string>, task = "t1-1-1"): Promise<Follow> {
  const ws = workspaces();
  const worktree = await ws.open("demo", task, 1);
  put(worktree.path, files);
  const { head } = await ws.commit(worktree, "Work", author);
  await ws.close(worktree);
  if (!head) throw new Error("nothing was committed");
  return { do: "merge", of: task, epoch: 1, branch: worktree.branch, head, into: "main", remote: null, says: null, approved };
}
const merge = (follow: Follow) => ups().merge("demo", follow, host);
const at = (name: string) => git("rev-parse", name);
/** Files, index, refs and HEAD as they are. */
const everything = () => [
  git("status", "--porcelain=v2", "--untracked-files=all", "--ignored"),
  git("for-each-ref"),
  git("rev-parse", "--symbolic-full-name", "HEAD"),
  git("ls-files", "--stage"),
  execFileSync("bash", ["-c", "find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum"], {
    cwd: repo,
    encoding: "utf8",
  }),
];

describe("merge into a branch that is checked out nowhere", () => {
  it("moves it forward, and leaves a checkout with work in hand as it is", async () => {
    const follow = await finished({ "a.txt": "two\n", "new.txt": "new\n" });
    git("switch", "-q", "-c", "mine");
    put(repo, { "a.txt": "the owner's\n", "draft.txt": "draft\n" });
    git("add", "draft.txt");
    const before = everything();
    expect(await merge(follow)).toEqual({ already: false, ref: "refs/heads/main", head: follow.head, answer: "", url: null });
    expect(at("main")).toBe(follow.head);
    const after = everything();
    expect(after.toSpliced(1, 1)).toEqual(before.toSpliced(1, 1));
    expect(at("mine")).not.toBe(follow.head);
  });

  it("makes a merge commit where both went on, by the host's name, and says the task", async () => {
    const follow = await finished({ "a.txt": "two\n" });
    put(repo, { "src/b.ts": "export const b = 2;\n" });
    git("commit", "-qam", "the owner's");
    const owners = at("main");
    git("switch", "-q", "--detach");
    const { head } = await merge(follow);
    expect(git("log", "-1", "--format=%P|%an <%ae>|%B", "main")).toBe(
      `${owners} ${follow.head}|Homer (Desk) <primary@desk-1.uac.invalid>|Merge branch 'uac/t1-1-1-1' into main\n\nTask t1-1-1, attempt 1; merged with the owner's approval.`,
    );
    expect(head).toBe(at("main"));
    expect([git("show", "main:a.txt"), git("show", "main:src/b.ts")]).toEqual(["two", "export const b = 2;"]);
  });

  it("refuses a conflict, names the files, and changes nothing", async () => {
    const follow = await finished({ "a.txt": "two\n" });
    put(repo, { "a.txt": "three\n" });
    git("commit", "-qam", "the owner's");
    git("switch", "-q", "--detach");
    const before = everything();
    await expect(merge(follow)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/same lines in a\.txt\..*git merge uac\/t1-1-1-1/),
    });
    expect(everything()).toEqual(before);
  });

  it("is done once: again it says that it was so already, also when the branch is gone", async () => {
    const follow = await finished({ "a.txt": "two\n" });
    git("switch", "-q", "--detach");
    await merge(follow);
    const main = at("main");
    git("branch", "-D", follow.branch);
    expect(await merge(follow)).toMatchObject({ already: true, head: main });
    expect(at("main")).toBe(main);
  });

  const moved = (follow: Follow) => {
    git("branch", "-f", follow.branch, "main");
    return follow;
  };
  it.each<[string, (follow: Follow) => Follow, RegExp]>([
    ["a branch that has moved", moved, /is at [0-9a-f]{12} now, not at/],
    ["a target that is gone", (follow) => ({ ...follow, into: "gone" }), /no branch gone any more/],
    ["a target that is no name", (follow) => ({ ...follow, into: "a..b" }), /is no name of a branch/],
    ["no target", (follow) => ({ ...follow, into: null }), /into which branch/],
    ["a commit that is not there", (follow) => ({ ...follow, head: "d".repeat(40) }), /is not in this repository/],
  ])("refuses %s", async (_, change, why) => {
    const follow = await finished({ "a.txt": "two\n" });
    const main = at("main");
    await expect(merge(change(follow))).rejects.toMatchObject({ code: "conflict", message: expect.stringMatching(why) });
    expect(at("main")).toBe(main);
  });

  it("refuses a branch that is being rebased", async () => {
    const follow = await finished({ "src/b.ts": "export const b = 9;\n" });
    git("switch", "-q", "-c", "base", "main");
    put(repo, { "a.txt": "base\n" });
    git("commit", "-qam", "base");
    git("switch", "-q", "main");
    put(repo, { "a.txt": "main\n" });
    git("commit", "-qam", "main");
    expect(() => git("rebase", "-q", "base")).toThrow();
    const main = at("main");
    await expect(merge(follow)).rejects.toMatchObject({ message: expect.stringContaining("in the middle of a rebase") });
    expect(at("main")).toBe(main);
  });
});

describe("merge into the branch of the owner's checkout", () => {
  it("moves a clean one along: files, index and branch agree, and what git does not track stays", async () => {
    const follow = await finished({ "a.txt": "two\n", "deep/new.txt": "new\n" });
    put(repo, { "notes.txt": "mine\n" });
    expect(await merge(follow)).toMatchObject({ already: false, head: follow.head });
    expect(git("status", "--porcelain")).toBe("?? notes.txt");
    expect([at("main"), git("symbolic-ref", "--short", "HEAD")]).toEqual([follow.head, "main"]);
    expect(readFileSync(join(repo, "a.txt"), "utf8")).toBe("two\n");
    expect(git("log", "-g", "-1", "--format=%gs", "HEAD")).toBe("merge uac/t1-1-1-1");
  });

  it("moves along to a merge commit, deletes what it deletes, and goes by line ends as the owner has them", async () => {
    git("config", "core.autocrlf", "true");
    const follow = await finished({ "a.txt": "two\n" });
    git("rm", "-q", "package.json");
    git("commit", "-qm", "the owner's");
    await merge(follow);
    expect(git("status", "--porcelain")).toBe("");
    expect(readFileSync(join(repo, "a.txt"), "utf8")).toBe("two\r\n");
    expect(existsSync(join(repo, "package.json"))).toBe(false);
  });

  const stage = () => {
    put(repo, { "src/b.ts": "x\n" });
    git("add", "-A");
  };
  const ignore = () => {
    writeFileSync(join(repo, ".git/info/exclude"), "new.txt\n");
    put(repo, { "new.txt": "mine\n" });
  };
  const edits: [string, () => void, RegExp][] = [
    ["an edit", () => put(repo, { "a.txt": "the owner's\n" }), /changes in hand there: a\.txt/],
    ["an edit elsewhere", () => put(repo, { "src/b.ts": "the owner's\n" }), /changes in hand there: src\/b\.ts/],
    ["something staged", stage, /changes in hand there: src\/b\.ts/],
    ["a deletion", () => rmSync(join(repo, "package.json")), /changes in hand there: package\.json/],
    ["a file in the way", () => put(repo, { "new.txt": "mine\n" }), /would be overwritten: new\.txt/],
    ["an ignored file in the way", ignore, /would be overwritten: new\.txt/],
    [
      "a merge under way",
      () => writeFileSync(join(repo, ".git/MERGE_HEAD"), `${at("main")}\n`),
      /in the middle of something there \(MERGE_HEAD\)/,
    ],
    ["a lock", () => writeFileSync(join(repo, ".git/index.lock"), ""), /in the middle of something there \(index\.lock\)/],
    ["a sparse checkout", () => void git("config", "core.sparseCheckout", "true"), /it is a sparse one/],
    ["a filter", () => writeFileSync(join(repo, ".git/info/attributes"), "*.txt filter=lfs\n"), /goes by a filter \(filter: lfs\)/],
  ];
  it.each(edits)("refuses where there is %s, says what to run by hand, and changes nothing", async (_, change, why) => {
    const follow = await finished({ "a.txt": "two\n", "new.txt": "new\n" });
    change();
    const before = everything();
    await expect(merge(follow)).rejects.toMatchObject({ code: "conflict", message: expect.stringMatching(why) });
    await expect(merge(follow)).rejects.toMatchObject({ message: expect.stringContaining(`By hand: git -C ${repo} merge uac/t1-1-1-1`) });
    expect(everything()).toEqual(before);
  });

  it("refuses a change of attributes, which would decide how files are written", async () => {
    const follow = await finished({ ".gitattributes": "*.txt filter=evil\n" });
    await expect(merge(follow)).rejects.toMatchObject({ message: expect.stringContaining("changes what git does with files") });
  });

  it("goes on after it was killed when the files had moved and the branch had not", async () => {
    const follow = await finished({ "a.txt": "two\n", "new.txt": "new\n" });
    git("read-tree", "-m", "-u", "main", follow.head);
    expect(git("status", "--porcelain")).not.toBe("");
    expect(await merge(follow)).toMatchObject({ already: false, head: follow.head });
    expect(git("status", "--porcelain")).toBe("");
  });

  it("overwrites no edit that git was told not to look for, and says what is in the way", async () => {
    const follow = await finished({ "a.txt": "two\n" });
    git("update-index", "--assume-unchanged", "a.txt");
    put(repo, { "a.txt": "the owner's\n" });
    const before = everything();
    await expect(merge(follow)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/something of yours was in the way.*'a\.txt' not uptodate/s),
    });
    expect(everything()).toEqual(before);
  });

  it("merges one after the other what was approved at once; of two programs one may have to ask again", async () => {
    const [first, second] = [await finished({ "a.txt": "two\n" }), await finished({ "src/b.ts": "two\n" }, "t2-1-1")];
    const one = ups();
    expect(await Promise.all([first, second].map((follow) => one.merge("demo", follow, host)))).toMatchObject([
      { already: false },
      { already: false },
    ]);
    expect([git("status", "--porcelain"), git("show", "main:a.txt"), git("show", "main:src/b.ts")]).toEqual(["", "two", "two"]);

    const [third, fourth] = [await finished({ "a.txt": "3\n" }, "t3-1-1"), await finished({ "src/b.ts": "3\n" }, "t4-1-1")];
    const ends = await Promise.allSettled([merge(third), merge(fourth)]);
    for (const end of ends) if (end.status === "rejected") expect(end.reason).toMatchObject({ code: "conflict" });
    await merge(third);
    await merge(fourth);
    expect([git("status", "--porcelain"), git("show", "main:a.txt"), git("show", "main:src/b.ts")]).toEqual(["", "3", "3"]);
  });

  it("looks after a checkout of the owner's that is a worktree of its own", async () => {
    const follow = await finished({ "a.txt": "two\n" });
    git("switch", "-q", "-c", "elsewhere");
    const second = join(dir, "second checkout");
    git("worktree", "add", "-q", second, "main");
    put(second, { "a.txt": "the owner's\n" });
    await expect(merge(follow)).rejects.toMatchObject({ message: expect.stringContaining(`By hand: git -C '${second}' merge`) });
    execFileSync("git", ["checkout", "-q", "a.txt"], { cwd: second });
    await merge(follow);
    expect(readFileSync(join(second, "a.txt"), "utf8")).toBe("two\n");
    expect(readFileSync(join(repo, "a.txt"), "utf8")).toBe("one\n");
    rmSync(second, { recursive: true });
    await expect(merge(await finished({ "c.txt": "three\n" }, "t2-1-1"))).rejects.toMatchObject({
      message: expect.stringContaining("is away"),
    });
  });
});

describe("nothing that the repository names runs", () => {
  const canary = () => join(dir, "canary");
  function hooks() {
    mkdirSync(join(repo, ".git/hooks"), { recursive: true });
    for (const name of [
      "reference-transaction",
      "post-merge",
      "pre-merge-commit",
      "commit-msg",
      "post-checkout",
      "post-commit",
      "pre-push",
    ]) {
      const file = join(repo, ".git/hooks", name);
      writeFileSync(file, `#!/bin/sh\ntouch ${canary()}\n`);
      chmodSync(file, 0o755);
    }
  }

  it("neither hooks, nor a merge driver that the branch chooses, nor a filter", async () => {
    const follow = await finished({ ".gitattributes": "*.txt merge=evil filter=evil\n", "a.txt": "two\n" });
    put(repo, { "a.txt": "three\n" });
    git("commit", "-qam", "the owner's");
    git("switch", "-q", "--detach");
    git("config", "merge.evil.driver", `touch ${canary()}`);
    git("config", "merge.default", "evil");
    git("config", "filter.evil.smudge", `touch ${canary()}; cat`);
    hooks();
    await expect(merge(follow)).rejects.toMatchObject({ code: "conflict" });
    expect(existsSync(canary())).toBe(false);
  });

  it("nor hooks when a checkout moves along and a branch is discarded", async () => {
    const follow = await finished({ "a.txt": "two\n" });
    hooks();
    await merge(follow);
    await ups().discard("demo", follow);
    expect(existsSync(canary())).toBe(false);
  });
});

describe("discard", () => {
  it("deletes the branch, once", async () => {
    const follow = await finished({ "a.txt": "two\n" });
    expect(await ups().discard("demo", follow)).toEqual({
      already: false,
      ref: "refs/heads/uac/t1-1-1-1",
      head: null,
      answer: "",
      url: null,
    });
    expect(git("branch", "--list", "uac/*")).toBe("");
    expect(await ups().discard("demo", follow)).toMatchObject({ already: true });
  });

  it("leaves a branch on which somebody went on, and one that is checked out", async () => {
    const follow = await finished({ "a.txt": "two\n" });
    git("switch", "-q", follow.branch);
    await expect(ups().discard("demo", follow)).rejects.toMatchObject({ message: expect.stringContaining(`is checked out at ${repo}`) });
    put(repo, { "a.txt": "more\n" });
    git("commit", "-qam", "more");
    git("switch", "-q", "main");
    await expect(ups().discard("demo", follow)).rejects.toMatchObject({
      message: expect.stringMatching(/Not discarded: .* is at .* now, not at/),
    });
    expect(git("branch", "--list", "uac/*")).not.toBe("");
  });
});

it("what can become of a branch is told from the repository", async () => {
  const ws = workspaces();
  const worktree = await ws.open("demo", "t1-1-1", 1);
  expect(worktree).toMatchObject({ into: "main", workspace: "demo" });
  expect(await ups().prospects(worktree, true)).toEqual({ into: "main", remote: null, can: ["merge", "discard"] });
  git("remote", "add", "origin", "https://ann:s3cret@git.example/ann/demo.git");
  expect(await ups().prospects(worktree, true)).toMatchObject({
    remote: "https://git.example/ann/demo.git",
    can: expect.arrayContaining(["push"]),
  });
  expect(await ups().prospects(worktree, false)).toEqual({ into: "main", remote: null, can: ["merge", "discard"] });
  git("commit", "-q", "--amend", "-m", "rewritten");
  expect(await ups().prospects(worktree, false)).toEqual({ into: null, remote: null, can: ["discard"] });
});
