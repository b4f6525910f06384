import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UacError } from "#core/errors.ts";
import { noUsage } from "#core/ledger.ts";
import { announceForgotten } from "#factory/announce.ts";
import { grantClaim } from "#factory/claim.ts";
import { delegate } from "#factory/delegate.ts";
import { requeue } from "#factory/recover.ts";
import { drain, settleResult } from "#factory/settle.ts";
import { type Desk, type HqBench, openHq, resultOf, wish } from "./headquarters.ts";

let b: HqBench;
let desk: Desk;
beforeEach(async () => {
  b = await openHq();
  desk = await b.join("desk-1", { slots: 4 });
  await start();
});
afterEach(() => b.close());

/** Delegates a task and has it claimed. */
async function start(id = "t1-1-1") {
  await delegate(b.hq, wish({ id }));
  const [order] = await desk.orders();
  await grantClaim(b.hq, await desk.factory(), { task: id, epoch: 1, order: order?.id ?? "" });
}
const letters = async () => (await b.rows("select key from letters order by id")).map((row) => row.key);
const incidents = () => b.rows("select kind, factory, text from incidents order by id");
const left = (channel: "out" | "ev" = "out") => b.hq.bus.length({ factory: "desk-1", channel });
const usage = { id: "usage_0001", task: "t1-1-1", epoch: 1, step: 1, factory: "desk-1", persona: "Lisa", provider: "scripted" };
const entry = {
  ...usage,
  model: "scripted-1",
  at: 1,
  durationMs: 1,
  usage: noUsage,
  source: "reported",
  cost: 250_000,
  outcome: "ok",
} as const;

describe("a result", () => {
  it.each([
    ["succeeded", "succeeded"],
    ["failed", "failed"],
    ["cancelled", "cancelled"],
  ] as const)("%s ends the task, and the owner is told once", async (outcome, state) => {
    await desk.say("result", resultOf({ outcome, reason: "so it was", usages: [entry] }));
    expect(await drain(b.hq)).toBe(1);
    expect(await b.task()).toMatchObject({ state, reason: "so it was", persona: "Lisa", leaseUntil: null });
    expect(await letters()).toEqual(["card:t1-1-1", "card-edit:t1-1-1", "done:t1-1-1"]);
    expect((await b.store.ledger.total({ task: "t1-1-1" })).cost).toBe(250_000);
    expect(await left()).toBe(0);
  });

  it("that comes twice, or is drained by two at once, is settled once", async () => {
    await desk.say("result", resultOf({ usages: [entry] }));
    await desk.say("result", resultOf({ usages: [entry], reason: "said twice" }));
    await Promise.all([drain(b.hq), drain(b.hq), drain(b.hq)]);
    await drain(b.hq);
    expect((await b.task()).reason).toBe("the tests pass");
    expect((await letters()).filter((key) => key === "done:t1-1-1")).toHaveLength(1);
    expect((await b.store.tasks.events("t1-1-1")).filter((event) => event.kind === "succeeded")).toHaveLength(1);
    expect((await b.store.ledger.total({ task: "t1-1-1" })).calls).toBe(1);
    expect(await left()).toBe(0);
    expect(await incidents()).toEqual([]);
  });

  it("is settled again where HQ died before it was removed", async () => {
    await desk.say("result", resultOf());
    b.bus.fail("remove", "before");
    await expect(drain(b.hq)).rejects.toMatchObject({ code: "bus_unavailable" });
    const before = await b.snapshot();
    expect(await drain(b.hq)).toBe(1);
    expect(await b.snapshot()).toEqual(before);
    expect(await left()).toBe(0);
  });

  it("is told by the sweep where HQ died before it was told", async () => {
    await b.store.tasks.settle("succeed", "desk-1", resultOf(), b.clock.now());
    expect(await letters()).toEqual(["card:t1-1-1"]);
    await announceForgotten(b.hq);
    await announceForgotten(b.hq);
    expect(await letters()).toEqual(["card:t1-1-1", "card-edit:t1-1-1", "done:t1-1-1"]);
    expect(await b.count(() => announceForgotten(b.hq))).toMatchObject({ sql: 1 });
  });

  it("is told by the next sweep where this one has no calls left", async () => {
    await b.store.tasks.settle("succeed", "desk-1", resultOf(), b.clock.now());
    b.limits.calls = b.counts.sql + b.counts.bus + 4;
    await announceForgotten(b.hq);
    expect(await letters()).toEqual(["card:t1-1-1"]);
  });

  it("of an earlier attempt changes nothing but the ledger", async () => {
    await requeue(b.hq, await b.task(), "lose", "gone", "lost");
    await desk.say("result", resultOf({ usages: [entry] }));
    await drain(b.hq);
    expect(await b.task()).toMatchObject({ state: "queued", epoch: 2 });
    expect((await b.store.ledger.total({ task: "t1-1-1" })).calls).toBe(1);
    expect(await letters()).not.toContain("done:t1-1-1");
  });

  it("from a factory that does not hold the task changes nothing", async () => {
    const other = await b.join("desk-2");
    await other.say("result", resultOf());
    await drain(b.hq);
    expect(await b.task()).toMatchObject({ state: "running", factory: "desk-1" });
    await settleResult(b.hq, "desk-2", resultOf({ outcome: "released" }));
    expect(await b.task()).toMatchObject({ state: "running", epoch: 1 });
  });

  it("released gives the task back for another attempt, once", async () => {
    for (let i = 0; i < 2; i += 1) await settleResult(b.hq, "desk-1", resultOf({ outcome: "released", reason: "shutting down" }));
    expect(await b.task()).toMatchObject({ state: "queued", epoch: 2, lost: 0, failed: 0, factory: null });
    expect((await b.store.tasks.events("t1-1-1")).at(-1)).toMatchObject({ kind: "released" });
  });

  it("released after a cancellation ends the task as cancelled", async () => {
    await b.store.tasks.requestCancel("t1-1-1", "not needed", b.clock.now());
    await settleResult(b.hq, "desk-1", resultOf({ outcome: "released" }));
    expect(await b.task()).toMatchObject({ state: "cancelled", reason: "not needed" });
    expect(await letters()).toContain("done:t1-1-1");
  });
});

