import { describe, expect, it } from "vitest";
import { manualClock } from "#adapters/clock/manual.ts";
import { systemClock } from "#adapters/clock/system.ts";
import { clockContract } from "../contracts/clock.contract.ts";

describe("system", () => {
  clockContract(() => ({ clock: systemClock, pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) }));
});

describe("manual", () => {
  clockContract(() => {
    const clock = manualClock(1000);
    return { clock, pass: (ms) => clock.advance(ms) };
  });

  it("stands still unless told", async () => {
    const clock = manualClock(1000);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(clock.now()).toBe(1000);
  });

  it("wakes sleepers in order, at their own time, also those who lie down again on the way", async () => {
    const clock = manualClock(0);
    const woken: [string, number][] = [];
    const every = async (name: string, ms: number) => {
      for (;;) {
        await clock.sleep(ms);
        woken.push([name, clock.now()]);
      }
    };
    void every("a", 20);
    void every("b", 30);
    await clock.advance(65);
    expect(woken).toEqual([
      ["a", 20],
      ["b", 30],
      ["a", 40],
      ["b", 60],
      ["a", 60],
    ]);
    expect(clock.now()).toBe(65);
    expect(clock.sleepers()).toBe(2);
  });

  it("forgets who was woken by a signal", () => {
    const clock = manualClock(0);
    const controller = new AbortController();
    void clock.sleep(10, controller.signal);
    expect(clock.sleepers()).toBe(1);
    controller.abort();
    expect(clock.sleepers()).toBe(0);
  });
});
