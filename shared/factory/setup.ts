/**
 * Makes a worktree ready for work: the workspace's set-up runs once, before the tests at base, in the sandbox with that workspace's own
 * hosts, and only if the owner approved exactly this command with exactly these hosts. Until then the run stands still, over restarts too;
 * headquarters hears of it by the next heartbeat, and asks.
 */
import { standing } from "#core/control.ts";
import { hasCode, publicMessage } from "#core/errors.ts";
import { type SetupRun, setupRunSchema } from "#core/receipt.ts";
import { type Setup, type SetupAsked, setupAskedSchema, showSetup } from "#core/setup.ts";
import { attemptFact, type Journal } from "#ports/journal.ts";
import type { Bench } from "./bench.ts";
import type { Workshop } from "./branch.ts";
import type { Heed } from "./heed.ts";
import { setupDigest } from "./setup-digest.ts";
import { showSetupRun } from "./setup-words.ts";
import type { Test } from "./test-runs.ts";

const tailChars = 3500;
const toldChars = 1500;

interface Approval {
  given: boolean;
  by: string;
}

/** What a run waits for the owner to approve; null: nothing. */
export async function awaitedBy(journal: Pick<Journal, "get">, attempt: { task: string; epoch: number }): Promise<SetupAsked | null> {
  const kept = await journal.get(attemptFact("approval", attempt));
  const asked = setupAskedSchema.nullable().safeParse(kept === null ? null : JSON.parse(kept));
  // What another version noted must keep no heartbeat from being sent.
  return asked.success ? asked.data : null;
}

/** What became of the set-up; the same after a restart. Null where the workspace has none, or the run is to end. */
export async function setUp(deps: Workshop, bench: Bench, test: Test, owner: Pick<Heed, "rest">): Promise<SetupRun | null> {
  const { journal } = deps;
  const { order, grant, worktree, assigned, record } = bench;
  const { setup } = worktree;
  if (!setup) return null;
  const key = attemptFact("setup", order);
  const kept = await journal.get(key);
  if (kept !== null) return setupRunSchema.parse(JSON.parse(kept));

  const digest = await setupDigest(deps.self, setup);
  const approval = await approvalOf(deps, bench, { ...setup, digest }, owner);
  if (grant.signal.aborted || !approval) return null;
  const run: SetupRun = {
    ...(approval.given ? await runSetup(deps, bench, setup, test) : { ...nothingRan, state: "declined" }),
    ...{ command: setup.command, hosts: setup.hosts, digest, by: approval.by.slice(0, 100) },
  };
  // Cut short by a stop, or by a kill: the next start of this attempt runs it anew.
  if (grant.signal.aborted) return null;
  await journal.set(key, JSON.stringify(run));
  record("started", assigned.persona, `set-up: ${showSetupRun(run)}`);
  return run;
}

async function approvalOf(deps: Workshop, { order, grant }: Bench, asked: SetupAsked, owner: Pick<Heed, "rest">): Promise<Approval | null> {
  const { journal } = deps;
  const lasting = `approved-setup:${asked.digest}`;
  let approval: Approval | null = null;

  async function look() {
    const before = await journal.get(lasting);
    if (before !== null) approval = { given: true, by: before };
    const said = standing(await journal.controls(order.task, order.epoch)).approvals.findLast(({ digest }) => digest === asked.digest);
    if (said) approval = { given: said.allow !== "never", by: said.by };
    if (said?.allow === "always") await journal.set(lasting, said.by);
    return approval !== null;
  }

  if (await look()) return approval;
  if (grant.alone) return { given: grant.alone.approves, by: grant.alone.approves ? "whoever gave the order" : "nobody approved it" };
  const waits = attemptFact("approval", order);
  await journal.set(waits, JSON.stringify(asked));
  await owner.rest(`waits for the owner's word on its set-up: ${showSetup(asked)}`, look);
  // A factory that goes down meanwhile asks again at its next start.
  if (approval !== null) await journal.set(waits, "null");
  return approval;
}

const nothingRan = { exitCode: null, durationMs: 0, tail: "" };

async function runSetup(deps: Workshop, { worktree, grant }: Bench, { command, hosts }: Setup, { scope, timeoutMs }: Test) {
  try {
    const run = await deps.sandbox.run(
      { ...scope, network: hosts },
      { command, cwd: worktree.path, timeoutMs, env: { CI: "true" }, maxOutput: 64 * 1024, signal: grant.signal },
    );
    const late = run.timedOut ? `\n[stopped after ${timeoutMs / 1000} s]` : "";
    const tail = (deps.redactor.clean(run.output) + late).slice(-tailChars);
    return { state: "ran" as const, exitCode: run.exitCode, durationMs: run.durationMs, tail };
  } catch (error) {
    if (!hasCode(error, "sandbox_unavailable")) throw error;
    return { ...nothingRan, state: "impossible" as const, tail: publicMessage(error).slice(0, tailChars) };
  }
}

/** What whoever works here must know of it; nothing where all is ready. The same words after a restart. */
export function noteOnSetup(run: SetupRun | null): string {
  if (!run || run.exitCode === 0) return "";
  const end = run.state === "ran" ? `\n${run.tail.slice(-toldChars)}` : "";
  return `\n\n[The worktree is not set up, so dependencies may be missing: ${showSetupRun(run)}]${end}`;
}

/** As the receipt names it. */
export function approvalsOf(run: SetupRun | null): string[] {
  return run && run.state !== "declined" ? [`setup ${run.digest.slice(0, 12)} by ${run.by}`.slice(0, 64)] : [];
}
