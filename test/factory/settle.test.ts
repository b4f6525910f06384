import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UacError } from "#core/errors.ts";
import { nanosPerUsd } from "#core/ledger.ts";
import { announceForgotten } from "#factory/announce.ts";
import { cancelTask } from "#factory/cancel.ts";
import { grantClaim } from "#factory/claim.ts";
import { delegate } from "#factory/delegate.ts";
import { drain } from "#factory/drain.ts";
import { requeue } from "#factory/recover.ts";
import { forge } from "../adapters/signed.ts";
import { settle } from "../contracts/store/samples.ts";
import { ledgerEntry } from "../support/ledger.ts";
import { type Desk, type HqBench, openHq, resultOf, settleResult, wish } from "./headquarters.ts";

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
const deadLetters = () => b.rows("select factory, text, data from incidents where kind = 'dead_letter'");
const left = (channel: "out" | "ev" = "out") => b.hq.bus.length({ factory: "desk-1", channel });
/** A part of a sealed message; null for the signature. */
const decoded = (part: string, i: number) => (i < 2 ? JSON.parse(Buffer.from(part, "base64url").toString()) : null);
const entry = ledgerEntry({ task: "t1-1-1", cost: 250_000, billed: 250_000 });

describe("a result", () => {
  it.each([
    ["succeeded", "succeeded"],
    ["failed", "failed"],
    ["cancelled", "cancelled"],
  ] as const)("%s ends the task, and the owner is told once", async (outcome, state) => {
    await desk.say("result", resultOf({ outcome, reason: "so it was", usages: [entry] }));
    expect((await drain(b.hq)).settled).toBe(1);
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
    expect((await drain(b.hq)).settled).toBe(1);
    expect(await b.snapshot()).toEqual(before);
    expect(await left()).toBe(0);
  });

  it("is told by the sweep where HQ died before it was told", async () => {
    await settle(b, "succeed", "desk-1", resultOf(), b.clock.now());
    expect(await letters()).toEqual(["card:t1-1-1"]);
    await announceForgotten(b.hq);
    await announceForgotten(b.hq);
    expect(await letters()).toEqual(["card:t1-1-1", "card-edit:t1-1-1", "done:t1-1-1"]);
    expect(await b.count(() => announceForgotten(b.hq))).toMatchObject({ sql: 1 });
  });

  it("is told by the sweep however long headquarters was away meanwhile", async () => {
    await settle(b, "succeed", "desk-1", resultOf(), b.clock.now());
    await b.clock.advance(29 * 24 * 3_600_000);
    await announceForgotten(b.hq);
    expect(await letters()).toContain("done:t1-1-1");
  });

  it("is told by the next sweep where this one has no calls left", async () => {
    await settle(b, "succeed", "desk-1", resultOf(), b.clock.now());
    b.limits.calls = b.counts.sql + b.counts.bus + 2;
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
    await cancelTask(b.hq, "t1-1-1", "not needed");
    await settleResult(b.hq, "desk-1", resultOf({ outcome: "released" }));
    expect(await b.task()).toMatchObject({ state: "cancelled", reason: "not needed" });
    expect(await letters()).toContain("done:t1-1-1");
  });
});

