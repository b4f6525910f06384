import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { leaseMs } from "#core/fleet.ts";
import type { TaskState } from "#core/task.ts";
import { type CancelOutcome, cancelTask } from "#factory/cancel.ts";
import { grantClaim } from "#factory/claim.ts";
import { delegate } from "#factory/delegate.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import { acceptHeartbeat } from "#factory/heartbeat.ts";
import { recoverLost } from "#factory/recover.ts";
import { quietBeat } from "../support/heartbeats.ts";
import { type Desk, type HqBench, openHq, recover, resultOf, settleResult, wish } from "./headquarters.ts";

let b: HqBench;
let desk: Desk;
beforeEach(async () => {
  b = await openHq();
  desk = await b.join();
  await recover(b.hq);
});
afterEach(() => b.close());

const minute = 60_000;
/** As cron does, the factory alive or silent. */
async function ticks(n: number, beat?: () => Promise<unknown>) {
  for (let i = 0; i < n; i += 1) {
    await b.clock.advance(minute);
    await beat?.();
    await recover(b.hq);
  }
}
async function toState(state: TaskState | "none") {
  if (state === "none") return;
  if (state === "held") return void (await delegate(b.hq, wish({ workspace: "elsewhere" })));
  await delegate(b.hq, wish());
  if (state === "queued") return b.client.execute("update tasks set state = 'queued'");
  if (state === "waiting") return b.client.execute("update tasks set state = 'waiting'");
  if (state === "dispatched") return;
  await claimIt();
  if (state === "paused") await b.store.tasks.move("t1-1-1", 1, "pause", { kind: "paused", text: "", code: "" }, b.clock.now());
  if (state === "awaiting_approval") await b.store.tasks.move("t1-1-1", 1, "ask", { kind: "asked", text: "", code: "" }, b.clock.now());
  if (state === "succeeded") await settleResult(b.hq, "desk-1", resultOf());
}
async function claimIt() {
  const order = (await desk.orders()).at(-1);
  const epoch = order?.body.epoch ?? 1;
  await grantClaim(b.hq, await desk.factory(), { task: "t1-1-1", epoch, order: order?.id ?? "" });
}
const told = async () => (await b.rows("select key from letters where key like 'done:%'")).length;

