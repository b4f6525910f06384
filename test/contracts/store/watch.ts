import fc from "fast-check";
import { expect, it } from "vitest";
import { leaseMs, missedMs, orderAgainMs, unclaimedMs, unwatchedAfterMs } from "#core/fleet.ts";
import { quietBeat } from "../../support/heartbeats.ts";
import type { Bench } from "../store.contract.ts";
import { desk, entry, facts, nothingTold, result, taskIn, theTask } from "./samples.ts";

const claim = { factory: "desk", order: "order_1", leaseUntil: 1000 };

/** What HQ keeps an eye on: whether it watched itself, orders that may be lost, reports that may be. */
export function watchCases(bench: Bench): void {
  const hear = (...heard: number[]) => bench.store.tasks.settle("desk", { ...nothingTold, heard }, 100);
  const beat = (now: number, reports: { first: number; last: number } | null) =>
    bench.store.factories.heartbeat("desk", quietBeat(facts, { reports }), now);

  it("counts no time in which headquarters did not watch, whichever way its clock went", async () => {
    const watched = (at: number, now = at) => bench.store.tasks.watched(at, [], now);
    const lease = async () => (await theTask(bench)).leaseUntil;
    await taskIn(bench, "dispatched");
    expect(await watched(1000), "the very first").toBeNull();
    expect(await lease()).toBe(1000 + unclaimedMs);
    await bench.store.tasks.claim("task_1", 1, { ...claim, leaseUntil: 5000 }, 2000);
    expect(await watched(1000 + unwatchedAfterMs)).toBe(0);
    expect(await lease()).toBe(5000);
    const late = 1001 + 2 * unwatchedAfterMs;
    expect(await watched(late, late + 7), "from when it is known").toBe(unwatchedAfterMs + 1);
    expect(await lease()).toBe(late + 7 + leaseMs);
    expect(await watched(500), "set back").toBe(500 - late);
    expect(await lease()).toBe(500 + leaseMs);
  });

  it("keeps an order until it is claimed, and sends it again where its factory does not name it", async () => {
    const due = async (now: number) => (await bench.store.outbox.due(now, 10)).map((row) => row.task);
    const beat = (now: number, named: object = {}) => bench.store.factories.heartbeat("desk", quietBeat(facts, named), now);
    const its = [{ task: "task_1", epoch: 1 }];
    await bench.store.factories.enrol(desk, 50);
    await taskIn(bench, "dispatched");
    const send = async (now: number) => {
      const [row] = await bench.store.outbox.due(now, 1);
      if (row) await bench.store.outbox.sent(row, { kind: "published", text: "on the bus" }, now);
    };
    await send(1000);
    await beat(999 + orderAgainMs);
    expect(await due(1e12), "it may be on its way").toEqual([]);
    await beat(1000 + orderAgainMs, { accepted: its });
    expect(await due(1e12), "it is there").toEqual([]);
    expect((await theTask(bench)).leaseUntil, "a lease is not cut short").toBe(200 + unclaimedMs);
    await beat(unclaimedMs, { accepted: its });
    expect((await theTask(bench)).leaseUntil).toBe(unclaimedMs + leaseMs);
    await beat(1000 + orderAgainMs, { accepted: [{ task: "task_1", epoch: 2 }] });
    expect(await due(999 + orderAgainMs)).toEqual([]);
    expect(await due(1000 + orderAgainMs)).toEqual(["task_1"]);
    await send(2000 + orderAgainMs);
    await bench.store.tasks.claim("task_1", 1, claim, 3000 + orderAgainMs);
    expect(await bench.sql("select id from outbox")).toEqual([]);
    await beat(9_000_000, { accepted: its });
    expect((await theTask(bench)).leaseUntil, "it waits with its result").toBe(9_000_000 + leaseMs);
  });

  it("takes no task for lost whose end may be in a report that a living factory sent and that did not come", async () => {
    await bench.store.factories.enrol(desk, 50);
    await taskIn(bench, "running", 10_000);
    const lost = async (now: number) => (await bench.store.tasks.expired(now, [])).length;
    await beat(20_000, { first: 1, last: 1 });
    expect(await lost(20_001)).toBe(0);
    expect(await lost(20_000 + leaseMs), "the factory is gone").toBe(1);
    await beat(20_000 + leaseMs, { first: 1, last: 1 });
    expect(await lost(20_001 + leaseMs)).toBe(0);
    await beat(10_000 + missedMs, { first: 1, last: 1 });
    expect(await lost(10_000 + missedMs), "it had its time").toBe(1);
    await hear(1);
    expect(await lost(20_001), "it came, and was not").toBe(1);
  });

  it("hears reports in any order, any number of times", async () => {
    await bench.store.factories.enrol(desk, 50);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 4 }), { maxLength: 12 }), async (batches) => {
        await bench.sql("update factories set heard_to = 0");
        await bench.sql("delete from heard_reports");
        for (const batch of batches) await hear(...batch);
        const all = new Set(batches.flat());
        let expected = 0;
        while (all.has(expected + 1)) expected += 1;
        const beyond = [...all].filter((seq) => seq > expected).toSorted((a, b) => a - b);
        expect(await bench.sql("select heard_to from factories")).toEqual([{ heard_to: expected }]);
        expect((await bench.sql("select seq from heard_reports order by seq")).map((row) => row.seq)).toEqual(beyond);
      }),
      { numRuns: 60 },
    );
    await hear(0);
    expect(await bench.sql("select seq from heard_reports where seq = 0")).toEqual([]);
  });

  it("misses what was sent before the last heartbeat and did not come, once headquarters read the bus since", async () => {
    await bench.store.factories.enrol(desk, 50);
    const { watched } = bench.store.tasks;
    expect(await beat(1000, { first: 5000, last: 5004 })).toEqual({ status: "pending", heard: 4999, missing: [], lost: null });
    await hear(5000, 5002);
    expect(await beat(2000, { first: 5000, last: 5006 }), "nobody looked").toMatchObject({ heard: 5000, missing: [] });
    await watched(1999, [], 1999);
    expect(await beat(3000, { first: 5001, last: 5006 }), "it was read before they were told").toMatchObject({ missing: [] });
    await watched(3001, ["desk"], 3001);
    expect(await beat(4000, { first: 5001, last: 5006 }), "not to its end").toMatchObject({ missing: [] });
    await watched(4001, [], 4001);
    expect(await beat(5000, { first: 5001, last: 5008 })).toMatchObject({ heard: 5000, missing: [5001, 5003, 5004, 5005, 5006] });
    await hear(5001, 5003, 5004, 5005, 5006);
    await watched(5001, [], 5001);
    expect(await beat(6000, { first: 5001, last: 5008 })).toMatchObject({ heard: 5006, missing: [5007, 5008], lost: null });
  });

  it("says what never came and is not kept any more, and goes on after it", async () => {
    await bench.store.factories.enrol(desk, 50);
    await beat(1000, { first: 1, last: 3 });
    await hear(1, 2, 9000);
    expect(await beat(2000, { first: 9000, last: 9001 })).toEqual({
      status: "pending",
      heard: 9000,
      missing: [],
      lost: { from: 3, to: 8999 },
    });
    await bench.store.tasks.watched(2001, [], 2001);
    expect(await beat(3000, { first: 9001, last: 9001 })).toMatchObject({ heard: 9000, missing: [9001], lost: null });
    await bench.store.factories.enrol({ ...desk, kid: "kid-b" }, 4000);
    expect(await beat(5000, { first: 7, last: 8 }), "another key is another beginning").toMatchObject({ heard: 6, lost: null });
  });

  it("asks for so many at once, and no claim of a factory makes it count for ever", async () => {
    await bench.store.factories.enrol(desk, 50);
    await beat(1000, { first: 1, last: Number.MAX_SAFE_INTEGER });
    await bench.store.tasks.watched(1001, [], 1001);
    expect((await beat(2000, { first: 1, last: 1 })).missing).toEqual(Array.from({ length: 64 }, (_, i) => i + 1));
  });

  it("settles in one batch what a factory told: results, ledger, incidents, numbers", async () => {
    await bench.store.factories.enrol(desk, 50);
    await beat(1000, { first: 1, last: 3 });
    await taskIn(bench, "running");
    const results = [
      { event: "succeed" as const, result: result({ usages: [entry()] }) },
      { event: "fail" as const, result: result({ outcome: "failed", usages: [entry({ id: "usage_0003" })] }) },
    ];
    const incidents = [{ kind: "order_rejected", factory: "desk", text: "no", digest: "d" }];
    const told = { results, usages: [entry({ id: "usage_0002" })], incidents, heard: [3, 1, 2] };
    expect(await bench.store.tasks.settle("desk", told, 500)).toEqual(["accepted", "stale"]);
    const before = await bench.snapshot();
    expect(await bench.store.tasks.settle("desk", { ...told, incidents: [] }, 600)).toEqual(["stale", "stale"]);
    expect(await bench.snapshot(), "told again").toEqual(before);
    expect((await theTask(bench)).state).toBe("succeeded");
    expect((await bench.store.ledger.total({})).calls).toBe(3);
    expect(await bench.sql("select heard_to from factories")).toEqual([{ heard_to: 3 }]);
  });

  it("counts what comes up again, and lets one factory's incidents push out only its own", async () => {
    const { store } = bench;
    const letter = (n: number, factory = "desk") => ({
      kind: "dead_letter",
      factory,
      text: `no. ${n}`,
      data: "e".repeat(n),
      digest: `${n}`,
    });
    await store.incident(letter(1, "other"), 10);
    expect([await store.incident(letter(2), 20), await store.incident(letter(2), 30)]).toEqual([1, 2]);
    await store.incident({ kind: "gap", factory: "desk", text: "a gap", digest: "g" }, 40);
    expect(await store.incidents({ kind: "dead_letter", limit: 10 })).toEqual([
      { kind: "dead_letter", at: 20, factory: "desk", text: "no. 2", digest: "2" },
      { kind: "dead_letter", at: 10, factory: "other", text: "no. 1", digest: "1" },
    ]);
    const incidents = Array.from({ length: 505 }, (_, i) => letter(i + 10));
    await store.tasks.settle("desk", { ...nothingTold, incidents }, 50);
    const [left] = await bench.sql(
      "select count(*) as n, count(data) as data, min(digest + 0) as first from incidents where factory = 'desk'",
    );
    expect(left).toEqual({ n: 500, data: 40, first: 15 });
    expect((await store.incidents({ kind: "dead_letter", limit: 1 }))[0]).toMatchObject({ text: "no. 514" });
    expect(await bench.sql("select data from incidents where factory = 'other'")).toEqual([{ data: "e" }]);
  });
}
