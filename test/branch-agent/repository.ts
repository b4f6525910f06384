/** A repository of an owner's, and workspaces on it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import type { Log } from "#ports/log.ts";
import { gitWorkspaces } from "../../branch-agent/workspace/worktrees.ts";

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent };
export const author = { name: "Lisa", email: "lisa@factory.invalid" };
/** Of the running test. */
export let dir: string;
export let repo: string;
export let root: string;

/** Every test of the file gets a repository of its own, `repo`, and a place for worktrees, `root`. */
export function eachInARepository() {
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
}

/** Git as the owner runs it in the checkout. */
export function git(...args: string[]) {
  return execFileSync("git", args, { cwd: repo, encoding: "utf8" }).trim();
}

export function put(at: string, files: Record<string, string | Buffer>) {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(at, name)), { recursive: true });
    writeFileSync(join(at, name), content);
  }
}

export const workspaces = (more: Partial<Parameters<typeof gitWorkspaces>[0]> = {}) =>
  gitWorkspaces({ workspaces: { demo: repo }, root, branches: join(dir, "branches"), log: silent, ...more });
