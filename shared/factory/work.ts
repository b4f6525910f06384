/** A VP does the work: worktree, agent loop, commit by the host, tests by the harness, receipt. */
import { limitBudgets } from "#core/budget.ts";
import type { Order, Progress, Result } from "#core/envelope.ts";
import { hasCode, publicMessage } from "#core/errors.ts";
import type { Total } from "#core/ledger.ts";
import { narrower } from "#core/limits.ts";
import { type CommandRun, commandRunSchema, judge, type Receipt, type TestRun, testRunSchema } from "#core/receipt.ts";
import { type Attempt, attemptFact } from "#ports/journal.ts";
import type { SandboxScope } from "#ports/sandbox.ts";
import type { Changes, Worktree } from "#ports/workspace.ts";
import { staffIn } from "#staff/roster.ts";
import { type AgentEnd, runAgent } from "./agent-loop.ts";
import type { Branch, Grant } from "./branch.ts";
import { openCap } from "./cap.ts";
import { finishTool } from "./finish.ts";
import { heed } from "./heed.ts";
import { type Assignment, assign } from "./lead.ts";
import { type Meter, metering, under } from "./metering.ts";

/** A test run may take this long, but never longer than the whole work may; it keeps so much of what it prints. */
const testTimeoutMs = 10 * 60_000;
const testTailChars = 3500;
const logChars = 15_000;
const maxCommandsTold = 400;
/** Longer than a call of a model may take at a branch's gateway. */
const callLeaseMs = 2 * 3_600_000;

/** Told of every step, in order. Lossy: nobody waits for it. */
export type Tell = (kind: Progress["kind"], persona: string, text: string) => void;

type Outcome = Omit<Result, "usages">;

/** Works an attempt to its end. Resolves with a result whatever happens, and leaves its worktree to whoever called; rejects only if the journal fails. */
export async function work(deps: Branch, attempt: Attempt, grant: Grant, tell: Tell): Promise<Outcome> {
  const { order } = attempt;
  const log: string[] = [];
  const record: Tell = (kind, persona, text) => {
    const clean = deps.redactor.clean(text).slice(0, 500);
    log.push(`${new Date(deps.clock.now()).toISOString()} ${persona} ${kind}: ${clean}`);
    tell(kind, persona, clean);
  };
  const end = (outcome: Outcome["outcome"], code: string, reason: string, more: Partial<Outcome> = {}): Outcome => ({
    task: order.task,
    epoch: order.epoch,
    outcome,
    code,
    reason: deps.redactor.clean(reason).slice(0, 2000),
    persona: deps.profile.personas.primary,
    receipt: null,
    log: log.join("\n").slice(-logChars),
    ...more,
    summary: deps.redactor.clean(more.summary ?? "").slice(0, 8000),
  });

  let assigned: Assignment;
  let worktree: Worktree;
  try {
    assigned = assign(order, deps.profile);
    record("routed", deps.profile.personas.primary, `gave it to ${assigned.persona}: ${assigned.reason}`);
    worktree = await deps.workspaces.open(workspaceOf(deps, order), order.task, order.epoch);
  } catch (error) {
    return end("failed", "not_started", publicMessage(error));
  }
  try {
    return await atTheBench(deps, { order, grant, assigned, worktree, record, end });
  } catch (error) {
    // Without its journal the factory can't report either: the attempt goes on when the journal is back.
    if (hasCode(error, "store_unavailable")) throw error;
    deps.log.error("the work broke off", { task: order.task, epoch: order.epoch, error });
    return end("failed", "broke_off", `The work broke off: ${publicMessage(error)}`, { persona: assigned.persona });
  }
}

function workspaceOf(deps: Branch, order: Order): string {
  if (order.workspace !== null) return order.workspace;
  const names = deps.workspaces.names();
  return names.length === 1 && names[0] ? names[0] : "";
}

interface Bench {
  order: Order;
  grant: Grant;
  assigned: Assignment;
  worktree: Worktree;
  record: Tell;
  end(outcome: Outcome["outcome"], code: string, reason: string, more?: Partial<Outcome>): Outcome;
}

