/** A clock that nobody sets. */
import { uptime } from "node:os";
import { describe, expect, it, vi } from "vitest";
import { systemClock } from "#adapters/clock/system.ts";
import { hqClock } from "../../branch-agent/hq-clock.ts";
import { steadyClock } from "../../branch-agent/steady-clock.ts";
import { clockContract } from "../contracts/clock.contract.ts";

const hourMs = 3_600_000;

describe("on this machine", () => {
  clockContract(() => ({ clock: steadyClock(systemClock), pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) }));

  it.each([hourMs, -hourMs])(
    "the machine's clock is set by %i ms, and nothing of it is seen, before and after headquarters spoke",
    (step) => {
      const real = Date.now;
      const [clock, following] = [steadyClock(systemClock), hqClock(steadyClock(systemClock))];
      following.follow(5 * hourMs);
      const [before, beforeThere] = [clock.now(), following.now()];
      const set = vi.spyOn(Date, "now").mockImplementation(() => real() + step);
      expect(Math.abs(Date.now() - real() - step)).toBeLessThan(hourMs / 2);
      expect(clock.now() - before).toBeLessThan(hourMs / 2);
      expect(clock.now()).toBeGreaterThanOrEqual(before);
      expect(Math.abs(following.now() - beforeThere)).toBeLessThan(hourMs / 2);
      set.mockRestore();
    },
  );

  it.runIf(process.platform === "linux")("Linux tells how long it is up, more finely than by the second", async () => {
    const first = uptime();
    await vi.waitUntil(() => uptime() > first, { timeout: 10_000, interval: 1 });
    expect(uptime() - first).toBeLessThan(1);
  });
});

describe("a machine that sleeps", () => {
  const at = { awake: 5000, boot: 900_000 };
  const clockOf = () => steadyClock({ now: () => hourMs, sleep: async () => {} }, { awake: () => at.awake, sinceBoot: () => at.boot });

  it("wakes with the right time, however often, and goes on in milliseconds", () => {
    const clock = clockOf();
    const pass = (awakeMs: number, asleepMs: number) => {
      at.awake += awakeMs;
      at.boot += awakeMs + asleepMs;
      return clock.now() - hourMs;
    };
    expect(pass(7, 0)).toBe(7);
    expect(pass(0, 600_000)).toBe(600_007);
    expect(pass(3, 0)).toBe(600_010);
    expect(pass(0, 8 * hourMs)).toBe(8 * hourMs + 600_010);
  });

  it("takes the grain of the coarser count for no sleep, and never goes back by it", () => {
    const clock = clockOf();
    const seen = [0, 9, -9, 1005, -1005, 1010].map((jitter) => {
      at.boot += jitter;
      at.awake += 1;
      return clock.now();
    });
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });
});
