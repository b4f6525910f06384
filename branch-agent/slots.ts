/** The tasks that a factory works on: begun with a claim, ended with a report, stoppable from outside. */

import { UacError } from "#core/errors.ts";
import { claimAttempt } from "#factory/accept.ts";
import type { Branch, Grant } from "#factory/branch.ts";
import { reportResult } from "#factory/report.ts";
import { releasing, work } from "#factory/work.ts";
import type { Attempt } from "#ports/journal.ts";
import { branchOf, type Worktree } from "#ports/workspace.ts";
import type { ProgressTeller } from "./progress.ts";

/** A task that was begun so often without an end is ended: it takes its factory down, or can't be worked here. */
const maxStarts = 3;
/** Before HQ is asked again, and before an attempt that broke is begun again. */
const retryMs = 5000;

export interface Running {
  task: string;
  epoch: number;
  step: number;
  /** Nano-dollars at list price. */
  cost: number;
  paused: boolean;
}

export interface Slots {
  free(): number;
  running(): Promise<Running[]>;
  start(attempt: Attempt): void;
  /** Ends a task with a reason; false if it is not here. */
  stop(task: string, epoch: number, reason: string): boolean;
  /** A fresh Ops Token for a running task. */
  renew(task: string, epoch: number, jwt: string): Promise<void>;
  /** Gives everything back. */
  release(): void;
  /** Resolves when nothing runs. */
  idle(): Promise<void>;
}

interface Slot {
  attempt: Attempt;
  abort: AbortController;
  grant: Grant | null;
  step: number;
  ended: Promise<void>;
}

/** `ended` is called when a slot is free again and its report lies in the journal. */
export function taskSlots(deps: Branch, progress: ProgressTeller, ended: () => void): Slots {
  const slots = new Map<string, Slot>();
  const keyOf = (task: string, epoch: number) => `${task}:${epoch}`;

  const readToken = (jwt: string) => deps.verifier.readToken(jwt, deps.self, deps.signer.kid, deps.hqKey, deps.clock.now());

  async function run(slot: Slot) {
    const { order } = slot.attempt;
    const { journal, clock, log } = deps;
    progress.tell(order, "received", deps.profile.personas.primary, "took the order in; its signature is HQ's");
    const claimed = await claim(slot);
    if (claimed === null) return;
    if (claimed === "poison") {
      await reportResult(deps, slot.attempt, poisoned(slot.attempt));
      await leave({ branch: branchOf(order) });
      return;
    }
    if (claimed === "refused") {
      await journal.drop(order.task, order.epoch, clock.now());
      await deps.bus.ack({ factory: deps.self, channel: "in" }, [slot.attempt.entryId]);
      await leave({ branch: branchOf(order) });
      return;
    }
    const token = await readToken(claimed.token);
    if (token.tsk !== order.task || token.epoch !== order.epoch || token.rep !== order.workspace) {
      throw new UacError("forbidden", `Headquarters sent a token that is not for task ${order.task}, attempt ${order.epoch}`);
    }
    slot.grant = { token, signal: slot.abort.signal };
    const { outcome, worktree } = await work(deps, slot.attempt, slot.grant, (kind, persona, text) => {
      if (kind === "step") slot.step += 1;
      progress.tell(order, kind, persona, text);
    });
    log.info("a task ended", { task: order.task, epoch: order.epoch, outcome: outcome.outcome, code: outcome.code });
    await reportResult(deps, slot.attempt, outcome);
    if (worktree) await leave(worktree);
  }

  /** An attempt that ended here, or in an earlier life of the factory, leaves no worktree. */
  async function leave(worktree: Pick<Worktree, "branch">) {
    const { branch } = worktree;
    await deps.workspaces.close(worktree).catch((error: unknown) => deps.log.warn("a worktree stays behind", { branch, error }));
  }

  /**
   * A start is counted before anything is done with the order, so that whatever it does to this program counts; while HQ does not
   * answer none is. Null: the factory stopped before HQ could be asked; the journal keeps the attempt.
   */
  async function claim({ attempt, abort }: Slot) {
    const { task, epoch } = attempt.order;
    while (!abort.signal.aborted) {
      if ((await deps.journal.begin(task, epoch, deps.clock.now())) > maxStarts) return "poison";
      const claimed = await claimAttempt(deps, attempt);
      if (claimed !== "unreachable") return claimed;
      await deps.journal.unbegin(task, epoch);
      await deps.clock.sleep(retryMs, abort.signal);
    }
    return null;
  }

  function poisoned({ order }: Attempt) {
    const reason = `it was begun ${maxStarts} times and never came to an end here`;
    const persona = deps.profile.personas.primary;
    return {
      task: order.task,
      epoch: order.epoch,
      outcome: "failed" as const,
      code: "poison",
      reason,
      persona,
      summary: "",
      receipt: null,
      log: "",
    };
  }

  return {
    free: () => deps.profile.slots - slots.size,
    running: () =>
      Promise.all(
        [...slots.values()]
          .filter((slot) => slot.grant !== null)
          .map(async ({ attempt: { order }, step }) => {
            const spent = await deps.journal.spent(order.task, order.epoch);
            return {
              task: order.task,
              epoch: order.epoch,
              step,
              cost: spent.reduce((total, entry) => total + (entry.cost ?? 0), 0),
              paused: false,
            };
          }),
      ),
    start(attempt) {
      const key = keyOf(attempt.order.task, attempt.order.epoch);
      if (slots.has(key)) return;
      const slot: Slot = { attempt, abort: new AbortController(), grant: null, step: 0, ended: Promise.resolve() };
      slots.set(key, slot);
      slot.ended = run(slot)
        .catch((error: unknown) => {
          deps.log.error("a task could not be worked; it is begun again", { task: attempt.order.task, error });
          return deps.clock.sleep(retryMs, slot.abort.signal);
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
    async renew(task, epoch, jwt) {
      const slot = slots.get(keyOf(task, epoch));
      if (slot?.grant) slot.grant.token = await readToken(jwt);
    },
    release() {
      for (const slot of slots.values()) slot.abort.abort(releasing);
    },
    async idle() {
      while (slots.size > 0) await Promise.all([...slots.values()].map((slot) => slot.ended));
    },
  };
}
