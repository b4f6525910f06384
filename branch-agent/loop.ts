/** A factory at work: reads its orders, starts them while slots are free, reports, and drains when it is told to. */

import type { BusState } from "#core/envelope.ts";
import { hasCode, publicMessage, UacError } from "#core/errors.ts";
import type { Channel, FactoryStatus } from "#core/fleet.ts";
import { acceptAgain, acceptOrder, openEntry } from "#factory/accept.ts";
import type { Branch } from "#factory/branch.ts";
import { flushReports, reportUsages, resendReports, ringDoorbell } from "#factory/report.ts";
import type { BusEntry } from "#ports/bus.ts";
import { factsOf } from "./facts.ts";
import { obedience } from "./obey.ts";
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
/** HQ has so long to say that a factory that was told to go may stay. */
const leaveMs = 3000;

/** What was told before a report should come before it, but a report waits no longer for that. */
const progressMs = 1000;

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
  const revoked = Promise.withResolvers<never>();
  revoked.promise.catch(() => undefined);
  /** The owner's word: begin nothing new. Another one than `stops.drain`, after which the process ends. */
  let drained = false;
  /** When it was last given by a control, as `performance.now`: an answer to an older heartbeat knows nothing of it. */
  let drainedAt = 0;
  let wake = new AbortController();
  let flushing: Promise<void> = Promise.resolve();

  const progress = progressTeller(deps, over);
  const slots = taskSlots(
    deps,
    progress,
    () => {
      flush();
      wake.abort();
    },
    // The owner is asked at once what shall become of what stands still at a budget, and told of what goes on.
    () => void askHq(),
  );
  let bus: BusState = "ok";
  const obey = obedience(deps, slots, {
    drain(on) {
      drainedAt = performance.now();
      setDrained(on);
    },
    revoke: (reason) => void leave(reason),
  });
  const busFailed = (error: unknown) => {
    const before = bus;
    if (hasCode(error, "bus_denied")) bus = "denied";
    if (hasCode(error, "bus_unavailable")) bus = "down";
    // It may be out of the corporation, or forgotten by the bus: HQ knows, and makes it good.
    if (bus === "denied" && before !== "denied") void askHq();
  };
  const heart = pulse(deps, { facts: factsOf(deps), slots, bus: () => bus, resend: (seqs) => void flush(seqs), obey });

  function setDrained(on: boolean) {
    if (drained === on) return;
    drained = on;
    log.info(on ? "headquarters says to begin nothing new" : "headquarters says to begin work again", { factory: deps.self });
    if (on) slots.releaseUnbegun();
    wake.abort();
  }

  /** The word of the bus is put to HQ itself: it may be an old one, from before this machine joined again. No answer confirms it. */
  async function leave(reason: string) {
    const still = await Promise.race([heart.beat().then(() => true), clock.sleep(leaveMs, over)]).catch(
      (error: unknown) => hasCode(error, "conflict") || hasCode(error, "bad_envelope"),
    );
    if (still !== true) revoked.reject(new UacError("forbidden", reason));
  }

  /** A heartbeat before its time. */
  async function askHq() {
    await heart.beat().catch((error: unknown) => {
      if (hasCode(error, "forbidden") || hasCode(error, "unauthenticated")) revoked.reject(error);
    });
  }

  /** One flush at a time; a second call waits its turn. `missed` are reports to send once more. */
  function flush(missed: readonly number[] = []) {
    flushing = flushing
      .then(() => within(progressMs, progress.settled()))
      .then(async () => (await flushReports(deps, busFailed)) + (await resendReports(deps, missed, busFailed)))
      .then((sent) => (sent > 0 ? ringDoorbell(deps, "result") : undefined))
      .catch((error: unknown) => log.error("reports could not be flushed", { error }));
    return flushing;
  }

  async function handle(entry: BusEntry, again: boolean) {
    if (entry.channel === "ctl") return control(entry);
    if (!(await (again ? acceptAgain : acceptOrder)(deps, entry))) flush();
  }

  /**
   * Starts what the journal holds and nobody works on, oldest first, while slots are free. A drained factory gives back what it never
   * began. Resolves to how many wait on.
   */
  async function startWaiting() {
    const open = await journal.open();
    for (const attempt of open) {
      if (drained && attempt.state === "accepted") await slots.giveBack(attempt);
      else if (slots.free() > 0) slots.start(attempt);
    }
    if (!drained) return open.length - (profile.slots - slots.free());
    void flush();
    return 0;
  }

  /** What attempts left that ended in an earlier life, when the factory was killed before it could clear up. */
  async function tidy() {
    const open = (await journal.open()).map(({ order }) => order);
    await deps.workspaces.tidy(open).catch((error: unknown) => log.warn("worktrees stay behind", { error }));
    await reportUsages(deps);
  }

  async function control(entry: BusEntry) {
    const envelope = entry.data === null ? null : await openEntry(deps, entry.data).catch(refused);
    if (envelope?.kind === "control") await obey(envelope.body);
    else if (envelope) log.error("an entry among the controls is none", { entry: entry.id, kind: envelope.kind });
    await deps.bus.ack({ factory: deps.self, channel: "ctl" }, [entry.id]);
  }

  /** What HQ did not write is let go; anything else that fails is no fault of the entry's. */
  function refused(error: unknown) {
    if (!hasCode(error, "bad_envelope")) throw error;
    log.error("a control was refused", { reason: publicMessage(error) });
    return null;
  }

  async function readOrders() {
    let own = true;
    /** Delivered before this program began; null until they are known. */
    let before: Set<string> | null = null;
    /** Taken in or let go in this life: what is not finished is given again with every reading of what was delivered. */
    let taken = new Set<string>();
    let backoff = 1000;
    while (!intake.aborted) {
      wake = new AbortController();
      const signal = AbortSignal.any([intake, wake.signal]);
      try {
        const room = maxWaiting - (await startWaiting());
        const channels: Channel[] = room > 0 ? ["in", "ctl"] : ["ctl"];
        const from = channels.map((channel) => ({ factory: deps.self, channel }));
        const how = own
          ? ({ what: "own", count: perOwnRead, blockMs: 0 } as const)
          : ({ what: "new", count: Math.max(1, room), blockMs } as const);
        const entries = await deps.bus.read({ from, consumer: deps.self, signal, ...how });
        bus = "ok";
        if (own && !signal.aborted) {
          taken = new Set(entries.map(keyOf).filter((key) => taken.has(key)));
          before ??= new Set(entries.map(keyOf));
        }
        // A wait that was called off may have been given something that nobody saw.
        own = signal.aborted;
        for (const entry of entries) {
          const key = keyOf(entry);
          if (taken.has(key)) continue;
          // Counted one by one: of several entries it is the first that this program does not survive.
          await handle(entry, before?.delete(key) ?? false);
          taken.add(key);
        }
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
  const beating = heart.run(over, (reply, sentAt) => {
    if (status !== reply.status) log.info(`${profile.personas.primary} is at work`, { factory: deps.self, status: reply.status });
    status = reply.status;
    if (sentAt >= drainedAt) setDrained(status === "draining");
    active.resolve();
  });
  const flushes = flushNowAndThen();
  try {
    await Promise.race([active.promise, beating, revoked.promise, aborted(intake)]);
    if (!intake.aborted) await tidy();
    if (!intake.aborted) await Promise.race([readOrders(), beating, revoked.promise]);
    await Promise.race([drain(), beating, revoked.promise]);
  } catch (error) {
    ending.abort();
    // Headquarters does not know this factory any more: what runs here has no leave to, and nobody is told of it. After any other
    // error the journal keeps what is open for the next start.
    if (hasCode(error, "forbidden") || hasCode(error, "unauthenticated")) await within(settleMs, slots.revoke());
    throw error;
  } finally {
    ending.abort();
    await within(settleMs, Promise.allSettled([beating, flushes, flushing]));
  }

  async function drain() {
    if (stops.halt.aborted) return;
    heart.drain();
    log.info("draining: no new work", { running: profile.slots - slots.free() });
    slots.releaseUnbegun();
    for (const attempt of await journal.open()) if (attempt.state === "accepted") await slots.giveBack(attempt);
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

/** Ids are unique in their stream alone. */
const keyOf = ({ channel, id }: BusEntry) => `${channel}:${id}`;

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
