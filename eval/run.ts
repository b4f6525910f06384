/** One task through the real coder in the real sandbox, judged by what its commit does to the tests that it never saw. */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Total } from "#core/ledger.ts";
import type { Verdict } from "#core/receipt.ts";
import type { Env } from "#factory/profile.ts";
import type { Sandbox } from "#ports/sandbox.ts";
import { openCode } from "../branch-agent/compose-code.ts";
import { doAlone } from "../branch-agent/solo/task.ts";
import { playing, type Solution } from "../dev/model/oracle.ts";
import { startModel } from "../dev/model/server.ts";
import { changedAmong, checkOut, makeRepository } from "./repository.ts";
import type { EvalTask, TaskFile } from "./task.ts";

/** Who solves it: the environment's model, or the scripted one with the known solution, or with none. */
export type Solver = "model" | "oracle" | "nothing";

export interface Result {
  name: string;
  language: string | null;
  solver: Solver;
  outcome: "passed" | "failed" | "skipped";
  /** Why, for a person. */
  why: string;
  /** Of the coder's own receipt: what the harness says of the tests that it knows. */
  verdict: Verdict | null;
  steps: number;
  usage: Total | null;
  /** The coder's time, ms. */
  wallMs: number;
}

const judgeMs = 5 * 60_000;
const shownTail = 600;
const maxOutput = 64 * 1024;

export interface EvalOptions {
  /** The environment's, for a real model. */
  env: Env;
  /** A folder of this evaluation's own. */
  scratch: string;
  sandbox: Sandbox;
  signal: AbortSignal;
}

/** Rejects only where the evaluation itself can't go on: a sandbox, a disk, a key that is missing. */
export async function runTask(task: EvalTask, solver: Solver, options: EvalOptions): Promise<Result> {
  const none = { name: task.name, language: task.language, solver, verdict: null, steps: 0, usage: null, wallMs: 0 };
  if (solver === "oracle" && !task.oracle) return { ...none, outcome: "skipped", why: "it names no solution that could be played" };
  const folder = join(options.scratch, `${task.name}-${solver}`);
  const repository = join(folder, "repository");
  const base = await makeRepository(repository, task.repository);
  try {
    const missing = await missingPrograms(task, repository, options);
    if (missing.length > 0)
      return { ...none, outcome: "skipped", why: `not here, or not to be seen in the sandbox: ${missing.join(", ")}` };
    const { receipt, ...end } = await solve(task, solver, repository, options);
    const judged = await judge(task, { repository, base, commit: receipt?.head ?? base, folder }, options);
    const { verdict = null, steps = 0, usage = null, wallMs = 0 } = receipt ?? {};
    const ended = end.outcome === "succeeded" ? "" : `; the coder's work ended as ${end.code}: ${end.reason}`;
    const outcome = judged === null ? "passed" : "failed";
    return { ...none, outcome, why: `${judged ?? "the hidden tests pass"}${ended}`, verdict, steps, usage, wallMs };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** By the very composition that `branch-agent code` has. */
async function solve(task: EvalTask, solver: Solver, repository: string, { env, scratch, signal }: EvalOptions) {
  const model = solver === "model" ? null : await startModel({ says: playing(solver === "oracle" ? solutionOf(task) : null) });
  // One home for all: a budget counts what the tasks spend together.
  const home = { UAC_HOME: join(scratch, "home") };
  const key = randomBytes(16).toString("hex");
  const scripted = model && { LLM_PROVIDER: "scripted", SCRIPTED_BASE_URL: model.url, SCRIPTED_API_KEY: key };
  try {
    const code = await openCode(scripted ? { ...scripted, ...home } : { ...env, ...home }, {
      path: repository,
      test: task.test ?? undefined,
    });
    try {
      return await doAlone(code.workshop, {
        task: code.task,
        workspace: code.workspace,
        instruction: task.instruction,
        signal,
        tell: () => undefined,
      });
    } finally {
      await code.close();
    }
  } finally {
    await model?.close();
  }
}

interface Solved {
  repository: string;
  base: string;
  /** What the coder left; the base, where it committed nothing. */
  commit: string;
  folder: string;
}

/** Null if it passes, else why not. */
async function judge(task: EvalTask, { repository, base, commit, folder }: Solved, options: EvalOptions): Promise<string | null> {
  const touched = await changedAmong(repository, base, commit, task.untouched);
  if (touched.length > 0) return `it changed what must stay as it is: ${touched.join(", ")}`;
  const place = join(folder, "judged");
  await checkOut(repository, commit, place, task.hidden);
  const run = await inSandbox(task.judge, place, repository, options);
  if (run.exitCode === 0) return null;
  const how = run.timedOut ? `did not end within ${judgeMs / 1000} s` : `end with ${run.exitCode ?? "a signal"}`;
  return `the hidden tests ${how}: ${run.output.trim().slice(-shownTail)}`;
}

function inSandbox(command: string, worktree: string, repository: string, { sandbox, signal }: Pick<EvalOptions, "sandbox" | "signal">) {
  const scope = { worktree, readOnly: [join(repository, ".git")], masked: [], network: [] };
  return sandbox.run(scope, { command, cwd: worktree, timeoutMs: judgeMs, env: { CI: "true" }, maxOutput, signal });
}

async function missingPrograms({ needs }: EvalTask, repository: string, options: EvalOptions): Promise<string[]> {
  if (needs.length === 0) return [];
  const look = `for program in ${needs.join(" ")}; do command -v "$program" > /dev/null || echo "$program"; done`;
  const { output } = await inSandbox(look, repository, repository, options);
  return output.split("\n").filter((line) => line !== "");
}

/** Of the known solution, what differs from the repository. */
function solutionOf({ repository, oracle, test }: EvalTask): Solution {
  const textOf = (file: TaskFile | null | undefined) => file?.content.toString("utf8") ?? null;
  const files = [...(oracle ?? [])].map(([path, file]) => {
    const before = repository.get(path);
    const executable = file?.executable === true && before?.executable !== true;
    return { path, before: textOf(before), after: textOf(file), executable };
  });
  // Where a file goes, a folder may come.
  return { files: files.toSorted((a, b) => Number(a.after !== null) - Number(b.after !== null)), test };
}