describe("recoverLost", () => {
  it("takes a task back from a factory that fell silent, and tries it again", async () => {
    await toState("running");
    await ticks(2);
    expect((await b.task()).state).toBe("running");
    await ticks(1);
    expect(await b.task()).toMatchObject({
      state: "queued",
      epoch: 2,
      lost: 1,
      factory: null,
      reason: expect.stringContaining("not heard of"),
    });
    const before = await b.snapshot();
    await recover(b.hq);
    expect(await b.snapshot()).toEqual(before);
  });

  it("leaves a task with a factory that beats", async () => {
    await toState("running");
    const running = [{ task: "t1-1-1", epoch: 1, step: 1, cost: 0, tokens: 0, paused: false, overBudget: null }];
    await ticks(6, async () => acceptHeartbeat(b.hq, await desk.factory(), quietBeat(desk.facts, { rttMs: 1, draining: false, running })));
    expect(await b.task()).toMatchObject({ state: "running", epoch: 1 });
  });

  it("takes back an order that nobody claims", async () => {
    await toState("dispatched");
    await ticks(5, desk.beat);
    expect((await b.task()).state).toBe("dispatched");
    await ticks(1, desk.beat);
    expect(await b.task()).toMatchObject({ state: "queued", epoch: 2, lost: 1, reason: expect.stringContaining("did not claim it") });
  });

  it("leaves an order with a factory that has taken it in, and takes it back once it has not", async () => {
    await toState("running");
    await delegate(b.hq, wish({ id: "t2-1-1" }));
    const running = [{ task: "t1-1-1", epoch: 1, step: 1, cost: 0, tokens: 0, paused: false, overBudget: null }];
    const beat = (accepted: { task: string; epoch: number }[]) => async () =>
      acceptHeartbeat(b.hq, await desk.factory(), quietBeat(desk.facts, { running, accepted }));
    await ticks(20, beat([{ task: "t2-1-1", epoch: 1 }]));
    expect(await b.task("t2-1-1")).toMatchObject({ state: "dispatched", epoch: 1, lost: 0 });
    expect(await desk.orders(), "nothing was sent twice").toHaveLength(1);

    await ticks(3, beat([]));
    expect(await b.task("t2-1-1")).toMatchObject({ state: "queued", epoch: 2, lost: 1 });
    expect((await b.task()).state).toBe("running");
  });

  it("sends an order again, as it was, to a factory that has not got it, until it is claimed", async () => {
    await toState("dispatched");
    await b.hq.bus.remove({ factory: "desk-1", channel: "in" }, ["1"]);
    expect(await desk.orders(), "wiped").toEqual([]);
    const beat = async () => {
      await acceptHeartbeat(b.hq, await desk.factory(), quietBeat(desk.facts));
      await dispatchAll(b.hq);
    };
    await b.clock.advance(minute / 2);
    await beat();
    expect(await desk.orders(), "it may be on its way").toEqual([]);
    await ticks(3, beat);
    const orders = await desk.orders();
    expect(orders.length).toBeGreaterThanOrEqual(2);
    expect(new Set(orders.map(({ id }) => id)).size, "the same order").toBe(1);
    await grantClaim(b.hq, await desk.factory(), { task: "t1-1-1", epoch: 1, order: orders[0]?.id ?? "" });
    await ticks(1, beat);
    expect(await desk.orders()).toEqual([]);
    expect(await b.task()).toMatchObject({ lost: 0, epoch: 1 });
  });

  it("counts no time in which headquarters was away itself, or could not read the bus", async () => {
    await toState("running");
    await ticks(1);
    await b.clock.advance(3 * 3_600_000);
    await recover(b.hq);
    expect(await b.task()).toMatchObject({ state: "running", leaseUntil: b.clock.now() + leaseMs });
    await ticks(2);
    expect((await b.task()).state, "a whole round").toBe("running");
    await ticks(1);
    expect((await b.task()).state).toBe("queued");
  });

  it("gives everybody a round at its very first tick", async () => {
    await toState("running");
    await b.client.execute("delete from facts where key = 'last_tick'");
    await b.clock.advance(leaseMs + 1);
    await recover(b.hq);
    expect((await b.task()).state).toBe("running");
  });

  it("judges nobody whom it did not hear out", async () => {
    await toState("running");
    await ticks(1);
    await b.clock.advance(minute);
    await recoverLost(b.hq, { at: b.clock.now(), unread: [] });
    await b.clock.advance(minute);
    await recoverLost(b.hq, { at: b.clock.now(), unread: ["desk-1"] });
    expect((await b.task()).state).toBe("running");
    await recoverLost(b.hq, { at: b.clock.now(), unread: [] });
    expect((await b.task()).state).toBe("queued");
  });

  it("loses nothing of a factory that is always there, and everything of one that went, whenever headquarters was away", async () => {
    const seconds = fc.integer({ min: 1, max: 500 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ watches: seconds, away: seconds }), { maxLength: 5 }), fc.boolean(), async (times, alive) => {
        await b.client.execute("delete from tasks");
        await b.client.execute("delete from attempts");
        await b.client.execute("delete from outbox");
        await desk.beat();
        await recover(b.hq);
        const id = `t${b.clock.now()}-1-1`;
        await delegate(b.hq, wish({ id }));
        const order = (await desk.orders()).at(-1);
        await grantClaim(b.hq, await desk.factory(), { task: id, epoch: 1, order: order?.id ?? "" });
        const running = [{ task: id, epoch: 1, step: 1, cost: 0, tokens: 0, paused: false, overBudget: null }];
        const beat = quietBeat(desk.facts, { running });
        /** Heartbeats come every 30 seconds, ticks every 60, for as long as there is an HQ to take them. */
        let second = 0;
        const pass = async (n: number, here: boolean) => {
          for (const end = second + n; second < end; ) {
            const next = Math.min(end, (Math.floor(second / 30) + 1) * 30);
            await b.clock.advance((next - second) * 1000);
            second = next;
            if (here && alive && second % 30 === 0) await acceptHeartbeat(b.hq, await desk.factory(), beat);
            if (here && second % 60 === 0) await recover(b.hq);
          }
        };
        for (const { watches, away } of times) {
          await pass(watches, true);
          await pass(away, false);
        }
        if (alive) {
          await pass(200, true);
          expect(await b.task(id)).toMatchObject({ epoch: 1, lost: 0, state: "running" });
        } else {
          // At most: one tick that notices the absence, a whole lease from then on, one tick that notices its end.
          await pass(60 + leaseMs / 1000 + 60 + 1, true);
          expect((await b.task(id)).lost).toBe(1);
        }
      }),
      { numRuns: 25 },
    );
  }, 60_000);

  it("gives a task up after three losses, and tells the owner once", async () => {
    await delegate(b.hq, wish());
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await claimIt();
      await ticks(4);
      await desk.beat();
      await dispatchAll(b.hq);
    }
    expect(await b.task()).toMatchObject({ state: "dead", lost: 3, reason: expect.stringContaining("given up after 3 lost") });
    await ticks(3);
    expect(await told()).toBe(1);
  });

  it("ends a task whose cancellation a silent factory never answered", async () => {
    await toState("running");
    expect(await cancelTask(b.hq, "t1-1-1", "not needed")).toBe("requested");
    await ticks(4);
    expect(await b.task()).toMatchObject({ state: "cancelled", epoch: 1, lost: 0, reason: "not needed" });
    expect(await told()).toBe(1);
    await settleResult(b.hq, "desk-1", resultOf());
    expect((await b.task()).state, "what comes late changes nothing").toBe("cancelled");
  });

  it("ends it too if the factory beats on and never stops", async () => {
    await toState("running");
    await cancelTask(b.hq, "t1-1-1", "not needed");
    const running = [{ task: "t1-1-1", epoch: 1, step: 1, cost: 0, tokens: 0, paused: false, overBudget: null }];
    await ticks(4, async () => acceptHeartbeat(b.hq, await desk.factory(), quietBeat(desk.facts, { rttMs: 1, draining: false, running })));
    expect((await b.task()).state).toBe("cancelled");
  });

  it("goes on next time where one event has too few calls for all", async () => {
    const big = await b.join("desk-2", { slots: 20 });
    for (let i = 0; i < 12; i += 1) await delegate(b.hq, wish({ id: `t${i}-1-1` }));
    expect((await big.orders()).length).toBeGreaterThan(8);
    await ticks(6);
    expect(await b.store.tasks.list({ states: ["queued"], limit: 20 })).toHaveLength(12);
  });
});

