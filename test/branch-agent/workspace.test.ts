/** Real git: the owner's checkout stays as it was, and nothing that a repository or a model names runs on the host. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Log } from "#ports/log.ts";
import type { Worktree } from "#ports/workspace.ts";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { sandboxEnvironment } from "../../branch-agent/sandbox/environment.ts";
import { gitWorkspaces } from "../../branch-agent/workspace/worktrees.ts";

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent };
const author = { name: "Lisa", email: "lisa@factory.invalid" };
const bytes6mb = 6 * 1024 ** 2;

let dir: string;
let repo: string;
let root: string;

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "workspace-test-")));
  repo = join(dir, "repo");
  root = join(dir, "worktrees");
  mkdirSync(repo);
  git("init", "-q", "-b", "main");
  git("config", "user.name", "Owner");
  git("config", "user.email", "owner@example.invalid");
  put(repo, { "a.txt": "one\n", "src/b.ts": "export const b = 1;\n", "package.json": '{"scripts":{"test":"node --test"}}\n' });
  git("add", "-A");
  git("commit", "-qm", "first");
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

function git(...args: string[]) {
  return execFileSync("git", args, { cwd: repo, encoding: "utf8" }).trim();
}

function put(at: string, files: Record<string, string | Buffer>) {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(at, name)), { recursive: true });
    writeFileSync(join(at, name), content);
  }
}

const workspaces = (more: Partial<Parameters<typeof gitWorkspaces>[0]> = {}) =>
  gitWorkspaces({ workspaces: { demo: repo }, root, log: silent, ...more });

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
      gitDir: join(repo, ".git"),
      base: git("rev-parse", "HEAD"),
      branch: "uac/task_1-2",
      test: "npm test",
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
    const made = await all.commit(worktree, "Do it\n\nBecause.", author);
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
    expect(made.diffstat.text).toMatch(/left out as artefacts: .*dist\//);
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
});

describe("what a repository names", () => {
  const trap = (name: string) => `touch "${join(dir, `ran-${name}`)}"`;
  const ran = () => readdirSync(dir).filter((name) => name.startsWith("ran-"));

  async function fullRound(before?: (worktree: Worktree) => void) {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    put(worktree.path, { "a.txt": "two\n", "new.txt": "n\n" });
    before?.(worktree);
    const made = await all.commit(worktree, "work", author);
    await all.open("demo", "t", 1);
    await all.close(worktree);
    return made;
  }

  it("runs no filter, whichever the attributes choose", async () => {
    put(repo, { ".gitattributes": "*.txt filter=evil.one diff=show\n" });
    git("add", "-A");
    git("commit", "-qm", "attributes");
    for (const part of ["clean", "smudge"]) git("config", `filter.evil.one.${part}`, `${trap(part)}; cat`);
    git("config", "filter.evil.one.process", trap("process"));
    git("config", "filter.evil.one.required", "true");
    git("config", "filter.Other=x.clean", `${trap("other")}; cat`);
    git("config", "diff.show.textconv", `${trap("textconv")}; cat`);
    git("config", "diff.show.command", trap("command"));
    git("config", "diff.external", trap("external"));
    const made = await fullRound((worktree) =>
      put(worktree.path, { "sub/.gitattributes": "* filter=Other=x diff=show\n", "sub/x": "1\n" }),
    );
    expect(made.patch).toContain("+two\n");
    expect(ran()).toEqual([]);
  });

  it("runs no hook, monitor, pager, editor or signer", async () => {
    const hooks = [
      "post-checkout",
      "pre-commit",
      "commit-msg",
      "prepare-commit-msg",
      "post-commit",
      "reference-transaction",
      "post-index-change",
    ];
    const hooked = join(repo, ".git", "hooks");
    mkdirSync(hooked, { recursive: true });
    for (const hook of hooks) {
      writeFileSync(join(hooked, hook), `#!/bin/sh\n${trap(hook)}\n`);
      chmodSync(join(hooked, hook), 0o755);
    }
    writeFileSync(join(dir, "program"), `#!/bin/sh\n${trap("program")}\n`);
    chmodSync(join(dir, "program"), 0o755);
    for (const key of ["core.fsmonitor", "core.pager", "core.editor", "gpg.program", "core.sshCommand", "core.alternateRefsCommand"]) {
      git("config", key, join(dir, "program"));
    }
    git("config", "commit.gpgSign", "true");
    git("config", "hook.named.command", trap("named"));
    git("config", "hook.named.event", "reference-transaction");
    await fullRound();
    expect(ran()).toEqual([]);
    // The trap itself works.
    execFileSync(join(dir, "program"));
    expect(ran()).toEqual(["ran-program"]);
  });

  it("takes no configuration from the machine or the environment", async () => {
    const home = join(dir, "home");
    put(home, {
      ".gitconfig": `[core]\n\thooksPath = ${join(dir, "h")}\n[filter "home"]\n\tclean = ${trap("home")}\n`,
      ".config/git/attributes": "* filter=home\n",
    });
    const saved = { ...process.env };
    Object.assign(process.env, {
      HOME: home,
      GIT_DIR: "/nowhere",
      GIT_INDEX_FILE: join(dir, "ran-index"),
      GIT_EXTERNAL_DIFF: trap("diff"),
    });
    try {
      expect((await fullRound()).head).toMatch(/^[0-9a-f]{40}$/);
    } finally {
      for (const key of ["HOME", "GIT_DIR", "GIT_INDEX_FILE", "GIT_EXTERNAL_DIFF"]) {
        if (saved[key] === undefined) delete process.env[key];
        else process.env[key] = saved[key];
      }
    }
    expect(ran()).toEqual([]);
  });

  it("follows no link out of the worktree", async () => {
    put(dir, { secret: "canary-in-a-file" });
    const made = await fullRound((worktree) => symlinkSync(join(dir, "secret"), join(worktree.path, "link")));
    expect(made.patch).toContain(`+${join(dir, "secret")}`);
    expect(made.patch).not.toContain("canary-in-a-file");
  });

  it("is out of reach from the sandbox: no hook, no config, no commit, and git still answers", async () => {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    const result = await bubblewrap().run(
      { worktree: worktree.path, readOnly: [worktree.gitDir], masked: [], network: [] },
      {
        command: `git log -1 --format=%s; git status --short; git grep -c one; echo two > a.txt; git diff --stat | tail -1;
          git commit -qam mine; git config core.hooksPath /tmp; git worktree prune; echo x > ${worktree.gitDir}/hooks/post-checkout; rm -rf ${worktree.gitDir}/refs; true`,
        cwd: worktree.path,
        timeoutMs: 20_000,
        env: sandboxEnvironment,
        maxOutput: 10_000,
      },
    );
    expect(result.output).toMatch(/^first\na\.txt:1\n 1 file changed/);
    expect(git("rev-parse", "uac/t-1")).toBe(worktree.base);
    expect(git("config", "--list", "--local")).not.toContain("hookspath");
    expect(existsSync(join(worktree.gitDir, "hooks/post-checkout"))).toBe(false);
    expect((await all.commit(worktree, "work", author)).diffstat).toMatchObject({ files: 1, insertions: 1 });
  });
});

describe("the test command", () => {
  const cases: [string, Record<string, string>, string | null][] = [
    ["npm", { "package.json": '{"scripts":{"test":"vitest"}}' }, "npm test"],
    ["npm's placeholder", { "package.json": '{"scripts":{"test":"echo \\"Error: no test specified\\" && exit 1"}}' }, null],
    ["a broken package.json beside a Makefile", { "package.json": "{", Makefile: "all:\n\ntest: all\n\ttrue\n" }, "make test"],
    ["a Makefile that only sets a variable", { Makefile: "test := 1\n" }, null],
    ["pytest", { "pyproject.toml": "[tool.pytest.ini_options]\n" }, "python3 -m pytest -q"],
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

  it("is the configured one where there is one", async () => {
    expect((await workspaces({ test: { demo: "make check" } }).open("demo", "t", 1)).test).toBe("make check");
  });
});
