import { expect, it } from "vitest";
import { unclaimedMs } from "#core/fleet.ts";
import type { LedgerEntry } from "#core/ledger.ts";
import type { Bench } from "../store.contract.ts";
import { askCancel, atOnce, count, entry, nothingTold, order, receipt, result, settle, taskIn, theTask } from "./samples.ts";

const claim = { factory: "desk", order: "order_1", leaseUntil: 1000 };
const alive = (epoch = 1) => ({ task: "task_1", epoch, step: 4, cost: 55, tokens: 66 });

export function attemptCases(bench: Bench): void {
  it("dispatches once, however many try: one attempt, one event, one order", async () => {
    await taskIn(bench, "queued");
    const answers = await atOnce(40, (i) =>
      bench.store.tasks.dispatch(
        "task_1",
        1,
        { ...order(), factory: `desk-${i}`, places: 1, order: `sealed-${i}`, orderId: `order_${i}` },
        200,
      ),
    );
    expect(count(answers, true)).toBe(1);
    const winner = answers.indexOf(true);
    expect(await theTask(bench)).toMatchObject({ state: "dispatched", factory: `desk-${winner}`, reason: "it is free", updatedAt: 200 });
    expect(await bench.sql("select factory, dispatched_at from attempts")).toEqual([{ factory: `desk-${winner}`, dispatched_at: 200 }]);
    expect(await bench.store.outbox.due(200, 10)).toEqual([
      { id: expect.any(Number), factory: `desk-${winner}`, task: "task_1", epoch: 1, order: `sealed-${winner}` },
    ]);
    expect(await bench.store.tasks.events("task_1")).toHaveLength(2);
  });

  it("leaves no trace of a dispatch that comes twice or too late", async () => {
    await taskIn(bench, "dispatched");
    const before = await bench.snapshot();
    expect(await bench.store.tasks.dispatch("task_1", 1, order(), 250)).toBe(false);
    expect(await bench.store.tasks.dispatch("task_1", 2, order(2), 250)).toBe(false);
    expect(await bench.store.tasks.dispatch("task_2", 1, order(), 250)).toBe(false);
    expect(await bench.snapshot()).toEqual(before);
  });

  it("lets one claim through and the same factory go on with it", async () => {
    await taskIn(bench, "dispatched");
    const answers = await atOnce(40, () => bench.store.tasks.claim("task_1", 1, claim, 300));
    expect([count(answers, "claimed"), count(answers, "resumed")]).toEqual([1, 39]);
    expect(await theTask(bench)).toMatchObject({ state: "running", leaseUntil: 1000, factory: "desk" });
    expect(await bench.sql("select claimed_at from attempts")).toEqual([{ claimed_at: 300 }]);
    expect(await bench.store.tasks.claim("task_1", 1, { ...claim, leaseUntil: 1500 }, 400)).toBe("resumed");
    expect(await bench.store.tasks.claim("task_1", 1, { ...claim, leaseUntil: 700 }, 450)).toBe("resumed");
    expect((await theTask(bench)).leaseUntil).toBe(1500);
    expect((await bench.store.tasks.events("task_1")).map((event) => event.kind)).toEqual(["delegated", "dispatched", "claimed"]);
    expect(await bench.sql("select id from outbox"), "what arrived is not sent again").toEqual([]);
  });

  it.each([
    ["another factory", "task_1", 1, { ...claim, factory: "other" }],
    ["another order", "task_1", 1, { ...claim, order: "order_9" }],
    ["another epoch", "task_1", 2, claim],
    ["no such task", "task_2", 1, claim],
  ] as const)("refuses a claim: %s", async (_, id, epoch, by) => {
    for (const state of ["dispatched", "running"] as const) {
      await taskIn(bench, state);
      const before = await bench.snapshot();
      expect(await bench.store.tasks.claim(id, epoch, by, 400)).toBe("refused");
      expect(await bench.snapshot()).toEqual(before);
    }
  });

  it("refuses a claim of a cancelled task", async () => {
    await taskIn(bench, "dispatched");
    await bench.store.tasks.move("task_1", 1, "cancel", { kind: "cancelled", text: "no", code: "cancelled" }, 250);
    expect(await bench.store.tasks.claim("task_1", 1, claim, 300)).toBe("refused");
    expect(await theTask(bench)).toMatchObject({ state: "cancelled", leaseUntil: null });
  });

  it("accepts one result, with its receipt and its ledger entries", async () => {
    await taskIn(bench, "running");
    const told = result({ usages: [entry(), entry({ id: "usage_0002", cost: null })] });
    const answers = await atOnce(40, () => settle(bench, "succeed", "desk", told, 500));
    expect([count(answers, "accepted"), count(answers, "stale")]).toEqual([1, 39]);
    expect(await theTask(bench)).toMatchObject({
      state: "succeeded",
      code: "finished",
      reason: told.reason,
      summary: told.summary,
      persona: "Lisa",
      receipt,
      step: 12,
      leaseUntil: null,
      endedAt: 500,
    });
    expect(await bench.store.ledger.total({ task: "task_1" })).toMatchObject({ cost: 11, calls: 2, unpriced: 1 });
    expect(await bench.sql("select outcome, reason, persona, ended_at from attempts")).toEqual([
      { outcome: "succeeded", reason: told.reason, persona: "Lisa", ended_at: 500 },
    ]);
    expect((await bench.store.tasks.events("task_1")).filter((event) => event.kind === "succeeded")).toHaveLength(1);

    const before = await bench.snapshot();
    expect(await settle(bench, "fail", "desk", { ...told, outcome: "failed" }, 600), "an end is an end").toBe("stale");
    expect(await bench.snapshot()).toEqual(before);
  });

  it.each([
    ["another factory", "other", {}],
    ["another epoch", "desk", { epoch: 2 }],
    ["no such task", "desk", { task: "task_2" }],
  ] as const)("keeps only the ledger of a stale result: %s", async (_, factory, changed) => {
    await taskIn(bench, "running");
    const before = await bench.snapshot();
    expect(await settle(bench, "succeed", factory, result({ ...changed, usages: [entry()] }), 500)).toBe("stale");
    const { usages, usage_daily: daily, facts: __, ...rest } = await bench.snapshot();
    expect(usages).toHaveLength(1);
    expect(daily).toMatchObject([{ calls: 1, cost: 11 }]);
    expect(rest).toEqual({ ...before, usages: undefined, usage_daily: undefined, facts: undefined });
  });

  it("takes the ids of ledger entries as their factory's own: none keeps out or changes another's, or headquarters'", async () => {
    await taskIn(bench, "running");
    const { tasks, ledger, spending } = bench.store;
    const told = (usages: LedgerEntry[]) => ({ ...nothingTold, usages });
    const [theirs, own] = [entry({ cost: 7 }), entry({ id: "usage_of_hq", factory: "hq", cost: 500 })];
    await tasks.settle("other", told([{ ...theirs, cost: 1 }, entry({ id: "usage_of_hq", factory: "hq", cost: 2 })]), 400);
    await spending.settle(own, 410);
    await tasks.settle("desk", told([theirs]), 420);
    for (const factory of ["desk", "other"]) await tasks.settle(factory, told([{ ...theirs, cost: 99 }]), 430);
    expect(await ledger.total({ factory: "desk" })).toMatchObject({ calls: 1, cost: 7 });
    expect(await ledger.total({ factory: "hq" })).toMatchObject({ calls: 1, cost: 500 });
    expect(await ledger.total({ factory: "other" })).toMatchObject({ calls: 2, cost: 3 });
    expect(await ledger.total({ task: "task_1" }), "of its task tells the factory that had it").toMatchObject({ calls: 2, cost: 507 });
  });

  it("accepts a success although a cancellation was asked for", async () => {
    await taskIn(bench, "running");
    await askCancel(bench, 400);
    expect(await settle(bench, "succeed", "desk", result(), 500)).toBe("accepted");
    expect((await theTask(bench)).state).toBe("succeeded");
  });

  it("renews leases, and says what to stop and why", async () => {
    await taskIn(bench, "running");
    expect(await bench.store.tasks.renew("desk", [], 2000, 500)).toEqual([]);
    expect(await bench.store.tasks.renew("desk", [alive()], 2000, 500)).toEqual([]);
    expect(await theTask(bench)).toMatchObject({ leaseUntil: 2000, step: 4 });
    expect(await bench.sql("select live_cost, live_tokens from tasks")).toEqual([{ live_cost: 55, live_tokens: 66 }]);

    const stop = (of: Awaited<ReturnType<typeof bench.store.tasks.renew>>) => of.map(({ task, epoch, reason }) => [task, epoch, reason]);
    const unknown = { ...alive(), task: "task_9" };
    expect(stop(await bench.store.tasks.renew("desk", [unknown, alive(3), alive()], 2100, 510))).toEqual([
      ["task_9", 1, expect.stringContaining("no such task")],
      ["task_1", 3, expect.stringContaining("attempt 1")],
    ]);
    expect((await theTask(bench)).leaseUntil).toBe(2100);
    expect(stop(await bench.store.tasks.renew("other", [alive()], 9000, 520))).toEqual([["task_1", 1, "it is with desk"]]);

    await askCancel(bench, 530);
    expect(stop(await bench.store.tasks.renew("desk", [alive()], 9000, 540)), "a control tells it").toEqual([]);
    expect((await theTask(bench)).leaseUntil, "a task to be stopped is not kept alive").toBe(2100);

    await settle(bench, "cancel", "desk", result({ outcome: "cancelled" }), 550);
    expect(stop(await bench.store.tasks.renew("desk", [alive()], 9000, 560))).toEqual([["task_1", 1, "it is cancelled"]]);
    expect((await theTask(bench)).leaseUntil).toBeNull();
  });

  it("finds leases that ran out and orders that nobody claimed, but for those of factories that were not heard out", async () => {
    const found = async (now: number, unread: string[] = []) => (await bench.store.tasks.expired(now, unread)).map((t) => t.state);
    await taskIn(bench, "dispatched");
    expect(await found(200 + unclaimedMs)).toEqual([]);
    expect(await found(201 + unclaimedMs)).toEqual(["dispatched"]);
    expect(await found(201 + unclaimedMs, ["desk"])).toEqual([]);
    expect(await found(201 + unclaimedMs, ["other"])).toEqual(["dispatched"]);
    await bench.sql("update tasks set lease_until = null");
    expect(await found(200 + unclaimedMs), "given out by an earlier version").toEqual([]);
    expect(await found(201 + unclaimedMs)).toEqual(["dispatched"]);
    await bench.store.tasks.claim("task_1", 1, claim, 300);
    expect(await found(1000)).toEqual([]);
    expect(await found(1001)).toEqual(["running"]);
    await bench.store.tasks.move("task_1", 1, "pause", { kind: "paused", text: "sleeps", code: "paused" }, 400);
    expect(await found(1001), "it may rest for as long as the owner likes").toEqual([]);
    await askCancel(bench, 450);
    expect(await found(1001)).toEqual(["paused"]);
    await bench.store.tasks.move("task_1", 1, "cancel", { kind: "cancelled", text: "no", code: "cancelled" }, 500);
    expect(await found(9999)).toEqual([]);
  });

  it("sends an order until it was sent", async () => {
    await taskIn(bench, "dispatched");
    const [row] = await bench.store.outbox.due(200, 10);
    if (!row) throw new Error("the order is not due");
    expect(await bench.store.outbox.due(199, 10)).toEqual([]);
    await bench.store.outbox.retryAt(row, 700, "no answer");
    expect(await bench.store.outbox.due(699, 10)).toEqual([]);
    expect(await bench.store.outbox.due(700, 10)).toEqual([row]);
    await bench.store.outbox.sent(row, { kind: "published", text: "on the bus" }, 710);
    await bench.store.outbox.retryAt(row, 720, "too late to say");
    expect(await bench.store.outbox.due(9999, 10)).toEqual([]);
    expect(await bench.sql("select sent_at, attempts, error from outbox")).toEqual([{ sent_at: 710, attempts: 1, error: "" }]);
  });
}
