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
    root = join(dir, "worktrees");
    repo = ownersRepository(dir, {
      "a.txt": "one\n",
      "src/b.ts": "export const b = 1;\n",
      "package.json": '{"scripts":{"test":"node --test"}}\n',
    });
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));
}

/** Makes a repository with one commit in `folder`; its path. */
export function ownersRepository(folder: string, files: Record<string, string>): string {
  const path = join(folder, "repo");
  mkdirSync(path);
  gitIn(path, "init", "-q", "-b", "main");
  gitIn(path, "config", "user.name", "Owner");
  gitIn(path, "config", "user.email", "owner@example.invalid");
  put(path, files);
  gitIn(path, "add", "-A");
  gitIn(path, "commit", "-qm", "first");
  return path;
}

/** Git as the owner runs it in the checkout. */
export const git = (...args: string[]) => gitIn(repo, ...args);

export function gitIn(path: string, ...args: string[]) {
  return execFileSync("git", args, { cwd: path, encoding: "utf8" }).trim();
}

export function put(at: string, files: Record<string, string | Buffer>) {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(at, name)), { recursive: true });
    writeFileSync(join(at, name), content);
  }
}

export const workspaces = (more: Partial<Parameters<typeof gitWorkspaces>[0]> = {}) =>
  gitWorkspaces({ workspaces: { demo: repo }, root, branches: join(dir, "branches"), log: silent, ...more });
