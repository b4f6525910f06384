/** A worktree for each task: the owner's checkout stays as it was, and what a crash leaves is found again. */
import { execSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Log } from "#ports/log.ts";
import { author, dir, eachInARepository, git, put, repo, root, workspaces } from "./repository.ts";

eachInARepository();

/** Every file of the checkout with its time, and what of git is the owner's: HEAD, index, config, branches, own log. */
function ownersState() {
  const files = (readdirSync(repo, { recursive: true }) as string[])
    .filter((name) => !name.startsWith(".git/") && statSync(join(repo, name)).isFile())
    .sort()
    .map((name) => [name, digest(join(repo, name)), statSync(join(repo, name)).mtimeMs]);
  const own = ["HEAD", "index", "config", "logs/HEAD", "refs/heads/main"].map((name) => [name, digest(join(repo, ".git", name))]);
  return { files, own };
}

const digest = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

describe("a worktree of its own", () => {
  it("starts from the owner's commit, without the owner's uncommitted work, on a branch of its own", async () => {
    put(repo, { "a.txt": "uncommitted\n", untracked: "x" });
    const worktree = await workspaces().open("demo", "task_1", 2);
    expect(worktree).toEqual({
      path: join(root, "task_1-2"),
      workspace: "demo",
      gitDir: join(repo, ".git"),
      base: git("rev-parse", "HEAD"),
      branch: "uac/task_1-2",
      uncommitted: 2,
      into: "main",
      replayed: null,
      test: "npm test",
      setup: null,
    });
    expect(readFileSync(join(worktree.path, "a.txt"), "utf8")).toBe("one\n");
    expect(existsSync(join(worktree.path, "untracked"))).toBe(false);
  });

  it("leaves the owner's checkout byte for byte as it was, dirty and staged work included", async () => {
    put(repo, { "a.txt": "dirty\n", "staged.txt": "s\n", "untracked.txt": "u\n" });
    git("add", "staged.txt");
    const status = git("status", "--porcelain");
    const before = ownersState();
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    expect(worktree.uncommitted).toBe(3);
    put(worktree.path, { "a.txt": "two\n", "new.txt": "n\n" });
    await all.commit(worktree, "work", author);
    expect(ownersState()).toEqual(before);
    await all.close(worktree);
    expect(ownersState()).toEqual(before);
    expect(git("status", "--porcelain")).toBe(status);
  });

  it("is found again with the same base after the owner went on", async () => {
    const worktree = await workspaces().open("demo", "t", 1);
    put(worktree.path, { "half.txt": "half done\n", "package.json": '{"scripts":{"test":"true"}}' });
    git("commit", "-q", "--allow-empty", "-m", "second");
    // What a git that was killed leaves behind.
    const locks = [join(repo, ".git/worktrees/t-1/index.lock"), join(repo, ".git/refs/heads/uac/t-1.lock")];
    for (const lock of locks) writeFileSync(lock, "");
    const all = workspaces();
    expect(await all.open("demo", "t", 1)).toEqual(worktree);
    expect(readFileSync(join(worktree.path, "half.txt"), "utf8")).toBe("half done\n");
    expect((await all.commit(worktree, "resumed", author)).head).not.toBeNull();
    expect((await all.open("demo", "t", 2)).base).toBe(git("rev-parse", "HEAD"));
  });

  it("is made anew where a crash left it half made", async () => {
    const worktree = await workspaces().open("demo", "t", 1);
    const record = join(root, "t-1.json");
    writeFileSync(record, JSON.stringify({ ...JSON.parse(readFileSync(record, "utf8")), ready: false, test: null }));
    rmSync(join(worktree.path, "a.txt"));
    expect(await workspaces().open("demo", "t", 1)).toEqual(worktree);
    expect(readFileSync(join(worktree.path, "a.txt"), "utf8")).toBe("one\n");
  });

  it("comes back with its commits where somebody removed the directory", async () => {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    put(worktree.path, { "a.txt": "two\n" });
    const made = await all.commit(worktree, "work", author);
    rmSync(worktree.path, { recursive: true });
    expect(await all.open("demo", "t", 1)).toEqual(worktree);
    expect(readFileSync(join(worktree.path, "a.txt"), "utf8")).toBe("two\n");
    expect(await all.commit(worktree, "work", author)).toEqual(made);
  });

  it("opens several at once", async () => {
    const all = workspaces();
    const opened = await Promise.all([1, 2, 3, 4].map((n) => all.open("demo", `t${n}`, 1)));
    expect(new Set(opened.map(({ path }) => path)).size).toBe(4);
    for (const { path } of opened) expect(readFileSync(join(path, "a.txt"), "utf8")).toBe("one\n");
  });

  it("is closed as often as asked; a branch without commits goes, one with commits stays", async () => {
    const all = workspaces();
    const idle = await all.open("demo", "idle", 1);
    const busy = await all.open("demo", "busy", 1);
    put(busy.path, { "a.txt": "two\n" });
    const { head } = await all.commit(busy, "work", author);
    for (const worktree of [idle, busy, idle, busy]) await all.close(worktree);
    expect(git("branch", "--list", "uac/*")).toBe("uac/busy-1");
    expect(git("rev-parse", "uac/busy-1")).toBe(head);
    expect(git("worktree", "list").split("\n")).toHaveLength(1);
    expect(readdirSync(root)).toEqual([]);
  });

  it("is tidied away with all that no open attempt needs: left by a kill at any point", async () => {
    const all = workspaces();
    const [left, open] = [await all.open("demo", "left", 1), await all.open("demo", "open", 2)];
    put(left.path, { "a.txt": "two\n" });
    await all.commit(left, "work", author);
    // Killed after it was written down and before it was made, and one whose folder is gone.
    await all.open("demo", "gone", 1);
    rmSync(join(root, "gone-1"), { recursive: true });
    await workspaces().tidy([{ task: "open", epoch: 2 }]);
    expect(readdirSync(root).toSorted()).toEqual(["open-2", "open-2.json"]);
    expect(git("worktree", "list").split("\n")).toHaveLength(2);
    expect(git("branch", "--list", "--format=%(refname:short)", "uac/*").split("\n")).toEqual(["uac/left-1", open.branch]);
    await workspaces().tidy([]);
    expect(readdirSync(root)).toEqual([]);
  });

  it("says that the files of submodules are not in it", async () => {
    put(repo, { ".gitmodules": "" });
    git("add", "-A");
    git("commit", "-qm", "submodules");
    const warned: string[] = [];
    const log: Log = { debug() {}, info() {}, error() {}, warn: (text) => warned.push(text), with: () => log };
    await workspaces({ log }).open("demo", "t", 1);
    expect(warned).toEqual([expect.stringContaining("has submodules")]);
  });

  it("says what to do where a branch's name is in the way, or a partial clone lacks files", async () => {
    git("branch", "uac");
    const inTheWay = { code: "workspace_failed", message: expect.stringMatching(/called uac is in the way of uac\/t-1\. Rename it/) };
    await expect(workspaces().open("demo", "t", 1)).rejects.toMatchObject(inTheWay);

    git("config", "uploadpack.allowFilter", "true");
    const partial = join(dir, "partial");
    git("clone", "-q", "--filter=blob:none", "--no-checkout", `file://${repo}`, partial);
    const all = workspaces({ workspaces: { partial } });
    const lacks = { code: "workspace_failed", message: expect.stringContaining("is a partial clone, and lacks files") };
    const failure: { message: string } = await all.open("partial", "t", 2).then(
      () => Promise.reject(new Error("it was opened")),
      (error: { message: string }) => error,
    );
    expect(failure).toMatchObject(lacks);
    execSync(/git archive .*/.exec(failure.message)?.[0] ?? "false", { cwd: partial });
    expect(existsSync(join((await all.open("partial", "t", 2)).path, "a.txt"))).toBe(true);
  });

  it("says what is wrong with a workspace", async () => {
    mkdirSync(join(dir, "plain"));
    const inner = join(repo, "src");
    const all = workspaces({ workspaces: { demo: repo, plain: join(dir, "plain"), gone: join(dir, "gone"), inner } });
    const why = (workspace: string, task = "t") =>
      all.open(workspace, task, 1).catch((error: Error & { code: string }) => `${error.code}: ${error.message}`);
    expect(await why("other")).toMatch(/^not_found: .*demo, plain, gone, inner/);
    expect(await why("plain")).toMatch(/^workspace_failed: .*no git checkout/);
    expect(await why("gone")).toMatch(/^workspace_failed: .*not there/);
    expect(await why("inner")).toMatch(/^workspace_failed: .*lies inside/);
    expect(await why("demo", "../../x")).toMatch(/^bad_input/);
    expect(await why("demo", "-x")).toMatch(/^bad_input/);
  });
});

