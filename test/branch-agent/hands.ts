/** The coder's tools at work in a worktree. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import type { Hands } from "#factory/branch.ts";
import type { Tool, ToolResult } from "#ports/tool.ts";
import type { Worktree } from "#ports/workspace.ts";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { coderHands } from "../../branch-agent/tools/coder-hands.ts";
import type { CoderContext } from "../../branch-agent/tools/context.ts";

export const secret = `s3cr3t-${process.pid}`;
export let dir: string;
export let root: string;
export let worktree: Worktree;
/** What the tools told since the test began. */
export let ran: { command: string; exitCode: number | null; durationMs: number }[];
let calls = 0;

/** The file's tests share one worktree. */
export function inAWorktree() {
  beforeAll(() => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), "tools-test-")));
    const repo = join(dir, "repo");
    root = join(dir, "worktree");
    mkdirSync(repo);
    const git = (...args: string[]) =>
      execFileSync("git", ["-C", repo, "-c", "user.name=o", "-c", "user.email=o@example.invalid", ...args]);
    git("init", "-q");
    git("commit", "-q", "--allow-empty", "-m", "first");
    git("worktree", "add", "-q", root);
    worktree = {
      path: root,
      gitDir: join(repo, ".git"),
      workspace: "demo",
      base: "",
      branch: "",
      uncommitted: 0,
      into: null,
      replayed: null,
      test: null,
      setup: null,
    };
    writeFileSync(join(dir, "outside.txt"), "outside\n");
  });

  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  beforeEach(() => {
    ran = [];
  });
}

export function put(files: Record<string, string | Buffer>) {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
}
export const disk = (name: string) => readFileSync(join(root, name), "utf8");

export const everyTool = ["read", "edit", "apply_patch", "write", "bash", "job", "grep", "glob"];

/** A run's hands, in the worktree of the file's tests. */
export function handsHere(more: Partial<CoderContext> = {}): Hands {
  return coderHands({
    names: everyTool,
    seesImages: true,
    worktree,
    sandbox: bubblewrap(),
    scope: { worktree: root, readOnly: [worktree.gitDir], masked: [join(root, "masked.env"), join(root, "vault")], network: [] },
    allowed: ["read", "write", "exec", "commit"],
    redact: (text) => text.replaceAll(secret, "[SECRET]"),
    logDir: join(dir, "logs"),
    ran: async (run) => void ran.push(run),
    ...more,
  });
}

/** A run's tools, called as the agent loop does. */
export function hands(more: Partial<CoderContext> = {}, { signal = new AbortController().signal, shown = new Set<string>() } = {}) {
  const { tools, close, news } = handsHere(more);
  const work = async (name: string, input: unknown): Promise<ToolResult> => {
    const tool = tools.find((candidate) => candidate.name === name) as Tool;
    const stillShown = (what: string) => shown.has(what);
    const result = await tool.run(tool.input.parse(input), { key: `run:${++calls}`, signal, stillShown });
    if (result.shows) shown.add(result.shows);
    return result;
  };
  /** As a compaction does: what was shown is before the model's eyes no more. */
  return Object.assign(work, { forget: () => shown.clear(), shown, close, news });
}

export const refusal = (about: string | RegExp) => ({ isError: true, content: expect.stringMatching(about) });
