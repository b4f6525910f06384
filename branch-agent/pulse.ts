/** The heartbeat: tells HQ that the factory lives and what it obeyed; brings back controls, what to stop and fresh Ops Tokens. */

import type { Control } from "#core/control.ts";
import { acceptedPerBeat, type BusState, controlsPerBeat, type FactoryFacts } from "#core/envelope.ts";
import { hasCode, publicMessage } from "#core/errors.ts";
import { heartbeatEveryMs } from "#core/fleet.ts";
import type { HeartbeatReply } from "#core/hq-api.ts";
import type { Branch } from "#factory/branch.ts";
import { seal } from "#factory/seal.ts";
import type { Slots } from "./slots.ts";

/** While the owner has not approved, HQ is asked this often. */
const pendingEveryMs = 3000;

export interface Pulse {
  /** One heartbeat. Rejects as HQ does. */
  beat(): Promise<HeartbeatReply>;
  /** Beats until `signal` aborts; `heard` is told what HQ answered to a factory that is no longer pending, and when it was asked (as `performance.now`, which no answer sets). Rejects with `forbidden` or `unauthenticated` once HQ does not know the factory any more. */
  run(signal: AbortSignal, heard: (reply: HeartbeatReply, sentAt: number) => void): Promise<void>;
  drain(): void;
}

interface Told {
  facts: FactoryFacts;
  slots: Slots;
  /** How the last use of the bus went. */
  bus(): BusState;
  /** Sends reports again that HQ missed. */
  resend(seqs: readonly number[]): void;
  /** Is given the controls that a heartbeat brings, in order. */
  obey(control: Control): Promise<void>;
}

export function pulse(deps: Branch, { facts, slots, bus, resend, obey }: Told): Pulse {
  const { clock, journal, log } = deps;
  let rttMs: number | null = null;
  let draining = false;

  /** One after the other: what stands still by now must not be said by an older one that comes later. */
  let before: Promise<unknown> = Promise.resolve();
  function beat(): Promise<HeartbeatReply> {
    const mine = before.then(beatNow);
    before = mine.catch(() => undefined);
    return mine;
  }

  async function beatNow() {
    const [running, accepted, reports, obeyed] = await Promise.all([
      slots.running(),
      journal.held(acceptedPerBeat),
      journal.kept(),
      journal.obeyed(controlsPerBeat),
    ]);
    const body = { facts, rttMs, draining, running, accepted, reports, obeyed, bus: bus() };
    const { jws } = await seal(deps, "heartbeat", body, { aud: "hq", corr: null });
    const sentAt = performance.now();
    const reply = await deps.hq.heartbeat(jws);
    rttMs = Math.round(performance.now() - sentAt);
    if (obeyed.length > 0) await journal.obeyedTold(obeyed);
    for (const control of reply.controls) await obey(control);
    await deps.allowances.hear(reply.budgets);
    for (const { task, epoch, reason } of reply.stop) slots.stop(task, epoch, reason);
    for (const { task, epoch, token } of reply.tokens) {
      await slots.renew(task, epoch, token).catch((error: unknown) => log.error("HQ sent a token that is none", { task, error }));
    }
    if (reports && reply.heard >= reports.first) {
      await journal.heard(reply.heard).catch((error: unknown) => log.error("what was heard could not be let go", { error }));
    }
    if (reply.resend.length > 0) resend(reply.resend);
    return reply;
  }

  return {
    beat,
    drain: () => {
      draining = true;
    },
    async run(signal, heard) {
      let known = false;
      while (!signal.aborted) {
        let wait = heartbeatEveryMs;
        try {
          const sentAt = performance.now();
          const reply = await beat();
          if (reply.status === "pending") {
            if (!known) log.info("waiting for the owner's approval", { factory: deps.self });
            wait = pendingEveryMs;
          } else heard(reply, sentAt);
          known = true;
        } catch (error) {
          if (hasCode(error, "forbidden") || hasCode(error, "unauthenticated")) throw error;
          // A refused envelope is one that slept on its way, or a clock that is wrong: the next may be heard.
          log.warn("headquarters did not take the heartbeat", { reason: publicMessage(error) });
          if (!known) wait = pendingEveryMs;
        }
        await clock.sleep(wait, signal);
      }
    },
  };
}
