/** The tasks that a factory works on: begun with a claim, ended with a report, stoppable from outside. */

import { standing } from "#core/control.ts";
import type { OverBudgetAt, Result } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { sum, tokensOf } from "#core/ledger.ts";
import type { SetupAsked } from "#core/setup.ts";
import { claimAttempt } from "#factory/accept.ts";
import type { Branch, Grant } from "#factory/branch.ts";
import { cappedAt } from "#factory/cap.ts";
import { releasing } from "#factory/conclude.ts";
import { reportResult } from "#factory/report.ts";
import { awaitedBy } from "#factory/setup.ts";
import { work } from "#factory/work.ts";
import type { Attempt } from "#ports/journal.ts";
import { branchOf } from "#ports/workspace.ts";
import type { ProgressTeller } from "./progress.ts";

/** A task that was begun so often without an end is ended: it takes its factory down, or can't be worked here. */
const maxStarts = 3;
/** Before HQ is asked again, and before an attempt that broke is begun again. */
const retryMs = 5000;
/** Abort reason where nobody will hear a report: the factory is out of the corporation. */
const revoked = "the factory is out of the corporation";

export interface Running {
  task: string;
  epoch: number;
  step: number;
  /** Nano-dollars at list price. */
  cost: number;
  tokens: number;
  paused: boolean;
  /** At what budget it stands still; null: at none. */
  overBudget: OverBudgetAt | null;
  /** The set-up that it waits for the owner to approve. */
  approval?: SetupAsked;
}

export interface Slots {
  free(): number;
  running(): Promise<Running[]>;
  start(attempt: Attempt): void;
  /** Ends a task with a reason; false if it is not here. */
  stop(task: string, epoch: number, reason: string): boolean;
  /** Something was said about an attempt, and lies in the journal: whoever works on it looks there. */
  heed(task: string, epoch: number): Promise<void>;
  /** A fresh Ops Token for a running task. */
  renew(task: string, epoch: number, jwt: string): Promise<void>;
  /** Gives an attempt back that nobody has begun, here or anywhere. */
  giveBack(attempt: Attempt): Promise<void>;
  /** Gives back what still waits for its claim. */
  releaseUnbegun(): void;
  /** Gives everything back but what is paused: that stays in the journal, and is the factory's at its next start. */
  release(): void;
  /** Ends everything and reports nothing. Resolves when nothing runs and the journal holds nothing open. */
  revoke(): Promise<void>;
  /** Resolves when nothing runs. What is paused does not. */
  idle(): Promise<void>;
}

interface Slot {
  attempt: Attempt;
  abort: AbortController;
  grant: Grant | null;
  /** Replaced whenever something was said. */
  news: PromiseWithResolvers<void>;
  step: number;
  paused: boolean;
  ended: Promise<void>;
}

