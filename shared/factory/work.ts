/** A VP does the work: worktree, agent loop, commit by the host, tests by the harness, receipt. */
import { limitBudgets } from "#core/budget.ts";
import type { Order } from "#core/envelope.ts";
import { hasCode, publicMessage } from "#core/errors.ts";
import type { Total } from "#core/ledger.ts";
import { narrower } from "#core/limits.ts";
import { toolsFor } from "#core/patches.ts";
import { type CommandRun, commandRunSchema, type Receipt } from "#core/receipt.ts";
import { type Attempt, attemptFact } from "#ports/journal.ts";
import type { Changes, Worktree } from "#ports/workspace.ts";
import { staffIn } from "#staff/roster.ts";
import { runAgent } from "./agent-loop.ts";
import type { Bench, Outcome, Tell } from "./bench.ts";
import type { Grant, Workshop } from "./branch.ts";
import { openCap } from "./cap.ts";
import { aboutEdits, concluded, interrupted } from "./conclude.ts";
import { noteOnConventions } from "./conventions.ts";
import { finishTool } from "./finish.ts";
import { followUp, prospectsOf } from "./follow-up.ts";
import { heed } from "./heed.ts";
import { type Assignment, assign } from "./lead.ts";
import { type Meter, metering, under } from "./metering.ts";
import { observed, scopeOf } from "./scope.ts";
import { approvalsOf, noteOnSetup, setUp } from "./setup.ts";
import { actedOnAfter, runTests, type Test, testsAtBase, testTimeoutMs } from "./test-runs.ts";
import { weigh } from "./weigh.ts";

const logChars = 15_000;
const maxCommandsTold = 400;
/** Longer than a call of a model may take at a branch's gateway. */
const callLeaseMs = 2 * 3_600_000;

/** Works an attempt to its end. Resolves with a result whatever happens, and leaves its worktree to whoever called; rejects only if the journal fails. */
export async function work(deps: Workshop, attempt: Attempt, grant: Grant, tell: Tell): Promise<Outcome> {
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

  if (order.follow) return followUp(deps, { order, follow: order.follow, grant, record, end });
  let assigned: Assignment;
  let worktree: Worktree;
  try {
    assigned = assign(order, deps.profile);
    record("routed", deps.profile.personas.primary, `gave it to ${assigned.persona}: ${assigned.reason}`);
    worktree = await deps.workspaces.open(workspaceOf(deps, order), order.task, order.epoch, { withEdits: order.withEdits ?? false });
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
  } finally {
    await deps.sandbox.leave(worktree.path);
  }
}

function workspaceOf(deps: Workshop, order: Order): string {
  if (order.workspace !== null) return order.workspace;
  const names = deps.workspaces.names();
  return names.length === 1 && names[0] ? names[0] : "";
}

