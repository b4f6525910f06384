import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultLimits, endingBy } from "#core/limits.ts";
import { backoffBaseMs, backoffCapMs, backoffMs, retriedCodes, retryAt } from "#core/retry.ts";

describe("which failures are tried again", () => {
  it("are those of the hour, not those of the task", () => {
    for (const code of ["model_unreachable", "model_garbage", "not_started", "broke_off"]) expect(retriedCodes).toContain(code);
    const ends = ["gave_up", "regressed", "not_verified", "stuck", "format_errors", "model_refused", "poison", "unreportable", "finished"];
    const limits = ["step_limit", "cost_limit", "token_limit", "time_limit"];
    for (const code of [...ends, ...limits, "", "anything else"]) expect(retriedCodes).not.toContain(code);
  });
});

describe("the wait before another attempt", () => {
  const id = fc.string({ minLength: 1, maxLength: 20 });
  const epoch = fc.integer({ min: 1, max: 50 });
  const failed = fc.integer({ min: 1, max: 40 });

  it("is in its range, and the same for the same attempt", () =>
    fc.assert(
      fc.property(id, epoch, failed, (task, n, times) => {
        const longest = Math.min(backoffCapMs, backoffBaseMs * 2 ** (times - 1));
        const wait = backoffMs(task, n, times);
        expect(wait).toBeGreaterThanOrEqual(longest / 2);
        expect(wait).toBeLessThan(longest);
        expect(Number.isInteger(wait)).toBe(true);
        expect(backoffMs(task, n, times)).toBe(wait);
      }),
    ));

  it("does not fall from one failure to the next, up to the cap", () =>
    fc.assert(
      fc.property(id, epoch, (task, n) => {
        const waits = Array.from({ length: 12 }, (_, i) => backoffMs(task, n + i, i + 1));
        for (const [i, wait] of waits.slice(1).entries()) {
          if (backoffBaseMs * 2 ** (i + 1) <= backoffCapMs) expect(wait).toBeGreaterThanOrEqual(waits[i] ?? 0);
        }
      }),
    ));

  it("is spread over its range: tasks that failed together come back apart", () => {
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < 2000; i += 1) {
      const part = (backoffMs(`t${i}-1-1`, 1, 1) / backoffBaseMs) * 2 - 1;
      const tenth = Math.floor(part * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    for (const n of tenths) expect(Math.abs(n - 200)).toBeLessThan(70);
  });

  it("ends before the deadline, or there is none", () =>
    fc.assert(
      fc.property(id, epoch, failed, fc.integer({ min: 0, max: 2_000_000 }), (task, n, times, left) => {
        const at = retryAt({ id: task, epoch: n, failed: times, deadline: 5000 + left }, 5000);
        const wait = backoffMs(task, n, times);
        expect(at).toBe(wait < left ? 5000 + wait : null);
        expect(retryAt({ id: task, epoch: n, failed: times, deadline: null }, 5000)).toBe(5000 + wait);
      }),
    ));
});

describe("the time of a task with a deadline", () => {
  it.each<[number | null, number, number]>([
    [null, 1000, defaultLimits.wallS],
    [601_000, 1000, 600],
    [1_000_000_000, 1000, defaultLimits.wallS],
    [1999, 1000, 1],
    [500, 1000, 1],
  ])("deadline %s, begun at %i: %i s", (deadline, begunAt, wallS) => {
    expect(endingBy(defaultLimits, deadline, begunAt)).toEqual({ ...defaultLimits, wallS });
  });
});
