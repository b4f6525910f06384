/** A factory at work: reads its orders, starts them while slots are free, reports, and drains when it is told to. */

import type { BusState } from "#core/envelope.ts";
import { hasCode, publicMessage } from "#core/errors.ts";
import type { Channel, FactoryStatus } from "#core/fleet.ts";
import { acceptAgain, acceptOrder, openEntry } from "#factory/accept.ts";
import type { Branch } from "#factory/branch.ts";
import { flushReports, resendReports, ringDoorbell } from "#factory/report.ts";
import type { BusEntry } from "#ports/bus.ts";
import { factsOf } from "./facts.ts";
import { progressTeller } from "./progress.ts";
import { pulse } from "./pulse.ts";
import { taskSlots } from "./slots.ts";

/** Orders that wait for a slot here: HQ sends one more than there are slots. Beyond so many it lies on the bus. */
const maxWaiting = 64;
/** Of those that it was given before: more than there may be unfinished. */
const perOwnRead = 200;
/** One blocking read: as long as the bus waits in one go, since a hosted one bills each. */
const blockMs = 55_000;
const flushEveryMs = 15_000;
const maxBackoffMs = 30_000;
/** What was told to end has so long to, and the last reports so long to leave. The journal keeps what does not. */
const settleMs = 15_000;

export interface Stops {
  /** Take nothing new, end what runs, go. */
  drain: AbortSignal;
  /** Go now. */
  halt: AbortSignal;
}

/** Runs until drained or halted. Rejects with `forbidden` or `unauthenticated` when HQ does not know the factory any more. */
export async function runFactory(deps: Branch, stops: Stops): Promise<void> {
  const { clock, log, journal, profile } = deps;
  const ending = new AbortController();
  const over = AbortSignal.any([ending.signal, stops.halt]);
  const intake = AbortSignal.any([over, stops.drain]);
  const active = Promise.withResolvers<void>();
  let wake = new AbortController();
  let flushing: Promise<void> = Promise.resolve();

  const progress = progressTeller(deps);
  const slots = taskSlots(deps, progress, () => {
    flush();
    wake.abort();
  });
  let bus: BusState = "ok";
  const busFailed = (error: unknown) => {
    bus = hasCode(error, "bus_denied") ? "denied" : "down";
  };
  const heart = pulse(deps, { facts: factsOf(deps), slots, bus: () => bus, resend: (seqs) => void flush(seqs) });

  /** One flush at a time; a second call waits its turn. `missed` are reports to send once more. */
  function flush(missed: readonly number[] = []) {
    flushing = flushing
      .then(() => progress.settled())
      .then(async () => (await flushReports(deps, busFailed)) + (await resendReports(deps, missed)))
      .then((sent) => (sent > 0 ? ringDoorbell(deps, "result") : undefined))
      .catch((error: unknown) => log.error("reports could not be flushed", { error }));
    return flushing;
  }

  async function handle(entry: BusEntry, again: boolean) {
    if (entry.channel === "ctl") return control(entry);
    if (!(await (again ? acceptAgain : acceptOrder)(deps, entry))) flush();
  }

  /** Starts what the journal holds and nobody works on, oldest first, while slots are free. Resolves to how many wait on. */
  async function startWaiting() {
    const open = await journal.open();
    for (const attempt of open) if (slots.free() > 0) slots.start(attempt);
    return open.length - (profile.slots - slots.free());
  }

  /** What attempts left that ended in an earlier life, when the factory was killed before it could clear up. */
  async function tidy() {
    const open = (await journal.open()).map(({ order }) => order);
    await deps.workspaces.tidy(open).catch((error: unknown) => log.warn("worktrees stay behind", { error }));
  }

  async function control(entry: BusEntry) {
    try {
      const envelope = entry.data === null ? null : await openEntry(deps, entry.data);
      const told = envelope?.kind === "control" ? envelope.body : null;
      if (told?.do === "cancel") slots.stop(told.task, told.epoch, told.reason);
    } catch (error) {
      log.error("a control entry was refused", { entry: entry.id, reason: publicMessage(error) });
    }
    await deps.bus.ack({ factory: deps.self, channel: "ctl" }, [entry.id]);
  }

  async function readOrders() {
    let own = true;
    /** Delivered before this program began; null until they are known. */
    let before: Set<string> | null = null;
    let backoff = 1000;
    while (!intake.aborted) {
      wake = new AbortController();
      const signal = AbortSignal.any([intake, wake.signal]);
      try {
        const room = maxWaiting - (await startWaiting());
        const channels: Channel[] = room > 0 ? ["in", "ctl"] : ["ctl"];
        const from = channels.map((channel) => ({ factory: deps.self, channel }));
        const count = own ? perOwnRead : Math.max(1, room);
        const entries = await deps.bus.read({
          from,
          consumer: deps.self,
          what: own ? "own" : "new",
          count,
          blockMs: own ? 0 : blockMs,
          signal,
        });
        // A wait that was called off may have been given something that nobody saw.
        own = signal.aborted;
        bus = "ok";
        before ??= new Set(entries.map(({ id }) => id));
        // Counted one by one: of several entries it is the first that this program does not survive.
        for (const entry of entries) await handle(entry, before.delete(entry.id));
        backoff = 1000;
      } catch (error) {
        // What was delivered and lost with the connection is still ours: it is read again first.
        own = true;
        busFailed(error);
        log.warn("no orders can be taken in", { reason: publicMessage(error) });
        await clock.sleep(backoff, intake);
        backoff = Math.min(backoff * 2, maxBackoffMs);
      }
    }
  }

  async function flushNowAndThen() {
    while (!over.aborted) {
      await clock.sleep(flushEveryMs, over);
      await flush();
    }
  }

  let status: FactoryStatus = "pending";
  const beating = heart.run(over, (reply) => {
    if (status !== reply.status) log.info(`${profile.personas.primary} is at work`, { factory: deps.self, status: reply.status });
    status = reply.status;
    active.resolve();
  });
  const flushes = flushNowAndThen();
  try {
    await Promise.race([active.promise, beating, aborted(intake)]);
    if (!intake.aborted) await tidy();
    if (!intake.aborted) await Promise.race([readOrders(), beating]);
    await drain();
  } catch (error) {
    // Headquarters does not know this factory any more: what runs here has no leave to.
    slots.release();
    await within(settleMs, slots.idle());
    throw error;
  } finally {
    ending.abort();
    await within(settleMs, Promise.allSettled([beating, flushes, flushing]));
  }

  async function drain() {
    if (stops.halt.aborted) return;
    heart.drain();
    log.info("draining: no new work", { running: profile.slots - slots.free() });
    const beaten = heart.beat().catch((error: unknown) => log.warn("HQ was not told that this factory drains", { error }));
    await within(profile.drainMs, slots.idle());
    slots.release();
    await within(settleMs, slots.idle());
    await within(settleMs, Promise.all([flush(), beaten]));
  }

  /** Waits for `work`, at most so long, and no longer once the factory is halted. No timer stays behind. */
  async function within(ms: number, work: Promise<unknown>) {
    const enough = new AbortController();
    await Promise.race([work, clock.sleep(ms, AbortSignal.any([stops.halt, enough.signal]))]);
    enough.abort();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
