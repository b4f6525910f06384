/**
 * The desks under Node: one round at a time for each chat, some chats side by side. It keeps no state that a crash could
 * lose, since messages and letters wait in their tables: whoever starts it rings every chat that has some.
 */
import type { Clock } from "#ports/clock.ts";
import type { Log } from "#ports/log.ts";
import type { Desks } from "./context.ts";

export interface ChatQueueOptions {
  /** A round of a chat's. Resolves to when the chat wants its next (ms), or to null. */
  work(chat: number): Promise<number | null>;
  clock: Clock;
  log: Log;
  /** Chats that are worked on side by side. */
  atOnce?: number;
}

export interface ChatQueue extends Desks {
  /** Begins no round any more. Resolves when those that run have ended. Repeatable. */
  close(): Promise<void>;
}

interface Place {
  /** When its next round is due (ms); Infinity for none. */
  due: number;
  /** The round that runs. */
  round: Promise<void> | null;
  /** Rounds that broke off, one after the other. */
  failures: number;
}

/** A round that broke off is tried again after 2, 4, 8 … s; after so many times the chat is left to the minute tick, which rings it. */
const retries = 6;
const retryMs = 1000;
/** A timer sleeps no longer than this: a clock that was set forward is noticed. */
const longestSleepMs = 60_000;

export function chatQueue({ work, clock, log, atOnce = 8 }: ChatQueueOptions): ChatQueue {
  const places = new Map<number, Place>();
  let timer = new AbortController();
  let closed = false;

  /** Begins what is due, longest due first, and sets the timer for what comes next. */
  function look() {
    timer.abort();
    if (closed) return;
    const now = clock.now();
    const waiting = [...places].filter(([, place]) => !place.round && place.due !== Number.POSITIVE_INFINITY);
    const due = waiting.filter(([, place]) => place.due <= now).toSorted(([, a], [, b]) => a.due - b.due);
    const free = Math.max(0, atOnce - running().length);
    for (const [chat, place] of due.slice(0, free)) place.round = round(chat, place);

    // What is due and found no room is begun when a round ends.
    const next = Math.min(...waiting.map(([, place]) => place.due).filter((at) => at > now));
    if (next === Number.POSITIVE_INFINITY) return;
    timer = new AbortController();
    const { signal } = timer;
    void clock.sleep(Math.min(next - now, longestSleepMs), signal).then(() => {
      if (!signal.aborted) look();
    });
  }

  /** Never rejects. */
  async function round(chat: number, place: Place) {
    place.due = Number.POSITIVE_INFINITY;
    let next: number | null = null;
    try {
      next = await work(chat);
      place.failures = 0;
    } catch (error) {
      place.failures += 1;
      log.error("a desk broke off", { chat, failures: place.failures, error });
      if (place.failures <= retries) next = clock.now() + retryMs * 2 ** place.failures;
    }
    place.round = null;
    // It may have been rung meanwhile.
    place.due = Math.min(place.due, next ?? Number.POSITIVE_INFINITY);
    if (place.due === Number.POSITIVE_INFINITY) places.delete(chat);
    look();
  }

  const running = () => [...places.values()].flatMap(({ round }) => round ?? []);

  return {
    async ring(chat, at = clock.now()) {
      const place = places.get(chat) ?? { due: Number.POSITIVE_INFINITY, round: null, failures: 0 };
      places.set(chat, place);
      if (at >= place.due) return;
      place.due = at;
      look();
    },
    async close() {
      closed = true;
      timer.abort();
      await Promise.all(running());
    },
  };
}
