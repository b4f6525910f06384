/** `branch-agent code`: one task by itself, as a person calls it and as a script does. */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { nanosPerUsd } from "#core/ledger.ts";
import { openJournal } from "../../branch-agent/compose-bench.ts";
import { openCode } from "../../branch-agent/compose-code.ts";
import { doAlone } from "../../branch-agent/solo/task.ts";
import { playing, type SolvedFile } from "../../dev/model/oracle.ts";
import { type Model, startModel } from "../../dev/model/server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let dir: string;
let model: Model;
let children: ChildProcess[];

const note: SolvedFile = { path: "note.txt", before: null, after: "done\n", executable: false };
const fixed: SolvedFile = { path: "state", before: "broken\n", after: "well\n", executable: false };

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "uac-code-"));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await model?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A repository whose tests say whether the file `state` holds `well`; without a Makefile it has none. */
function repository(name: string, { tests = true, commit = true } = {}): string {
  const path = join(dir, name);
  mkdirSync(path);
  writeFileSync(join(path, "state"), "broken\n");
  if (tests) writeFileSync(join(path, "Makefile"), "test:\n\t@grep -qx well state\n");
  git(path, "init", "-q", "-b", "main");
  if (commit) {
    git(path, "add", "-A");
    git(path, "commit", "-qm", "first");
  }
  return path;
}