/** `ended` is called when a slot is free again and its report lies in the journal; `turned`, when a run comes to stand still or goes on. */
export function taskSlots(deps: Branch, progress: ProgressTeller, ended: () => void, turned: () => void = () => undefined): Slots {
  const { journal, clock, log } = deps;
  const slots = new Map<string, Slot>();
  let closed = false;
  const keyOf = (task: string, epoch: number) => `${task}:${epoch}`;

  const readToken = (jwt: string) => deps.verifier.readToken(jwt, deps.self, deps.signer.kid, deps.hqKey, clock.now());

  async function run(slot: Slot) {
    const { order } = slot.attempt;
    const { signal } = slot.abort;
    progress.tell(order, "received", deps.profile.personas.primary, "took the order in; its signature is HQ's");
    await heed(order.task, order.epoch);
    const claimed = await claim(slot);
    if (claimed === "poison") {
      const reason = `it was begun ${maxStarts} times and never came to an end here`;
      await end(slot, { ...bare(slot.attempt), outcome: "failed", code: "poison", reason });
      return leave(order);
    }
    if (claimed === "refused") {
      await drop(slot.attempt);
      return leave(order);
    }
    if (claimed === null || signal.aborted) {
      await end(slot, unbegun(slot.attempt, String(signal.reason)));
      return leave(order);
    }
    const token = await readToken(claimed.token);
    if (token.tsk !== order.task || token.epoch !== order.epoch || token.rep !== order.workspace) {
      throw new UacError("forbidden", `Headquarters sent a token that is not for task ${order.task}, attempt ${order.epoch}`);
    }
    slot.grant = { token, signal, news: () => slot.news.promise };
    const outcome = await work(deps, slot.attempt, slot.grant, (kind, persona, text) => {
      if (kind === "step") slot.step += 1;
      if (kind === "paused" || kind === "resumed") {
        slot.paused = kind === "paused";
        turned();
      }
      progress.tell(order, kind, persona, text);
    });
    log.info("a task ended", { task: order.task, epoch: order.epoch, outcome: outcome.outcome, code: outcome.code });
    await end(slot, outcome);
    await leave(order);
  }

  /** An attempt that ended here, or in an earlier life of the factory, leaves no worktree. */
  async function leave(order: Attempt["order"]) {
    const branch = branchOf(order);
    await deps.workspaces.close({ branch }).catch((error: unknown) => deps.log.warn("a worktree stays behind", { branch, error }));
  }

  /**
   * A start is counted before anything is done with the order, so that whatever it does to this program counts; while HQ does not
   * answer none is. Null: it was stopped before HQ could be asked.
   */
  async function claim({ attempt, abort }: Slot) {
    const { task, epoch } = attempt.order;
    while (!abort.signal.aborted) {
      if ((await journal.begin(task, epoch, clock.now())) > maxStarts) return "poison";
      const claimed = await claimAttempt(deps, attempt);
      if (claimed !== "unreachable") return claimed;
      await journal.unbegin(task, epoch);
      await clock.sleep(retryMs, abort.signal);
    }
    return null;
  }

  function end({ attempt, abort }: Slot, outcome: Omit<Result, "usages">) {
    return abort.signal.reason === revoked ? drop(attempt) : reportResult(deps, attempt, outcome);
  }

  /** Ends an attempt that HQ hears nothing of. */
  async function drop({ order, entryId }: Attempt) {
    await journal.drop(order.task, order.epoch, clock.now());
    // Read again at the next start, it is acknowledged as one that is over.
    const left = (error: unknown) => log.warn("an order stays on the bus", { task: order.task, error });
    await deps.bus.ack({ factory: deps.self, channel: "in" }, [entryId]).catch(left);
  }

  function bare({ order: { task, epoch } }: Attempt) {
    return { task, epoch, persona: deps.profile.personas.primary, summary: "", receipt: null, log: "" };
  }

  function unbegun(attempt: Attempt, reason: string): Omit<Result, "usages"> {
    const outcome = reason === releasing ? "released" : "cancelled";
    return { ...bare(attempt), outcome, code: outcome, reason };
  }

  async function heed(task: string, epoch: number) {
    const slot = slots.get(keyOf(task, epoch));
    if (!slot) return;
    const { cancel } = standing(await journal.controls(task, epoch));
    if (cancel !== null) slot.abort.abort(cancel);
    slot.news.resolve();
    slot.news = Promise.withResolvers();
  }

  async function idle() {
    for (;;) {
      const busy = [...slots.values()].filter((slot) => !slot.paused || slot.abort.signal.aborted);
      if (busy.length === 0) return;
      await Promise.race(busy.map((slot) => slot.ended));
    }
  }

  return {
    free: () => deps.profile.slots - slots.size,
    running: () =>
      Promise.all(
        [...slots.values()]
          .filter((slot) => slot.grant !== null)
          .map(async ({ attempt: { order }, step, paused }) => {
            const spent = await journal.spent(order.task, order.epoch);
            const { cost, usage } = sum(spent);
            const [overBudget, approval] = await Promise.all([cappedAt(journal, order), awaitedBy(journal, order)]);
            const told = { task: order.task, epoch: order.epoch, step, cost, tokens: tokensOf(usage), paused, overBudget };
            return approval ? { ...told, approval } : told;
          }),
      ),
    start(attempt) {
      const key = keyOf(attempt.order.task, attempt.order.epoch);
      if (closed || slots.has(key)) return;
      const slot: Slot = {
        attempt,
        abort: new AbortController(),
        grant: null,
        news: Promise.withResolvers(),
        step: 0,
        paused: false,
        ended: Promise.resolve(),
      };
      slots.set(key, slot);
      slot.ended = run(slot)
        .catch((error: unknown) => {
          log.error("a task could not be worked; it is begun again", { task: attempt.order.task, error });
          return clock.sleep(retryMs, slot.abort.signal);
        })
        .finally(() => {
          slots.delete(key);
          ended();
        });
    },
    stop(task, epoch, reason) {
      const slot = slots.get(keyOf(task, epoch));
      slot?.abort.abort(reason);
      return slot !== undefined;
    },
    heed,
    async renew(task, epoch, jwt) {
      const slot = slots.get(keyOf(task, epoch));
      if (slot?.grant) slot.grant.token = await readToken(jwt);
    },
    async giveBack(attempt) {
      if (slots.has(keyOf(attempt.order.task, attempt.order.epoch))) return;
      await reportResult(deps, attempt, unbegun(attempt, releasing));
    },
    releaseUnbegun() {
      for (const slot of slots.values()) if (slot.grant === null && slot.attempt.state === "accepted") slot.abort.abort(releasing);
    },
    release() {
      for (const slot of slots.values()) if (!slot.paused) slot.abort.abort(releasing);
    },
    async revoke() {
      closed = true;
      for (const slot of slots.values()) slot.abort.abort(revoked);
      await idle();
      for (const { order } of await journal.open()) await journal.drop(order.task, order.epoch, clock.now());
    },
    idle,
  };
}