describe("cancelTask", () => {
  it.each<[TaskState | "none", CancelOutcome, TaskState | null]>([
    ["none", "unknown", null],
    ["queued", "cancelled", "cancelled"],
    ["waiting", "cancelled", "cancelled"],
    ["held", "cancelled", "cancelled"],
    ["dispatched", "cancelled", "cancelled"],
    ["running", "requested", "running"],
    ["awaiting_approval", "requested", "awaiting_approval"],
    ["paused", "requested", "paused"],
    ["succeeded", "over", "succeeded"],
  ])("of a task that is %s: %s", async (state, outcome, after) => {
    await toState(state);
    expect(await cancelTask(b.hq, "t1-1-1", "not needed")).toBe(outcome);
    if (after === null) return;
    expect((await b.task()).state).toBe(after);
    const again = outcome === "cancelled" ? "over" : outcome;
    expect(await cancelTask(b.hq, "t1-1-1", "said twice")).toBe(again);
    expect(await told()).toBe(after === "cancelled" || after === "succeeded" ? 1 : 0);
    if (outcome === "requested") expect(await b.task()).toMatchObject({ cancelRequested: "not needed" });
  });

  it("tells the factory on its control stream, and shows it on the card", async () => {
    await toState("running");
    await cancelTask(b.hq, "t1-1-1", "not needed");
    const from = [{ factory: "desk-1", channel: "ctl" as const }];
    const [entry] = await b.hq.bus.read({ from, consumer: "desk-1", what: "new", count: 9, blockMs: 0 });
    const trusted = async () => ({ owner: "hq", key: b.hq.signer.publicKey });
    expect(await b.hq.verifier.open(entry?.data ?? "", "desk-1", trusted, b.clock.now())).toMatchObject({
      kind: "control",
      body: { do: "cancel", task: "t1-1-1", epoch: 1, reason: "not needed" },
    });
    const [edit] = await b.rows("select body_json from letters where key = 'card-edit:t1-1-1'");
    expect(String(edit?.body_json)).toContain("stopping");
  });

  it("is asked for though the bus is away: the heartbeat carries it", async () => {
    await toState("running");
    b.bus.fail("publish", "before");
    expect(await cancelTask(b.hq, "t1-1-1", "not needed")).toBe("requested");
    expect((await b.task()).cancelRequested).toBe("not needed");
  });

  it("withdraws an order that has not left", async () => {
    b.bus.fail("publish", "before");
    await delegate(b.hq, wish());
    await cancelTask(b.hq, "t1-1-1", "not needed");
    expect(await b.store.outbox.due(b.clock.now() + 1e9, 10)).toEqual([]);
  });

  it("looks again where the task moved between the look and the step", async () => {
    await toState("dispatched");
    const { get } = b.store.tasks;
    let looks = 0;
    const moving = {
      ...b.store.tasks,
      async get(id: string) {
        const task = await get(id);
        looks += 1;
        if (looks === 1) await claimIt();
        if (looks === 1) await b.client.execute("update tasks set epoch = 2, state = 'queued', factory = null");
        return task;
      },
    };
    expect(await cancelTask({ ...b.hq, store: { ...b.store, tasks: moving } }, "t1-1-1", "not needed")).toBe("cancelled");
    expect(await b.task()).toMatchObject({ state: "cancelled", epoch: 2 });
  });

  it("asks for the end of the attempt that is, where the one that it saw was lost meanwhile", async () => {
    await toState("running");
    const { direct } = b.store.controls;
    const losing = {
      ...b.store.controls,
      async direct(...args: Parameters<typeof direct>) {
        await b.client.execute("update tasks set epoch = 2, state = 'queued', factory = null where epoch = 1");
        return direct(...args);
      },
    };
    expect(await cancelTask({ ...b.hq, store: { ...b.store, controls: losing } }, "t1-1-1", "not needed")).toBe("cancelled");
    expect(await b.task()).toMatchObject({ state: "cancelled", epoch: 2 });
  });

  it("ends in an error where the task never stands still", async () => {
    await toState("dispatched");
    const restless = { ...b.store.tasks, move: async () => false };
    const cancelled = cancelTask({ ...b.hq, store: { ...b.store, tasks: restless } }, "t1-1-1", "not needed");
    await expect(cancelled).rejects.toMatchObject({ code: "conflict" });
  });
});
