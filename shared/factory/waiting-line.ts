/**
 * Calls that want something of the same budgets, first come first served: who came later never overtakes who waits, so nobody
 * starves. Bounded in number and in time. It also keeps what the ledger could not take, until it can.
 */
import { UacError } from "#core/errors.ts";
import type { LedgerEntry } from "#core/ledger.ts";
import type { Clock } from "#ports/clock.ts";

/** Between two looks where nobody tells that something changed: another process may have ended a call. */
const firstLookMs = 250;
const latestLookMs = 5000;

export interface WaitingLine {
  /**
   * Makes `attempt` when nobody who came before wants one of the same `keys`, and again whenever something may have changed, until it
   * resolves to other than null. Rejects with `limit_reached`, `interrupted`, or as `attempt` does.
   */
  pass<T>(keys: readonly string[], attempt: () => Promise<T | null>, signal?: AbortSignal): Promise<T>;
  /** A call ended: whoever waits looks again. */
  moved(): void;
  /** Entries that could not be written yet, by id. */
  readonly unwritten: Map<string, LedgerEntry>;
}

interface Place {
  keys: readonly string[];
  wake: AbortController;
}

export function waitingLine(clock: Clock, { most, waitMs }: { most: number; waitMs: number }): WaitingLine {
  const line: Place[] = [];

  function isNext(place: Place) {
    for (const before of line) {
      if (before === place) return true;
      if (before.keys.some((key) => place.keys.includes(key))) return false;
    }
    return true;
  }

  function moved() {
    for (const place of line) place.wake.abort();
  }

  return {
    moved,
    unwritten: new Map(),
    async pass(keys, attempt, signal) {
      if (line.length >= most) throw tooMany(most);
      const place: Place = { keys, wake: new AbortController() };
      line.push(place);
      const until = clock.now() + waitMs;
      let lookMs = firstLookMs;
      try {
        for (;;) {
          if (signal?.aborted) throw new UacError("interrupted", "The model call was cancelled while it waited for its budget.");
          place.wake = new AbortController();
          if (isNext(place)) {
            const done = await attempt();
            if (done !== null) return done;
            if (clock.now() >= until) throw tooLong(waitMs);
          }
          const wake = signal ? AbortSignal.any([place.wake.signal, signal]) : place.wake.signal;
          await clock.sleep(Math.max(1, Math.min(lookMs, until - clock.now())), wake);
          if (!place.wake.signal.aborted) lookMs = Math.min(lookMs * 2, latestLookMs);
          if (!isNext(place) && clock.now() >= until) throw tooLong(waitMs);
        }
      } finally {
        line.splice(line.indexOf(place), 1);
        moved();
      }
    },
  };
}

function tooMany(most: number) {
  return new UacError("limit_reached", `${most} model calls wait for their budgets already; try again when some have ended.`);
}

function tooLong(waitMs: number) {
  const seconds = Math.round(waitMs / 1000);
  return new UacError("limit_reached", `Other calls held the budget for ${seconds} s; try again when they have ended.`);
}