describe("progress", () => {
  it("is one edit of the card, however many lines", async () => {
    for (let seq = 1; seq <= 7; seq += 1) await desk.tell("t1-1-1", 1, seq, `line ${seq}`);
    const used = await b.count(() => drain(b.hq));
    expect(used.sql, "fleet, lines, cards, letters").toBe(4);
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
    expect((await drain(b.hq)).settled).toBe(2);
    expect(await incidents()).toEqual([
      { kind: "dead_letter", factory: "desk-1", text: expect.stringContaining("an entry of desk-1:out was refused") },
    ]);
    expect((await b.task()).state, "what follows is not held up").toBe("succeeded");
    expect(await left()).toBe(0);
  });

  it("one that HQ can't settle holds up none of the others, is tried five times, and is then a dead letter that counts as heard", async () => {
    const seq = 77;
    const bad = { ...entry, id: "usage_bad0" };
    // No database takes this.
    await b.client.execute(
      "create trigger bad before insert on usages when new.id = 'desk-1:usage_bad0' begin select raise(abort, 'no'); end",
    );
    for (let i = 0; i < 3; i += 1) await desk.say("usage", { usages: [{ ...entry, id: `usage_${i}000` }] });
    const data = await desk.sealed("usage", { usages: [bad, entry] }, "hq", seq);
    await b.hq.bus.publish({ factory: "desk-1", channel: "out" }, data);
    for (let i = 3; i < 6; i += 1) await desk.say("usage", { usages: [{ ...entry, id: `usage_${i}000` }] });
    expect(await drain(b.hq)).toMatchObject({ settled: 6, unread: ["desk-1"] });
    expect((await b.store.ledger.total({})).calls).toBe(6);
    expect(await left()).toBe(1);
    for (let tries = 2; tries <= 5; tries += 1) {
      expect(await deadLetters()).toEqual([]);
      await drain(b.hq);
      expect(await b.rows("select tries from incidents where kind = 'unsettled'")).toEqual([{ tries }]);
    }
    expect(await left()).toBe(0);
    expect(await deadLetters()).toEqual([{ factory: "desk-1", text: expect.stringContaining("can't be settled"), data }]);
    expect(await b.rows("select seq from heard_reports")).toEqual([{ seq }]);
    expect(await drain(b.hq)).toMatchObject({ settled: 0, unread: [] });
  });

  it("one that makes the database seem away is found out", async () => {
    const settle: typeof b.store.tasks.settle = (factory, told, now) =>
      told.usages.some(({ id }) => id === "usage_bad0")
        ? Promise.reject(new UacError("store_unavailable", "a request that it can't read"))
        : b.store.tasks.settle(factory, told, now);
    const hq = { ...b.hq, store: { ...b.store, tasks: { ...b.store.tasks, settle } } };
    await desk.say("usage", { usages: [{ ...entry, id: "usage_bad0" }] });
    await desk.say("result", resultOf());
    for (let i = 0; i < 5; i += 1) await drain(hq);
    expect((await b.task()).state).toBe("succeeded");
    expect(await deadLetters()).toHaveLength(1);
  });

  it("a story that can't be told delays no result", async () => {
    await b.client.execute("create trigger bad before insert on task_events when new.text = 'bad' begin select raise(abort, 'no'); end");
    await desk.tell("t1-1-1", 1, 1, "good");
    await desk.tell("t1-1-1", 1, 2, "bad");
    await desk.say("result", resultOf());
    await drain(b.hq);
    expect((await b.task()).state).toBe("succeeded");
    expect((await b.store.tasks.events("t1-1-1")).map(({ text }) => text)).toContain("good");
    for (let i = 0; i < 4; i += 1) await drain(b.hq);
    expect(await left("ev")).toBe(0);
  });

  it("a rejected order is an incident, once", async () => {
    for (let i = 0; i < 2; i += 1) await desk.say("reject", { entry: "17-0", reason: "it has expired" });
    await drain(b.hq);
    expect(await incidents()).toEqual([
      { kind: "order_rejected", factory: "desk-1", text: "desk-1 would not take an order: it has expired" },
    ]);
  });

  it("usage that no call has, signed all the same, is a dead letter and costs nothing", async () => {
    const [header, payload] = (await desk.sealed("usage", { usages: [entry] })).split(".").map(decoded);
    const body = { usages: [{ ...entry, id: "usage_0002", cost: 1000 * nanosPerUsd + 1 }] };
    const data = forge(desk.privateJwk, header, { ...payload, body });
    await b.hq.bus.publish({ factory: "desk-1", channel: "out" }, data);
    await desk.say("usage", { usages: [entry] });
    await drain(b.hq);
    expect(await deadLetters()).toEqual([{ factory: "desk-1", text: expect.stringContaining("was refused"), data }]);
    expect(await b.store.ledger.total({})).toMatchObject({ calls: 1, cost: 250_000 });
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

  it("takes as many calls for fifty results as for one", async () => {
    const cost = async (n: number) => {
      await b.client.execute("update tasks set state = 'cancelled'");
      for (let i = 0; i < n; i += 1) {
        const id = `n${n}-${i}`;
        const { factory: wanted, ...asked } = wish({ id });
        await b.store.tasks.create({ ...asked, wanted }, { kind: "delegated", text: "" }, b.clock.now());
        await b.client.execute({ sql: "update tasks set state = 'running', factory = 'desk-1' where id = ?", args: [id] });
        await desk.say("result", resultOf({ task: id, usages: [{ ...entry, id: `usage_${id}`, task: id }] }));
      }
      const used = await b.count(() => drain(b.hq));
      expect(await b.rows("select count(*) as n from letters where key like ?", `done:n${n}-%`)).toEqual([{ n }]);
      return used;
    };
    expect(await cost(1)).toEqual({ sql: 5, bus: 3, letters: 0, model: 0 });
    expect(await cost(49)).toEqual({ sql: 6, bus: 3, letters: 0, model: 0 });
  });

  it("goes on until nothing new comes, and with what it was given before", async () => {
    for (let i = 0; i < 120; i += 1) await desk.say("usage", { usages: [{ ...entry, id: `usage_a${i}` }] });
    await b.hq.bus.read({ from: [{ factory: "desk-1", channel: "out" }], consumer: "hq", what: "new", count: 70, blockMs: 0 });
    expect(await drain(b.hq)).toEqual({ at: b.clock.now(), settled: 120, unread: [] });
    expect((await b.store.ledger.total({})).calls).toBe(120);
    expect(await left()).toBe(0);
  });

  it("stops while calls are left for what comes after, and says of whom something is left", async () => {
    const others = await Promise.all(["desk-2", "desk-3"].map((id) => b.join(id)));
    for (const [i, one] of [desk, ...others].entries()) await one.say("usage", { usages: [{ ...entry, id: `usage_${i}000` }] });
    b.limits.calls = b.counts.sql + b.counts.bus + 30;
    const first = await drain(b.hq);
    expect(b.limits.calls - b.counts.sql - b.counts.bus).toBeGreaterThanOrEqual(20);
    expect(first.settled).toBeLessThan(3);
    expect(first.unread).toHaveLength(3 - first.settled);
    for (let i = 0; i < 3; i += 1) {
      b.limits.calls = b.counts.sql + b.counts.bus + 30;
      await b.clock.advance(1000);
      await drain(b.hq);
    }
    expect((await b.store.ledger.total({})).calls).toBe(3);
  });

  it("lets no factory's flood keep it from another's results", async () => {
    const quiet = await b.join("desk-2");
    const settled: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      for (let i = 0; i < 300; i += 1) await b.hq.bus.publish({ factory: "desk-1", channel: "out" }, `noise ${round} ${i}`);
      for (let i = 0; i < 60; i += 1) await desk.tell("t1-1-1", 1, round * 1000 + i);
      await quiet.say("usage", { usages: [{ ...entry, id: `usage_q${round}` }] });
      b.limits.calls = b.counts.sql + b.counts.bus + 47;
      await b.clock.advance(1000);
      await drain(b.hq);
      settled.push((await b.store.ledger.total({})).calls);
    }
    expect(settled).toEqual([1, 2, 3, 4]);
  });

  it("rejects while the database is away, and nothing is lost", async () => {
    await desk.say("result", resultOf());
    const away = new UacError("store_unavailable", "away");
    const gone = () => Promise.reject(away);
    const store = { ...b.store, get: gone, tasks: { ...b.store.tasks, settle: gone } };
    await expect(drain({ ...b.hq, store })).rejects.toBe(away);
    expect(await incidents()).toEqual([]);
    await drain(b.hq);
    expect((await b.task()).state).toBe("succeeded");
  });
});