async function atTheBench(deps: Branch, bench: Bench): Promise<Outcome> {
  const { clock, profile, journal } = deps;
  const { order, grant, assigned, worktree, record } = bench;
  const { persona, seat } = assigned;
  const startedAt = await begunAt(deps, order);
  const scope: SandboxScope = { worktree: worktree.path, readOnly: [worktree.gitDir], masked: [], network: grant.token.net };
  const mayRun = grant.token.act.includes("exec");
  const { commands, ran } = await commandsOf(deps, order);

  const limits = narrower(grant.token.lim, narrower(order.limits, profile.limits));
  const test: Test = { scope, timeoutMs: Math.min(testTimeoutMs, limits.wallS * 1000) };

  record("started", persona, `works in ${worktree.branch}, from ${worktree.base.slice(0, 12)}${withoutEdits(worktree)}`);
  const before = mayRun ? await testsAtBase(deps, bench, test) : null;

  const staff = staffIn(seat);
  const { task, epoch } = order;
  const cap = await openCap(journal, order);
  const ofTask = limitBudgets({ kind: "task", of: task, epoch }, limits);
  const bounds = () => cap.raised([...ofTask, ...deps.allowances.bounds(seat, clock.now())], clock.now());
  const meter = metering(
    { ...deps, spending: journal, leaseMs: callLeaseMs },
    { task, epoch, factory: deps.self, persona, seat, bounds, spent: await journal.spent(task, epoch) },
  );
  const tools = deps.toolsFor({
    task,
    epoch,
    worktree,
    sandbox: deps.sandbox,
    scope,
    allowed: grant.token.act,
    names: staff.tools,
    ran,
  });
  const owner = await heed(deps, order, grant, (kind, text) => record(kind, persona, text));
  const inference = await deps.inferenceFor(seat, meter);
  const agent = await runAgent({
    system: staff.prompt({ persona, factory: profile.name, worktree: worktree.path, test: worktree.test }),
    preface: [],
    prompt: `${order.title}\n\n${order.instruction}`,
    tools: [...tools, finishTool],
    transcript: journal.transcript(order.task, order.epoch),
    llm: cap.through(under(meter, inference.llm)),
    spent: meter.total,
    limits,
    deadline: () => startedAt + limits.wallS * 1000 + owner.stoodStill(),
    clock,
    signal: grant.signal,
    mayAnswer: false,
    key: `${order.task}-${order.epoch}`,
    async between(entries) {
      const heard = await owner.between(entries);
      await cap.hear();
      return heard;
    },
    atCap: (error) => cap.atCap(error, meter, owner),
    endedBy: cap.endedBy,
    onStep: (_, text) => record("step", persona, text),
  }).finally(inference.close);
  if (agent.kind === "stopped" && agent.code === "interrupted") return interrupted(bench, agent.reason);

  const changes = await commit(deps, bench);
  if (changes.head) record("committed", persona, `${changes.head.slice(0, 12)} on ${worktree.branch}: ${changes.diffstat.files} files`);
  const after = mayRun && changes.diffstat.files > 0 ? await runTests(deps, bench, test) : null;
  if (grant.signal.aborted) return interrupted(bench, String(grant.signal.reason));

  const receipt: Receipt = {
    ...verdictOf(before, after, changes, mayRun),
    base: worktree.base,
    branch: changes.head ? worktree.branch : null,
    ...changes,
    commands,
    testsBefore: before,
    testsAfter: after,
    steps: agent.steps,
    usage: spentOf(meter),
    wallMs: Math.max(0, clock.now() - startedAt - owner.stoodStill()),
    limitsHit: agent.kind === "stopped" && agent.code.endsWith("_limit") ? [agent.code] : [],
    approvals: [],
  };
  record("finished", persona, `${receipt.verdict}: ${receipt.why}`);
  return concluded(bench, agent, receipt, { missed: await owner.missed(), endedBy: cap.endedBy() });
}

/** What the receipt tells of the ledger, which headquarters' own must agree with. */
function spentOf(meter: Meter): Total {
  const { cost, calls, unpriced, usage } = meter.total();
  return { cost, calls, unpriced, usage };
}

/** Cancelled by the owner, or given back by its factory: the signal's reason says which. */
function interrupted(bench: Bench, reason: string): Outcome {
  const { persona } = bench.assigned;
  if (reason === releasing) return bench.end("released", "released", reason, { persona });
  return bench.end("cancelled", "cancelled", reason, { persona });
}

/** Abort reason of a factory that gives its work back. */
export const releasing = "its factory gave it back";

interface Said {
  /** What the owner said too late. */
  missed: readonly string[];
  /** The owner let it end where it stood. */
  endedBy: { code: string; reason: string } | null;
}