function git(path: string, ...args: string[]): string {
  const config = ["-c", "user.name=o", "-c", "user.email=o@example.invalid"];
  return execFileSync("git", ["-C", path, ...config, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
}

async function knowing(...files: SolvedFile[]) {
  model = await startModel({ says: playing({ files, test: null }) });
}

function env(more: Record<string, string> = {}): Record<string, string> {
  const at = { LLM_PROVIDER: "scripted", SCRIPTED_BASE_URL: model.url, SCRIPTED_API_KEY: "key-of-a-test", UAC_HOME: join(dir, "home") };
  return { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...at, ...more };
}

interface Said {
  code: number | null;
  out: string;
  err: string;
}

function call(args: readonly string[], how: { cwd?: string; env?: Record<string, string>; input?: string } = {}): Promise<Said> {
  return new Promise((resolve) => {
    const options = { cwd: how.cwd ?? dir, env: how.env ?? env() };
    const program = ["--import", join(root, "node_modules/tsx/dist/loader.mjs"), join(root, "branch-agent/index.js"), "code", ...args];
    const child = execFile(process.execPath, program, options, (_, out, err) => resolve({ code: child.exitCode, out, err }));
    children.push(child);
    child.stdin?.end(how.input ?? "");
  });
}

/** Worktrees and folders of runs that are still there. */
function left(path: string): string[] {
  const runs = join(dir, "home", "code", "runs");
  const worktrees = git(path, "worktree", "list", "--porcelain")
    .split("\n")
    .filter((line) => line.startsWith("worktree "));
  return [...worktrees.slice(1), ...(existsSync(runs) ? readdirSync(runs) : [])];
}

it("does the task on a branch of its own, and says what was measured: to a person, and to a script", async () => {
  await knowing(fixed);
  const shop = repository("shop");
  const [person, script] = await Promise.all([
    call(["Make it well."], { cwd: shop }),
    call(["-", "--workspace", "shop", "--json"], { input: "Make it well.\n\nThe file is called state.\n" }),
  ]);
  expect(person).toMatchObject({ code: 0, out: expect.stringContaining("verdict  verified") });
  const branch = /git merge (uac\/code_\w+-1)/.exec(person.out)?.[1] ?? "";
  expect(git(shop, "show", `${branch}:state`)).toBe("well");
  expect(person.out).toMatch(/spent {4}\S+, [\d,]+ tokens, 3 steps/);
  expect(person.err).toMatch(/edit state[\s\S]*committed: .*: 1 file; the tests run now\n/);
  expect(person.err).not.toContain("\u001b");

  const report = JSON.parse(script.out);
  expect(script).toMatchObject({ code: 0, out: expect.stringMatching(/^[^\n]+\n$/) });
  expect(report).toMatchObject({ ok: true, tested: true, outcome: "succeeded", repository: shop });
  expect(report.receipt).toMatchObject({ verdict: "verified", testsBefore: { exitCode: 2 }, testsAfter: { exitCode: 0 }, steps: 3 });
  expect(report.receipt.branch).not.toBe(branch);
  expect(model.requests.find(({ body }) => JSON.stringify(body).includes("The file is called state."))).toBeDefined();

  // The owner's checkout is as it was, and nothing else is left.
  expect(git(shop, "status", "--porcelain")).toBe("");
  expect(left(shop)).toEqual([]);
});

it("exits 0 without tests, and says so; 1 where tests fail, or nothing was changed", async () => {
  await knowing(note);
  const [untested, failing] = [repository("untested", { tests: false }), repository("failing")];
  const results = await Promise.all([
    call(["Write a note."], { cwd: untested }),
    call(["Write a note.", "--workspace", failing, "--json"]),
    call(["Write a note.", "--workspace", untested, "--test", "test ! -e note.txt", "--json"]),
    call(["Write a note.", "--workspace", failing]),
  ]);
  expect(results.map(({ code }) => code)).toEqual([0, 1, 1, 1]);
  expect(results[3]?.out).toMatch(/^done, but not verified: the tests failed before and still fail\n/);
  expect(results[0]?.out).toContain("succeeded: the repository names no tests that could be run");
  expect(JSON.parse(results[1]?.out ?? "")).toMatchObject({ ok: false, outcome: "succeeded", receipt: { verdict: "unverified" } });
  expect(JSON.parse(results[2]?.out ?? "")).toMatchObject({ ok: false, outcome: "failed", receipt: { verdict: "regressed" } });
});

it("says in a sentence what it lacks: a repository, a commit, a key, an instruction, a directory", async () => {
  await knowing(note);
  const bare = repository("bare", { commit: false });
  const shop = repository("shop");
  mkdirSync(join(dir, "empty"));
  const outside = { ...env(), GIT_CEILING_DIRECTORIES: dir };
  execFileSync("git", ["clone", "-q", "--bare", shop, join(dir, "shop.git")], { stdio: "ignore" });
  const [none, uncommitted, keyless, empty, missing, usage, file, gitDir, unset, scripted, near, inside] = await Promise.all([
    call(["Do it."], { cwd: join(dir, "empty"), env: outside }),
    call(["Do it."], { cwd: bare }),
    call(["Do it.", "--json"], { cwd: shop, env: env({ LLM_PROVIDER: "anthropic" }) }),
    call(["-"], { cwd: shop, input: " \n" }),
    call(["Do it.", "--workspace", "nowhere"]),
    call([], { cwd: shop }),
    call(["Do it.", "--workspace", join(shop, "state")]),
    call(["Do it."], { cwd: join(dir, "shop.git") }),
    call(["Do it.", "--test", "", "--json"], { cwd: shop }),
    call(["--json"], { cwd: shop }),
    call(["Do it."], { cwd: shop, env: env({ UAC_HOME: ".uac" }) }),
    call(["Do it."], { cwd: shop, env: env({ UAC_HOME: join(shop, ".uac") }) }),
  ]);
  expect(none).toMatchObject({ code: 1, out: "", err: expect.stringContaining("lies in no git repository") });
  expect(uncommitted).toMatchObject({
    code: 1,
    out: expect.stringContaining("has no commit to start from. Commit something in it first."),
  });
  expect(keyless).toMatchObject({ code: 2, err: expect.stringContaining("ANTHROPIC_API_KEY") });
  expect(JSON.parse(keyless.out)).toMatchObject({
    ok: false,
    error: { code: "bad_config", message: expect.stringContaining("ANTHROPIC_API_KEY") },
  });
  expect(empty).toMatchObject({ code: 2, err: expect.stringContaining("The instruction is empty") });
  expect(missing).toMatchObject({ code: 2, err: expect.stringContaining(`There is no directory ${join(dir, "nowhere")}`) });
  expect(usage).toMatchObject({ code: 2, err: expect.stringContaining("missing required argument 'instruction'") });
  expect(file).toMatchObject({ code: 2, err: expect.stringContaining(`There is no directory ${join(shop, "state")}`) });
  expect(gitDir).toMatchObject({ code: 1, err: expect.stringContaining("is git's own directory, without a checkout") });
  expect(unset).toMatchObject({ code: 2, err: expect.stringContaining("--test is empty") });
  expect(JSON.parse(unset.out)).toMatchObject({ ok: false, error: { code: "bad_input" } });
  expect(near).toMatchObject({ code: 2, err: expect.stringContaining("UAC_HOME must be an absolute path") });
  expect(inside).toMatchObject({ code: 2, err: expect.stringContaining(`lies in the repository ${shop}`) });
  expect(readdirSync(shop)).not.toContain(".uac");
  expect(scripted).toMatchObject({ code: 2, err: expect.stringContaining("missing required argument") });
  expect(JSON.parse(scripted.out)).toEqual({ ok: false, error: { code: "bad_input", message: "missing required argument 'instruction'" } });
  expect(model.requests).toHaveLength(0);
});

it("prints the diff where nothing may be committed, since it is all that is left", async () => {
  await knowing({ path: "note.txt", before: null, after: "a\ttab, a \u001b[31mcolour\n", executable: false });
  const shop = repository("shop", { tests: false });
  const { out } = await call(["Write a note."], { cwd: shop, env: env({ ENABLE_GIT: "false" }) });
  expect(out).toContain("the diff is the result");
  expect(out).toMatch(/\+\+\+ b\/note\.txt\n@@ -0,0 \+1 @@\n\+a\ttab, a \u{fffd}\[31mcolour\n$/u);
  expect(git(shop, "branch", "--list", "uac/*")).toBe("");
});

it("tells how to take what started with uncommitted changes: in the checkout that still has them", async () => {
  await knowing({ path: "state", before: "well\n", after: "well\nand good\n", executable: false });
  const shop = repository("shop", { tests: false });
  writeFileSync(join(shop, "state"), "well\n");
  const { code, out, err } = await call(["Make it good.", "--with-edits"], { cwd: shop });
  expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining("on uac/") });
  expect(out).toContain("1 file that was not committed");
  expect(err).toMatch(/committed: .*: 1 file\n/);
  const take = /^take it +(.+)$/m.exec(out)?.[1] ?? "";
  execFileSync("sh", ["-c", take], { cwd: shop });
  expect(readFileSync(join(shop, "state"), "utf8")).toBe("well\nand good\n");
});

/** A run that goes on while the test looks. */
function begin(cwd: string, more: Record<string, string> = {}) {
  const program = ["--import", join(root, "node_modules/tsx/dist/loader.mjs"), join(root, "branch-agent/index.js")];
  const child = spawn(process.execPath, [...program, "code", "Write a note."], { cwd, env: env(more), stdio: "ignore" });
  children.push(child);
  return child;
}

it("ends in good order when it is interrupted; what a kill left is cleared away by the next run, and what still runs is not", async () => {
  await knowing(note);
  const shop = repository("shop");
  model.behave("slow:600000");
  const [interrupted, killed, living] = [begin(shop), begin(shop), begin(shop)];
  await expect.poll(() => model.requests.length, { timeout: 50_000 }).toBe(3);
  expect(left(shop)).toHaveLength(6);

  interrupted.kill("SIGINT");
  expect(await once(interrupted, "exit")).toEqual([130, null]);
  expect(left(shop)).toHaveLength(4);
  killed.kill("SIGKILL");
  await once(killed, "exit");
  expect(left(shop)).toHaveLength(4);

  model.behave("honest");
  expect((await call(["Write a note."], { cwd: shop })).code).toBe(1);
  expect(left(shop)).toHaveLength(2);
  living.kill("SIGINT");
  await once(living, "exit");
  expect(left(shop)).toEqual([]);
  // Of four runs one has left a branch: the one that committed.
  expect(git(shop, "branch", "--list", "uac/*").split("\n")).toHaveLength(1);
});

it("a second interruption ends it at once, whatever still hangs; the next run clears up", async () => {
  await knowing(note);
  const shop = repository("shop");
  // A git that hangs at clearing up while the file is there.
  const hangs = join(dir, "hangs");
  mkdirSync(join(dir, "bin"));
  const script = `#!/bin/sh\ncase "$*" in *"worktree remove"*) while [ -e ${hangs} ]; do sleep 0.1; done ;; esac\nPATH=$REAL_PATH exec git "$@"\n`;
  const real = process.env.PATH ?? "";
  writeFileSync(join(dir, "bin", "git"), script.replace("$REAL_PATH", real), { mode: 0o755 });
  model.behave("slow:600000");
  const child = begin(shop, { PATH: `${join(dir, "bin")}:${real}` });
  await expect.poll(() => model.requests.length, { timeout: 30_000 }).toBe(1);
  writeFileSync(hangs, "");
  // What comes within half a second of the first is its echo.
  const insist = () => {
    child.kill("SIGINT");
    return child.exitCode;
  };
  await expect.poll(insist, { timeout: 30_000 }).toBe(130);
  rmSync(hangs);
  model.behave("honest");
  expect((await call(["Write a note."], { cwd: shop })).code).toBe(1);
  expect(left(shop)).toEqual([]);
});

it("what may be spent holds over runs: one that comes to its end there ends, since nobody can be asked", async () => {
  await knowing(note);
  const shop = repository("shop", { tests: false });
  const run = async (more: Record<string, string>) => {
    const code = await openCode(env(more), { path: shop });
    const told: string[] = [];
    try {
      const of = { task: code.task, workspace: code.workspace, instruction: "Write a note.", signal: new AbortController().signal };
      return { told, outcome: await doAlone(code.workshop, { ...of, tell: (kind, _, text) => told.push(`${kind}: ${text}`) }) };
    } finally {
      await code.close();
    }
  };
  const first = await run({});
  expect(first.outcome).toMatchObject({ outcome: "succeeded", receipt: { usage: { calls: 2, unpriced: 0 } } });
  const spent = (first.outcome.receipt?.usage?.cost ?? 0) / nanosPerUsd;
  const second = await run({ BUDGETS: `vp coder day $${(spent + 0.0001).toFixed(6)}` });
  expect(second.outcome).toMatchObject({ outcome: "failed", code: "cost_limit", reason: expect.stringContaining("budget of") });
  expect(second.told.filter((line) => line.startsWith("paused"))).toHaveLength(1);
  expect(model.requests).toHaveLength(2);

  // Both are over in the journal, and everything spent is told.
  const journal = await openJournal(join(dir, "home", "code"));
  expect([await journal.open(), await journal.untold(9), await journal.unsent(9)]).toEqual([[], [], []]);
  expect(await journal.spent(first.outcome.task, 1)).toHaveLength(2);
  await journal.close();
});

it("a model that is named for this once, and a workspace's own settings", async () => {
  await knowing(fixed);
  const shop = repository("shop", { tests: false });
  const known = env({ WORKSPACES: `till=${shop}`, WORKSPACE_TESTS: "till=grep -qx well state" });
  const { code, out } = await call(["Make it well.", "--model", "scripted:qwen3:8b", "--json"], { cwd: shop, env: known });
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ tested: true, receipt: { testsAfter: { command: "grep -qx well state", exitCode: 0 } } });
  expect(new Set(model.requests.map(({ body }) => body.model))).toEqual(new Set(["qwen3:8b"]));
});
