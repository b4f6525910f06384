/** What every clock keeps. `pass` lets at least that many milliseconds go by. */
import { expect, it } from "vitest";
import type { Clock } from "#ports/clock.ts";

export function clockContract(make: () => { clock: Clock; pass(ms: number): Promise<void> }) {
  const watch = (promise: Promise<void>) => {
    const watched = { done: false };
    void promise.then(() => {
      watched.done = true;
    });
    return watched;
  };

  it("counts milliseconds and never goes back", async () => {
    const { clock, pass } = make();
    const before = clock.now();
    await pass(5);
    expect(Number.isInteger(before)).toBe(true);
    expect(clock.now()).toBeGreaterThan(before);
  });

  it("wakes who sleeps when the time is over, not before", async () => {
    const { clock, pass } = make();
    const short = watch(clock.sleep(5));
    const controller = new AbortController();
    const long = watch(clock.sleep(3_600_000, controller.signal));
    await pass(50);
    expect(short.done).toBe(true);
    expect(long.done).toBe(false);
    controller.abort();
  });

  it("wakes at once when the signal aborts, before or during the sleep, and never rejects", async () => {
    const { clock } = make();
    await expect(clock.sleep(3_600_000, AbortSignal.abort(new Error("before")))).resolves.toBeUndefined();
    const controller = new AbortController();
    const sleep = clock.sleep(3_600_000, controller.signal);
    controller.abort(new Error("during"));
    await expect(sleep).resolves.toBeUndefined();
  });

  it("does not sleep for nothing or less", async () => {
    const { clock } = make();
    await expect(clock.sleep(0)).resolves.toBeUndefined();
    await expect(clock.sleep(-5)).resolves.toBeUndefined();
  });

  it("sleeps longer than a timer can", async () => {
    const { clock, pass } = make();
    const controller = new AbortController();
    const sleep = watch(clock.sleep(2 ** 31 + 5, controller.signal));
    await pass(20);
    expect(sleep.done).toBe(false);
    controller.abort();
  });
}
