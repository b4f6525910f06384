/** A factory's clock: its machine's, set by headquarters. */
import { expect, it } from "vitest";
import { manualClock } from "#adapters/clock/manual.ts";
import { hqClock } from "../../branch-agent/hq-clock.ts";

const hourMs = 3_600_000;

it.each([hourMs, -hourMs])("%i ms off, it shows headquarters' time from the first answer on, and goes on from there", async (off) => {
  const own = manualClock(10 * hourMs + off);
  const clock = hqClock(own);
  expect(clock.now()).toBe(10 * hourMs + off);
  clock.follow(10 * hourMs);
  expect(clock.now()).toBe(10 * hourMs);
  await own.advance(1000);
  expect(clock.now()).toBe(10 * hourMs + 1000);
});

it("is left alone by what is only the way of an answer", () => {
  const clock = hqClock(manualClock(hourMs));
  clock.follow(hourMs - 4000);
  expect(clock.now()).toBe(hourMs);
});

it("follows a clock that is set back, and one that is set right again", () => {
  const clock = hqClock(manualClock(5 * hourMs));
  for (const now of [4 * hourMs, 5 * hourMs, 6 * hourMs]) {
    clock.follow(now);
    expect(clock.now()).toBe(now);
  }
});
