/** Headquarters looks at a task and then takes a step with it: what happens between the two is not undone by the step. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cancelTask } from "#factory/cancel.ts";
import { grantClaim } from "#factory/claim.ts";
import { delegate } from "#factory/delegate.ts";
import { dispatchAll, dispatchTask } from "#factory/dispatch.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import { pauseTask } from "#factory/pause.ts";
import { requeue } from "#factory/recover.ts";
import { retireFactory } from "#factory/retire.ts";
import type { Tasks } from "#ports/tasks.ts";
import { type Desk, type HqBench, openHq, recover, resultOf, settleResult, wish } from "./headquarters.ts";

let b: HqBench;
let desk: Desk;
beforeEach(async () => {
  b = await openHq();
  desk = await b.join();
  await recover(b.hq);
  await delegate(b.hq, wish());
});
afterEach(() => b.close());

async function claimIt() {
  const [order] = await desk.orders();
  await grantClaim(b.hq, await desk.factory(), { task: "t1-1-1", epoch: 1, order: order?.id ?? "" });
}
/** Headquarters to which `event` happens just before its first `step`: after the look that led to it. */
function meeting(event: () => Promise<unknown>, step: keyof Tasks): Headquarters {
  const real = b.store.tasks[step] as (...args: unknown[]) => Promise<unknown>;
  let met = false;
  const late = async (...args: unknown[]) => {
    if (!met) {
      met = true;
      await event();
    }
    return real(...args);
  };
  return { ...b.hq, store: { ...b.store, tasks: { ...b.store.tasks, [step]: late } } };
}
const cancel = () => cancelTask(b.hq, "t1-1-1", "not needed");
const kinds = async () => (await b.store.tasks.events("t1-1-1")).map(({ kind }) => kind);
const told = async () => (await b.rows("select key from letters where key like 'done:%'")).length;
/** The factory is silent until its lease has run out. */
async function silence(hq = b.hq) {
  await b.clock.advance(60_000);
  await recover(b.hq);
  await b.clock.advance(60_001);
  await recover(hq);
}

describe("a cancellation that comes in between", () => {
  it("is not undone by a new attempt for one that was lost: the next tick ends the task", async () => {
    await claimIt();
    await silence(meeting(cancel, "requeue"));
    expect(await b.task()).toMatchObject({ state: "running", epoch: 1, lost: 0, cancelRequested: "not needed" });
    expect(await kinds()).not.toContain("lost");
    await recover(b.hq);
    expect(await b.task()).toMatchObject({ state: "cancelled", epoch: 1, reason: "not needed" });
    expect(await told()).toBe(1);
  });

  it("ends a task that its factory gives back just then", async () => {
    await claimIt();
    await settleResult(meeting(cancel, "requeue"), "desk-1", resultOf({ outcome: "released" }));
    expect(await b.task()).toMatchObject({ state: "cancelled", epoch: 1, reason: "not needed" });
    expect(await told()).toBe(1);
  });

  it("is said to whoever would try it again", async () => {
    await claimIt();
    const seen = await b.task();
    await cancel();
    expect(await requeue(b.hq, seen, "return", "given back", "released")).toBe(false);
    expect(await requeue(b.hq, await b.task(), "return", "given back", "released")).toBe(true);
    expect((await b.task()).state).toBe("cancelled");
  });
});

it("a task that moves on while its factory is retired is not said to be tried again", async () => {
  await claimIt();
  expect(await retireFactory(meeting(cancel, "requeue"), "desk-1")).not.toContain("tried again");
  expect(await b.task()).toMatchObject({ state: "running", cancelRequested: "not needed" });
  await silence();
  expect(await b.task()).toMatchObject({ state: "cancelled", epoch: 1 });
});

describe("a claim that comes in between", () => {
  it("is not undone by holding the task", async () => {
    const seen = { ...(await b.task()), state: "queued" as const };
    await dispatchTask(meeting(claimIt, "move"), seen, { hold: "offline", reason: "desk-1 is offline" });
    expect(await b.task()).toMatchObject({ state: "running", epoch: 1, factory: "desk-1" });
    expect(await kinds()).toEqual(["delegated", "dispatched", "published", "claimed"]);
  });

  it("is not passed over by a cancellation: the factory is told to stop", async () => {
    expect(await cancelTask(meeting(claimIt, "move"), "t1-1-1", "not needed")).toBe("requested");
    expect(await b.task()).toMatchObject({ state: "running", cancelRequested: "not needed" });
    expect(await b.store.controls.exchange("desk-1", [], 9, b.clock.now())).toMatchObject([{ do: "cancel", task: "t1-1-1" }]);
    expect(await told()).toBe(0);
  });
});

describe("a pause", () => {
  it("that meets the task's return does not keep it at a factory that has let it go", async () => {
    await claimIt();
    const meets = meeting(() => pauseTask(b.hq, "t1-1-1", "Ann"), "requeue");
    await settleResult(meets, "desk-1", resultOf({ outcome: "released", reason: "shutting down" }));
    expect(await b.task()).toMatchObject({ state: "queued", epoch: 2, lost: 0, failed: 0, factory: null });
    expect(await kinds()).toContain("pause");
    expect((await kinds()).at(-1)).toBe("released");
  });

  it("keeps a task at a factory that is away, and not at one that was retired", async () => {
    await claimIt();
    await pauseTask(b.hq, "t1-1-1", "Ann");
    await silence();
    await silence();
    expect(await b.task()).toMatchObject({ state: "paused", factory: "desk-1", epoch: 1 });
    // This event has no calls left for taking anything back.
    b.limits.calls = b.counts.sql + b.counts.bus + b.counts.letters + b.counts.model + 12;
    await retireFactory(b.hq, "desk-1");
    b.limits.calls = Number.POSITIVE_INFINITY;
    expect(await b.task()).toMatchObject({ state: "paused", factory: "desk-1" });
    await silence();
    expect(await b.task()).toMatchObject({ state: "queued", epoch: 2, factory: null });
    await b.join("desk-2");
    await dispatchAll(b.hq);
    expect(await b.task()).toMatchObject({ state: "dispatched", factory: "desk-2" });
  });
});