describe("progress", () => {
  it("is one edit of the card, however many lines", async () => {
    for (let seq = 1; seq <= 7; seq += 1) await desk.tell("t1-1-1", 1, seq, `line ${seq}`);
    const used = await b.count(() => drain(b.hq));
    expect(used.sql).toBe(5);
    expect(used.bus).toBe(3);
    const edits = await b.rows("select body_json from letters where key = 'card-edit:t1-1-1'");
    expect(JSON.parse(String(edits[0]?.body_json)).content.text).toContain("step 7: line 7");
    expect(await left("ev")).toBe(0);
  });

  it("that waits beside the result is told before it", async () => {
    await desk.tell("t1-1-1", 1, 1);
    await desk.say("result", resultOf());
    await drain(b.hq);
    expect((await b.store.tasks.events("t1-1-1")).slice(-2).map((event) => event.kind)).toEqual(["step", "succeeded"]);
  });

  it("of a task that is over leaves its card alone", async () => {
    await settleResult(b.hq, "desk-1", resultOf());
    const [before] = await b.rows("select body_json, version from letters where key = 'card-edit:t1-1-1'");
    await desk.tell("t1-1-1", 1, 1);
    await drain(b.hq);
    expect(await b.rows("select body_json, version from letters where key = 'card-edit:t1-1-1'")).toEqual([before]);
  });
});

describe("entries that are none", () => {
  it.each<[string, () => Promise<string>]>([
    ["unsigned text", async () => "hello"],
    ["another factory's entry", async () => (await b.join("desk-2")).sealed("result", resultOf())],
    ["an entry for another reader", () => desk.sealed("result", resultOf(), "desk-2")],
    ["a kind that does not travel by bus", () => desk.sealed("doorbell", { reason: "result" })],
    ["an altered entry", async () => `${(await desk.sealed("result", resultOf())).slice(0, -4)}AAAA`],
  ])("%s: an incident, and gone", async (_, make) => {
    await b.hq.bus.publish({ factory: "desk-1", channel: "out" }, await make());
    await desk.say("result", resultOf());
    expect(await drain(b.hq)).toBe(2);
    expect(await incidents()).toEqual([
      { kind: "dead_letter", factory: "desk-1", text: expect.stringContaining("an entry of desk-1:out was refused") },
    ]);
    expect((await b.task()).state, "what follows is not held up").toBe("succeeded");
    expect(await left()).toBe(0);
  });

  it("one that HQ can't settle stays, and holds up none of the others", async () => {
    await start("t2-1-1");
    await b.client.execute("update tasks set limits_json = '{}' where id = 't1-1-1'");
    await desk.say("result", resultOf({ outcome: "released" }));
    await desk.say("result", resultOf({ task: "t2-1-1" }));
    await drain(b.hq);
    await drain(b.hq);
    expect((await b.task("t2-1-1")).state).toBe("succeeded");
    expect(await incidents()).toMatchObject([{ kind: "unsettled" }]);
    expect(await left()).toBe(1);
  });

  it("a rejected order is an incident, once", async () => {
    for (let i = 0; i < 2; i += 1) await desk.say("reject", { entry: "17-0", reason: "it has expired" });
    await drain(b.hq);
    expect(await incidents()).toEqual([
      { kind: "order_rejected", factory: "desk-1", text: "desk-1 would not take an order: it has expired" },
    ]);
  });

  it("usage goes into the ledger once", async () => {
    for (let i = 0; i < 2; i += 1) await desk.say("usage", { usages: [entry] });
    await drain(b.hq);
    expect((await b.store.ledger.total({})).calls).toBe(1);
  });
});

describe("drain", () => {
  it("reads no bus for a fleet of none, nor streams of those who may not speak", async () => {
    await desk.say("result", resultOf());
    await b.store.factories.setStatus("desk-1", "retired", b.clock.now());
    expect(await b.count(() => drain(b.hq))).toMatchObject({ bus: 0 });
    expect(await left()).toBe(1);
  });

  it("stops while calls are left for what comes after, and goes on with what it was given", async () => {
    for (let i = 2; i < 8; i += 1) await start(`t${i}-1-1`).catch(() => undefined);
    const running = (await b.store.tasks.list({ states: ["running"], limit: 20 })).map((task) => task.id);
    for (const task of running) await desk.say("result", resultOf({ task }));
    b.limits.calls = b.counts.sql + b.counts.bus + 34;
    const used = await b.count(() => drain(b.hq));
    expect(used.sql + used.bus).toBeLessThan(20);
    expect(await left()).toBeGreaterThan(0);
    b.limits.calls = Number.POSITIVE_INFINITY;
    await drain(b.hq);
    expect(await left()).toBe(0);
    for (const task of running) expect((await b.task(task)).state).toBe("succeeded");
  });

  it("rejects while the database is away, and nothing is lost", async () => {
    await desk.say("result", resultOf());
    const away = new UacError("store_unavailable", "away");
    const store = { ...b.store, tasks: { ...b.store.tasks, settle: () => Promise.reject(away) } };
    await expect(drain({ ...b.hq, store })).rejects.toBe(away);
    expect(await incidents()).toEqual([]);
    await drain(b.hq);
    expect((await b.task()).state).toBe("succeeded");
  });
});
