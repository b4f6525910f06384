/** The desks under Node, and their minute tick, on a clock that is moved by hand. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { manualClock } from "#adapters/clock/manual.ts";
import type { Log } from "#ports/log.ts";
import { chatQueue } from "../../hq-worker/chat-queue.ts";
import { everyMinute } from "../../hq-worker/minutes.ts";

const start = 1_000_000;

function quietLog() {
  const errors: string[] = [];
  const log: Log = { debug() {}, info() {}, warn() {}, error: (text) => void errors.push(text), with: () => log };
  return { log, errors };
}

/** A queue whose rounds last until they are ended, and what it began. */
function bench(atOnce = 8) {
  const clock = manualClock(start);
  const { log, errors } = quietLog();
  const began: { chat: number; at: number }[] = [];
  const running: { chat: number; end: (next: number | null | Error) => void }[] = [];
  const queue = chatQueue({
    clock,
    log,
    atOnce,
    work(chat) {
      began.push({ chat, at: clock.now() - start });
      return new Promise((resolve, reject) => {
        const one = {
          chat,
          end(next: number | null | Error) {
            running.splice(running.indexOf(one), 1);
            if (next instanceof Error) reject(next);
            else resolve(next);
          },
        };
        running.push(one);
      });
    },
  });
  const chats = () => running.map(({ chat }) => chat).toSorted((a, b) => a - b);
  const end = async (chat: number, next: number | null | Error = null) => {
    running.find((one) => one.chat === chat)?.end(next);
    await clock.advance(0);
  };
  return { clock, queue, began, running, chats, end, errors };
}

describe("the queue of chats", () => {
  it("works one round at a time for a chat, and other chats beside it", async () => {
    const b = bench();
    for (const chat of [1, 1, 2]) await b.queue.ring(chat);
    expect(b.chats()).toEqual([1, 2]);
    // Rung while it worked: it looks again, once.
    await b.queue.ring(1);
    await b.end(1);
    expect(b.began.map(({ chat }) => chat)).toEqual([1, 2, 1]);
    await b.end(1);
    await b.end(2);
    expect(b.chats()).toEqual([]);
    expect(b.clock.sleepers()).toBe(0);
  });

  it("has so many chats at work and no more; who waited longest comes next", async () => {
    const b = bench(2);
    for (const chat of [1, 2]) await b.queue.ring(chat);
    await b.queue.ring(4, start + 10);
    await b.queue.ring(3, start + 5);
    await b.clock.advance(100);
    expect(b.chats()).toEqual([1, 2]);
    await b.end(1);
    expect(b.chats()).toEqual([2, 3]);
    await b.end(2);
    expect(b.chats()).toEqual([3, 4]);
  });

  it("comes when it is told to, and earlier if it is rung", async () => {
    const b = bench();
    await b.queue.ring(1, start + 300_000);
    await b.queue.ring(1, start + 400_000);
    await b.clock.advance(299_999);
    expect(b.began).toEqual([]);
    await b.clock.advance(1);
    await b.end(1, start + 900_000);
    await b.queue.ring(1, start + 310_000);
    await b.clock.advance(100_000);
    expect(b.began).toEqual([
      { chat: 1, at: 300_000 },
      { chat: 1, at: 310_000 },
    ]);
  });

  it("tries a round that breaks off later and later, then leaves it to whoever rings again", async () => {
    const b = bench();
    await b.queue.ring(1);
    for (let i = 0; i < 7; i += 1) {
      await b.end(1, new Error("broken"));
      await b.clock.advance(64_000);
    }
    const waits = b.began.slice(1).map(({ at }, i) => at - 64_000 * i);
    expect(waits).toEqual([2000, 4000, 8000, 16_000, 32_000, 64_000]);
    expect(b.errors).toHaveLength(7);
    await b.clock.advance(10 * 60_000);
    expect(b.began).toHaveLength(7);
    await b.queue.ring(1);
    expect(b.began).toHaveLength(8);
    await b.end(1, new Error("broken"));
    await b.clock.advance(2000);
    expect(b.began).toHaveLength(9);
    await b.end(1);
    expect(b.clock.sleepers()).toBe(0);
  });

  it("begins nothing once it closes, and waits for what runs", async () => {
    const b = bench();
    await b.queue.ring(1);
    await b.queue.ring(2, start + 10);
    let closed = false;
    const closing = b.queue.close().then(() => {
      closed = true;
    });
    await b.queue.ring(3);
    await b.clock.advance(1000);
    expect(b.chats()).toEqual([1]);
    expect(closed).toBe(false);
    await b.end(1, start + 2000);
    await closing;
    await b.clock.advance(10_000);
    expect(b.began).toHaveLength(1);
  });

  it("whatever is rung and however rounds end: never two of a chat, never too many, and no ring is lost", async () => {
    const chat = fc.integer({ min: 1, max: 5 });
    const step = fc.oneof(
      fc.record({ do: fc.constant("ring" as const), chat, at: fc.integer({ min: -10, max: 5000 }) }),
      fc.record({ do: fc.constant("end" as const), chat, next: fc.option(fc.integer({ min: -10, max: 5000 })), broken: fc.boolean() }),
      fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 4000 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const b = bench(3);
        /** Chats rung since their last round began, and for when. */
        const owed = new Map<number, number>();
        let seen = 0;
        const check = () => {
          expect(new Set(b.chats()).size).toBe(b.running.length);
          expect(b.running.length).toBeLessThanOrEqual(3);
          for (const { chat } of b.began.slice(seen)) owed.delete(chat);
          seen = b.began.length;
        };
        for (const one of steps) {
          if (one.do === "ring") {
            const at = b.clock.now() + one.at;
            owed.set(one.chat, Math.min(at, owed.get(one.chat) ?? at));
            await b.queue.ring(one.chat, at);
          } else if (one.do === "end") {
            const next = one.next === null ? null : b.clock.now() + one.next;
            await b.end(one.chat, one.broken ? new Error("broken") : next);
          } else await b.clock.advance(one.ms);
          check();
        }
        for (let i = 0; i < 200 && (owed.size > 0 || b.running.length > 0); i += 1) {
          for (const { chat } of [...b.running]) await b.end(chat);
          await b.clock.advance(1000);
          check();
        }
        expect([...owed]).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});

describe("the minute tick", () => {
  it("comes at once and every minute, never two at a time, and goes on after one that failed or hangs", async () => {
    const clock = manualClock(start);
    const { log, errors } = quietLog();
    const stop = new AbortController();
    const began: number[] = [];
    let how: "well" | "fails" | "slow" | "hangs" = "well";
    const tick = async () => {
      began.push((clock.now() - start) / 1000);
      if (how === "fails") throw new Error("no");
      if (how === "slow") await clock.sleep(90_000);
      if (how === "hangs") await new Promise(() => undefined);
    };
    const over = everyMinute(tick, { clock, log }, stop.signal);
    await clock.advance(60_000);
    how = "fails";
    await clock.advance(60_000);
    how = "slow";
    await clock.advance(60_000);
    how = "well";
    await clock.advance(120_000);
    expect(began).toEqual([0, 60, 120, 180, 270]);
    how = "hangs";
    await clock.advance(60_000);
    how = "well";
    await clock.advance(330_000);
    expect(began.slice(5)).toEqual([330, 630, 690]);
    expect(errors).toEqual(["the minute tick failed", expect.stringContaining("hangs")]);
    stop.abort();
    await over;
    expect(clock.sleepers()).toBe(0);
  });
});