function concluded(bench: Bench, agent: AgentEnd, receipt: Receipt, { missed, endedBy }: Said): Outcome {
  const { persona } = bench.assigned;
  const late = missed.map((text) => `What you said came too late to be heard: ${text}`);
  const summary = [...(agent.kind === "finished" ? [agent.summary] : []), ...late].join("\n");
  const more = { persona, receipt, summary };
  // What there was is enough if the tests say so: then it is what the owner wanted.
  if (endedBy && receipt.verdict === "verified") {
    return bench.end("succeeded", "finished_at_budget", `${receipt.why}; ${endedBy.reason}`, more);
  }
  if (agent.kind === "stopped") return bench.end("failed", agent.code, `${persona} stopped: ${agent.reason}`, more);
  if (agent.kind !== "finished") throw new Error(`a VP's work can't end as ${agent.kind}`);
  if (agent.status === "failed") return bench.end("failed", "gave_up", `${persona} could not do it`, more);
  if (receipt.verdict === "regressed") return bench.end("failed", "regressed", `${persona} says it is done, but ${receipt.why}`, more);
  if (bench.order.requireVerified && receipt.verdict !== "verified") {
    return bench.end("failed", "not_verified", `the order demands a verified result, but ${receipt.why}`, more);
  }
  const uncommitted = receipt.diffstat.files > 0 && receipt.head === null;
  const reason = `${receipt.why}${uncommitted ? `; ${notCommitted(receipt)}` : ""}${withoutEdits(bench.worktree)}`;
  return bench.end("succeeded", "finished", reason, more);
}

/** The work starts from the last commit: what the owner has in hand is neither seen nor touched, and that is said. */
function withoutEdits({ uncommitted }: Worktree) {
  if (uncommitted === 0) return "";
  return `; without your ${uncommitted === 1 ? "uncommitted change" : `${uncommitted} uncommitted changes`}`;
}

/** Where a factory may not commit, its worktree goes and the diff is all that stays. */
function notCommitted({ patch }: Receipt) {
  return patch === null
    ? "nothing may be committed here, and the diff was too large to send: it is lost"
    : "nothing may be committed here, so the diff is the result";
}

function verdictOf(before: TestRun | null, after: TestRun | null, changes: Changes, mayRun: boolean): Pick<Receipt, "verdict" | "why"> {
  if (!mayRun) return { verdict: "unverified", why: "no command may run here, so no test did" };
  if (changes.diffstat.files === 0) return { verdict: "unverified", why: "nothing was changed, so there was nothing to test" };
  return judge(before, after);
}

async function commit(deps: Branch, bench: Bench): Promise<Changes> {
  const { order, grant, assigned, worktree } = bench;
  const name = `${assigned.persona} (${deps.profile.name})`;
  const author = grant.token.act.includes("commit") ? { name, email: `${assigned.seat}@${deps.self}.uac.invalid` } : null;
  const changes = await deps.workspaces.commit(worktree, `${order.title}\n\nTask ${order.task}, attempt ${order.epoch}.`, author);
  return { ...changes, patch: changes.patch && deps.redactor.clean(changes.patch) };
}

/** When the attempt was first begun: its time runs on over a restart. */
async function begunAt({ journal, clock }: Branch, order: Order): Promise<number> {
  const key = attemptFact("begun", order);
  const kept = await journal.get(key);
  if (kept !== null) return Number(kept);
  await journal.set(key, String(clock.now()));
  return clock.now();
}

/** What the VP ran, the newest: kept in the journal, since the receipt tells also of what ran before a restart. */
async function commandsOf({ journal }: Branch, order: Order) {
  const key = attemptFact("commands", order);
  const commands: CommandRun[] = commandRunSchema.array().parse(JSON.parse((await journal.get(key)) ?? "[]"));
  const ran = async (run: CommandRun) => {
    commands.push(run);
    if (commands.length > maxCommandsTold) commands.shift();
    await journal.set(key, JSON.stringify(commands));
  };
  return { commands, ran };
}

interface Test {
  scope: SandboxScope;
  timeoutMs: number;
}

/** The tests before the first edit: kept in the journal, since after a restart the worktree is no longer at its base. */
async function testsAtBase(deps: Branch, bench: Bench, test: Test): Promise<TestRun | null> {
  const { order, grant } = bench;
  const key = attemptFact("tests-at-base", order);
  const kept = await deps.journal.get(key);
  if (kept !== null) return testRunSchema.nullable().parse(JSON.parse(kept));
  const run = await runTests(deps, bench, test);
  if (!grant.signal.aborted) await deps.journal.set(key, JSON.stringify(run));
  return run;
}

async function runTests(deps: Branch, { worktree, grant, assigned, record }: Bench, { scope, timeoutMs }: Test): Promise<TestRun | null> {
  if (!worktree.test) return null;
  const run = await deps.sandbox.run(scope, {
    command: worktree.test,
    cwd: worktree.path,
    timeoutMs,
    env: { CI: "true" },
    maxOutput: 64 * 1024,
    signal: grant.signal,
  });
  if (run.timedOut) record("started", assigned.persona, `the tests did not end: ${worktree.test} was stopped after ${timeoutMs / 1000} s`);
  const tail = deps.redactor.clean(run.output).slice(-testTailChars);
  return { command: worktree.test.slice(0, 2000), exitCode: run.exitCode, durationMs: run.durationMs, tail };
}