async function atTheBench(workshop: Workshop, bench: Bench): Promise<Outcome> {
  const { order, grant, assigned, worktree, record } = bench;
  const deps = {
    ...workshop,
    sandbox: observed(workshop.sandbox, (refusal) => record("started", assigned.persona, `was refused: ${refusal}`)),
  };
  const { clock, profile, journal } = deps;
  const { persona, seat } = assigned;
  const startedAt = await begunAt(deps, order);
  const scope = scopeOf(deps, grant, worktree);
  const mayRun = grant.token.act.includes("exec");
  if (mayRun) deps.sandbox.enter(worktree.path);
  const { commands, ran } = await commandsOf(deps, order);

  const limits = narrower(grant.token.lim, narrower(order.limits, profile.limits));
  const test: Test = { scope, timeoutMs: Math.min(testTimeoutMs, limits.wallS * 1000) };

  record("started", persona, `works in ${worktree.branch}, from ${worktree.base.slice(0, 12)}${aboutEdits(worktree)}`);
  const owner = await heed(deps, order, grant, (kind, text) => record(kind, persona, text));
  const setup = mayRun ? await setUp(deps, bench, test, owner) : null;
  if (grant.signal.aborted) return interrupted(bench, String(grant.signal.reason));
  const baseTests = mayRun ? testsAtBase(deps, bench, test) : Promise.resolve(null);
  baseTests.catch(() => undefined); // Awaited below: they run beside the model's first call.

  const staff = staffIn(seat);
  const { task, epoch } = order;
  const cap = await openCap(journal, order);
  const ofTask = limitBudgets({ kind: "task", of: task, epoch }, limits);
  const bounds = () => cap.raised([...ofTask, ...deps.allowances.bounds(seat, clock.now())], clock.now());
  const meter = metering(
    { ...deps, spending: journal, leaseMs: callLeaseMs },
    { task, epoch, factory: deps.self, persona, seat, bounds, spent: await journal.spent(task, epoch) },
  );
  const hands = deps.handsFor({
    task,
    epoch,
    seat,
    worktree,
    sandbox: deps.sandbox,
    scope,
    allowed: grant.token.act,
    names: toolsFor(staff.tools, profile.inference[seat][0]),
    ran,
  });
  const inference = await deps.inferenceFor(seat, meter);
  const agent = await runAgent({
    system: staff.prompt({ persona, factory: profile.name, worktree: worktree.path, test: worktree.test }),
    preface: [],
    prompt: `${order.title}\n\n${order.instruction}${await noteOnConventions(deps, bench, scope.masked)}${noteOnSetup(setup)}`,
    tools: [...hands.tools, finishTool],
    transcript: journal.transcript(order.task, order.epoch),
    llm: actedOnAfter(baseTests, cap.through(under(meter, inference.llm))),
    spent: meter.total,
    limits,
    deadline: () => startedAt + limits.wallS * 1000 + owner.stoodStill(),
    clock,
    signal: grant.signal,
    mayAnswer: false,
    key: `${order.task}-${order.epoch}`,
    async between(entries) {
      if (entries.length > 1) await baseTests;
      const heard = await owner.between(entries);
      await cap.hear();
      return [...hands.news(entries).map((text) => ({ type: "user" as const, text })), ...heard];
    },
    atCap: (error) => cap.atCap(error, meter, owner),
    endedBy: cap.endedBy,
    onStep: (_, text) => record("step", persona, text),
  })
    .finally(hands.close)
    .finally(inference.close)
    .finally(() => baseTests.catch(() => null));
  const before = await baseTests;
  if (agent.kind === "stopped" && agent.code === "interrupted") return interrupted(bench, agent.reason);

  const changes = await commit(deps, bench);
  const { files } = changes.diffstat;
  const many = `${files} ${files === 1 ? "file" : "files"}${mayRun && worktree.test ? "; the tests run now" : ""}`;
  if (changes.head) record("committed", persona, `${changes.head.slice(0, 12)} on ${worktree.branch}: ${many}`);
  const [after, prospects] = await Promise.all([
    mayRun && files > 0 ? runTests(deps, bench, test) : null,
    prospectsOf(deps, bench, changes.head),
  ]);
  const weighed = await weigh(deps, bench, test, { before, after, changes, mayRun });
  if (grant.signal.aborted) return interrupted(bench, String(grant.signal.reason));

  const receipt: Receipt = {
    ...weighed,
    base: worktree.base,
    ...(worktree.replayed && { replayed: worktree.replayed }),
    ...(setup && { setup }),
    branch: changes.head ? worktree.branch : null,
    ...changes,
    commands,
    testsBefore: before,
    testsAfter: after,
    steps: agent.steps,
    usage: spentOf(meter),
    wallMs: Math.max(0, clock.now() - startedAt - owner.stoodStill()),
    limitsHit: agent.kind === "stopped" && agent.code.endsWith("_limit") ? [agent.code] : [],
    approvals: approvalsOf(setup),
    prospects,
    followed: null,
  };
  record("finished", persona, `${receipt.verdict}: ${receipt.why}`);
  return concluded(bench, agent, receipt, { missed: await owner.missed(), endedBy: cap.endedBy() });
}

/** What the receipt tells of the ledger, which headquarters' own must agree with. */
function spentOf(meter: Meter): Total {
  const { cost, calls, unpriced, usage } = meter.total();
  return { cost, calls, unpriced, usage };
}

async function commit(deps: Workshop, bench: Bench): Promise<Changes> {
  const { order, grant, assigned, worktree } = bench;
  const name = `${assigned.persona} (${deps.profile.name})`;
  const author = grant.token.act.includes("commit") ? { name, email: `${assigned.seat}@${deps.self}.uac.invalid` } : null;
  const changes = await deps.workspaces.commit(worktree, `${order.title}\n\nTask ${order.task}, attempt ${order.epoch}.`, author);
  return { ...changes, patch: changes.patch && deps.redactor.clean(changes.patch) };
}

/** When the attempt was first begun: its time runs on over a restart. */
async function begunAt({ journal, clock }: Workshop, order: Order): Promise<number> {
  const key = attemptFact("begun", order);
  const kept = await journal.get(key);
  if (kept !== null) return Number(kept);
  await journal.set(key, String(clock.now()));
  return clock.now();
}

/** What the VP ran, the newest: kept in the journal, since the receipt tells also of what ran before a restart. */
async function commandsOf({ journal }: Workshop, order: Order) {
  const key = attemptFact("commands", order);
  const commands: CommandRun[] = commandRunSchema.array().parse(JSON.parse((await journal.get(key)) ?? "[]"));
  const ran = async (run: CommandRun) => {
    commands.push(run);
    if (commands.length > maxCommandsTold) commands.shift();
    await journal.set(key, JSON.stringify(commands));
  };
  return { commands, ran };
}