describe("the test command", () => {
  const cases: [string, Record<string, string>, string | null][] = [
    ["npm", { "package.json": '{"scripts":{"test":"vitest"}}' }, "npm test"],
    ["npm's placeholder", { "package.json": '{"scripts":{"test":"echo \\"Error: no test specified\\" && exit 1"}}' }, null],
    ["a broken package.json beside a Makefile", { "package.json": "{", Makefile: "all:\n\ntest: all\n\ttrue\n" }, "make test"],
    ["a Makefile that only sets a variable", { Makefile: "test := 1\n" }, null],
    ["pytest", { "pyproject.toml": "[tool.pytest.ini_options]\n" }, "python3 -m pytest -q"],
    [
      "pytest that the set-up installs",
      { "conftest.py": "", "requirements.txt": "pytest\n" },
      'PATH="$PWD/.venv/bin:$PATH" python3 -m pytest -q',
    ],
    ["Go", { "go.mod": "module x\n" }, "go test ./..."],
    ["Rust", { "Cargo.toml": "[package]\n" }, "cargo test"],
    ["nothing", {}, null],
  ];
  it.each(cases)("is detected: %s", async (_, files, expected) => {
    git("rm", "-q", "package.json");
    put(repo, files);
    git("add", "-A");
    git("commit", "-qm", "tests");
    expect((await workspaces().open("demo", "t", 1)).test).toBe(expected);
  });

  it("is not looked for in a file that never ends", async () => {
    for (const name of ["package.json", "Makefile", "pyproject.toml", "package-lock.json"]) {
      rmSync(join(repo, name), { force: true });
      symlinkSync("/dev/zero", join(repo, name));
    }
    git("add", "-A");
    git("commit", "-qm", "links");
    expect(await workspaces().open("demo", "t", 1)).toMatchObject({ test: null, setup: null });
  });

  it("is the configured one where there is one", async () => {
    expect((await workspaces({ test: { demo: "make check" } }).open("demo", "t", 1)).test).toBe("make check");
  });
});
