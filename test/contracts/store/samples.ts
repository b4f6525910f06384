/** Things to store, with only what a case is about to be given. */
import { defaultCapabilities } from "#core/capability.ts";
import type { FactoryFacts, Result } from "#core/envelope.ts";
import { type LedgerEntry, noUsage } from "#core/ledger.ts";
import type { Receipt } from "#core/receipt.ts";
import type { NewTask, Task, Told } from "#ports/tasks.ts";
import { ledgerEntry } from "../../support/ledger.ts";
import type { Bench } from "../store.contract.ts";

export const key = (letter: string) => ({ kty: "OKP" as const, crv: "Ed25519" as const, x: letter.repeat(43) });
export const desk = { id: "desk", name: "Desk", role: "branch" as const, kid: "kid-a", key: key("a") };
export const facts: FactoryFacts = {
  name: "Desk",
  role: "branch",
  personas: { primary: "Homer", coder: "Lisa", general: "Bart" },
  capabilities: defaultCapabilities("branch"),
  provider: "p",
  model: "m",
  workspaces: ["demo"],
  slots: 2,
  version: "1",
  startedAt: 1,
};

export const newTask: NewTask = {
  id: "task_1",
  chat: 7,
  message: 70,
  title: "Fix the parser",
  instruction: "It drops the last line.",
  kind: "coder",
  workspace: "demo",
  wanted: null,
  priority: 0,
  notBefore: null,
  deadline: null,
  replayOf: null,
  follow: null,
  limits: { usd: 1000, tokens: 2000, steps: 30, wallS: 40 },
  requireVerified: true,
  withEdits: false,
  receivedAt: 90,
};

export const delegated = { kind: "delegated", text: "asked for" };

export function entry(changed: Partial<LedgerEntry> = {}): LedgerEntry {
  return ledgerEntry({
    ...{ task: "task_1", factory: "desk", provider: "p", requestedModel: "m", model: "m", at: 5, durationMs: 6, cost: 11, billed: 11 },
    usage: { uncachedIn: 1, cacheRead: 20, write5m: 300, write1h: 4000, output: 50_000, reasoning: 600 },
    ...changed,
  });
}

export const receipt: Receipt = {
  verdict: "verified",
  why: "the tests pass",
  base: "a".repeat(40),
  head: "b".repeat(40),
  branch: "uac/task_1-1",
  diffstat: { files: 1, insertions: 2, deletions: 3, text: "parser.ts | 5" },
  patch: "+ a quote ' and an umlaut ä",
  patchSha256: "c".repeat(64),
  commands: [{ command: "npm test", exitCode: 0, durationMs: 9 }],
  testsBefore: null,
  testsAfter: { command: "npm test", exitCode: 0, durationMs: 9, tail: "ok", counted: { ran: 3, skipped: 0 } },
  steps: 12,
  usage: { cost: 5000, calls: 2, unpriced: 0, usage: { ...noUsage, uncachedIn: 900, output: 40 } },
  wallMs: 99,
  testsOfBase: null,
  flags: [{ kind: "tests_edited", text: "existing tests were edited: test/parser.test.ts" }],
  limitsHit: [],
  approvals: [],
  prospects: null,
  followed: null,
};

export function result(changed: Partial<Result> = {}): Result {
  return {
    task: "task_1",
    epoch: 1,
    outcome: "succeeded",
    code: "finished",
    reason: "the parser keeps the last line",
    persona: "Lisa",
    summary: "Kept the last line.",
    receipt,
    usages: [],
    log: "did it",
    ...changed,
  };
}

type Ended = Told["results"][number]["event"];

/** Settles one result, as one report would bring it. */
export async function settle({ store }: Pick<Bench, "store">, event: Ended, factory: string, told: Result, now: number) {
  const [outcome] = await store.tasks.settle(factory, { ...nothingTold, results: [{ event, result: told }] }, now);
  return outcome;
}

export const nothingTold: Told = { results: [], usages: [], incidents: [], heard: [] };

/** An order for `epoch` of task_1, to the factory `desk`. */
export const order = (epoch = 1) => ({
  factory: "desk",
  places: 9,
  reason: "it is free",
  order: `sealed-${epoch}`,
  orderId: `order_${epoch}`,
  instruction: newTask.instruction,
});

/** Creates task_1 and takes it as far as it says; resolves to it. */
export async function taskIn({ store }: Bench, state: "queued" | "dispatched" | "running", leaseUntil = 1000): Promise<Task> {
  await store.tasks.create(newTask, delegated, 100);
  if (state !== "queued") await store.tasks.dispatch("task_1", 1, order(), 200);
  if (state === "running") await store.tasks.claim("task_1", 1, { factory: "desk", order: "order_1", leaseUntil }, 300);
  return theTask({ store });
}

/** The owner asks for the end of task_1; null if that came to nothing. */
export async function askCancel({ store }: Pick<Bench, "store">, now: number, id = "ctl_cancel") {
  const task = await theTask({ store });
  const wish = { id, do: "cancel" as const, task: task.id, epoch: task.epoch, reason: "not needed" };
  return store.controls.direct(task, wish, { kind: "cancel_requested", text: "not needed" }, now);
}

export async function theTask({ store }: Pick<Bench, "store">): Promise<Task> {
  const task = await store.tasks.get("task_1");
  if (!task) throw new Error("task_1 is not there");
  return task;
}

/** `n` calls at once. */
export function atOnce<T>(n: number, call: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: n }, (_, i) => call(i)));
}

export const count = <T>(values: readonly T[], value: T) => values.filter((v) => v === value).length;
