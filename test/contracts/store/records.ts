import { expect, it } from "vitest";
import { dayMs } from "#core/day.ts";
import { skewS } from "#core/envelope.ts";
import { noTotal, noUsage } from "#core/ledger.ts";
import { rebuildDaily } from "../../../scripts/ledger/rebuild-daily.ts";
import { recordAll } from "../../support/ledger.ts";
import type { Bench } from "../store.contract.ts";
import { atOnce, count, entry, nothingTold, result, settle, taskIn } from "./samples.ts";

export function recordCases(bench: Bench): void {
  it("adds every ledger entry once, and sums what is asked for", async () => {
    const { ledger, spending } = bench.store;
    expect(await ledger.total({})).toEqual(noTotal);
    const known = entry();
    await spending.settle(known, 100);
    await spending.settle({ ...known, cost: 99 }, 100);
    await spending.settle(known, 200);
    await spending.settle(entry({ id: "usage_0002", cost: null, task: null, factory: "other" }), 200);
    expect(await ledger.total({})).toEqual({
      cost: 11,
      calls: 2,
      unpriced: 1,
      usage: { uncachedIn: 2, cacheRead: 40, write5m: 600, write1h: 8000, output: 100_000, reasoning: 1200 },
    });
    expect(await ledger.total({ task: "task_1" })).toMatchObject({ cost: 11, calls: 1, unpriced: 0, usage: known.usage });
    expect(await ledger.total({ since: 200 })).toMatchObject({ cost: 0, calls: 1, unpriced: 1 });
    expect(await ledger.total({ since: 100, factory: "desk" })).toMatchObject({ calls: 1 });
  });

  it("takes as many ledger entries as a report holds", async () => {
    const many = Array.from({ length: 400 }, (_, i) => entry({ id: `usage_${String(i).padStart(4, "0")}` }));
    await bench.store.tasks.settle("desk", { ...nothingTold, usages: many }, 100);
    expect(await bench.store.ledger.total({})).toMatchObject({ calls: 400, cost: 4400 });
  });

  it("keeps the sums of each day with the ledger, of what is really new", async () => {
    const priced = { provider: "scripted", requestedModel: "scripted-1", model: "scripted-1" };
    const usage = { uncachedIn: 100, cacheRead: 1000, write5m: 10, write1h: 1, output: 7, reasoning: 3 };
    // By the list: 100 × 1000, 1000 × 100, 10 × 1250 + 1 × 2000, 7 × 5000.
    const known = entry({ ...priced, usage, cost: 249_500, billed: 249_500 });
    const unpriced = entry({ id: "usage_0002", cost: null, billed: null });
    await recordAll(bench.store, [known, { ...known, cost: 99 }, unpriced], dayMs + 5);
    await recordAll(bench.store, [known, unpriced], dayMs + 6);
    await recordAll(
      bench.store,
      [known, entry({ ...priced, id: "usage_0003", usage, cost: 7, billed: 0, billing: "subscription" })],
      2 * dayMs,
    );
    for (const at of [9, 10])
      await bench.store.tasks.settle("desk", { ...nothingTold, usages: [entry({ id: "usage_0004" })] }, 2 * dayMs + at);
    const days = await bench.sql("select * from usage_daily order by day, provider, billing");
    const who = { factory: "desk", persona: "Lisa", seat: "coder" };
    const tokens = { uncached_in: 100, cache_read: 1000, write_5m: 10, write_1h: 1, output: 7, reasoning: 3 };
    const parts = { cost_input: 100_000, cost_cache_read: 100_000, cost_cache_write: 14_500, cost_output: 35_000 };
    const notSplit = { cost_input: 0, cost_cache_read: 0, cost_cache_write: 0, cost_output: 0 };
    expect(days).toMatchObject([
      { day: dayMs, ...who, provider: "p", billing: "metered", calls: 1, unpriced: 1, cost: 0, billed: 0, ...notSplit },
      { day: dayMs, ...who, provider: "scripted", calls: 1, unpriced: 0, ...tokens, cost: 249_500, billed: 249_500, ...parts },
      { day: 2 * dayMs, ...who, provider: "p", calls: 1, cost: 11, billed: 11, ...notSplit },
      { day: 2 * dayMs, ...who, provider: "scripted", billing: "subscription", calls: 1, cost: 7, billed: 0, ...notSplit },
    ]);

    await bench.sql("update usage_daily set calls = calls + 1, cost = 5");
    await bench.sql(
      "insert into usage_daily select day - 999 * 86400000, factory, 'Nobody', seat, provider, model, billing, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 from usage_daily",
    );
    expect(await rebuildDaily(bench.database)).toBe(2);
    expect(await bench.sql("select * from usage_daily order by day, provider, billing")).toEqual(days);
    await bench.sql("delete from usages");
    expect(await rebuildDaily(bench.database)).toBe(0);
    expect(await bench.sql("select * from usage_daily")).toEqual([]);
  });

  it("tells what was spent today and this month, by factory and by model", async () => {
    const { ledger } = bench.store;
    const nothing = { cost: 0, calls: 0, unpriced: 0, usage: noUsage, billed: 0, unbilled: 0 };
    const [month, today] = [10 * dayMs, 30 * dayMs];
    expect(await ledger.spent({ month, today })).toEqual({ factories: [], models: [] });
    await recordAll(bench.store, [entry({ id: "usage_0000" })], month - 1);
    await recordAll(bench.store, [entry({ cost: 3, billed: 3 }), entry({ id: "usage_0002", cost: null, billed: null })], today - 1);
    await recordAll(
      bench.store,
      [entry({ id: "usage_0003", factory: "other", model: "n", cost: 50, billed: 0, billing: "subscription" })],
      today,
    );
    await recordAll(bench.store, [entry({ id: "usage_0004", cost: 9, billed: 9 })], today + 5);
    expect(await ledger.spent({ month, today })).toMatchObject({
      factories: [
        { factory: "other", today: { cost: 50, calls: 1, billed: 0 }, month: { cost: 50, calls: 1, unbilled: 0 } },
        { factory: "desk", today: { cost: 9, calls: 1, billed: 9 }, month: { cost: 12, calls: 3, unpriced: 1, billed: 12, unbilled: 1 } },
      ],
      models: [
        { provider: "p", model: "n", billing: "subscription", today: { cost: 50, usage: entry().usage }, month: { cost: 50 } },
        { provider: "p", model: "m", billing: "metered", today: { cost: 9 }, month: { cost: 12, unpriced: 1, unbilled: 1 } },
      ],
    });
    expect(await ledger.spent({ month, today: today + dayMs })).toMatchObject({ factories: [{ today: nothing }, { today: nothing }] });
  });

  it("sums to no more than a number holds, and never fails at it", async () => {
    const most = Number.MAX_SAFE_INTEGER;
    const usage = { uncachedIn: most, cacheRead: most, write5m: most, write1h: most, output: most, reasoning: most };
    // More than 64 bits hold.
    const many = Array.from({ length: 1100 }, (_, i) => entry({ id: `usage_${String(i).padStart(4, "0")}`, usage, cost: most }));
    await taskIn(bench, "running");
    await bench.store.tasks.settle("desk", { ...nothingTold, usages: many }, 100);
    const total = { cost: most, calls: 1100, unpriced: 0, usage };
    expect(await bench.store.ledger.total({ task: "task_1" })).toEqual(total);
    expect(await bench.store.tasks.withCosts(["task_1"])).toMatchObject([{ cost: total }]);
    const spent = { factories: [{ today: total }], models: [{ month: total }] };
    expect(await bench.store.ledger.spent({ month: 0, today: 0 })).toMatchObject(spent);
    expect(await rebuildDaily(bench.database)).toBe(1);
    expect(await bench.store.ledger.spent({ month: 0, today: 0 })).toMatchObject(spent);
  });

  it("takes a factory's word on its own spending alone", async () => {
    const { ledger, tasks } = bench.store;
    const spent = async () => bench.sql("select id, task, factory, cost from usages order by id");
    const running = await taskIn(bench, "running");
    const mine = entry();
    await tasks.settle("desk", { ...nothingTold, usages: [mine] }, 400);
    const row = (id: string, task: string | null, factory: string) => ({ id, task, factory, cost: 11 });
    expect(await spent()).toEqual([row("desk:usage_0001", "task_1", "desk")]);

    // As an event, with a result, and with a failure that is tried again: of another's task, in another's name, under another's number.
    const forged = (id: string) => entry({ id, factory: "desk" });
    await tasks.settle("other", { ...nothingTold, usages: [forged("usage_0002"), { ...mine, factory: "other", cost: 99 }] }, 410);
    await settle(bench, "succeed", "other", result({ usages: [forged("usage_0003")] }), 420);
    const again = { state: "queued" as const, epoch: 2, lost: 0, failed: 1 };
    const told = result({
      outcome: "failed",
      usages: [entry({ id: "usage_0004", factory: "other" }), entry({ id: "usage_0005", epoch: 2 })],
    });
    expect(await tasks.retry(running, again, told, { notBefore: null, text: "" }, 430)).toBe(true);
    expect(await spent()).toEqual([
      row("desk:usage_0001", "task_1", "desk"),
      row("desk:usage_0004", "task_1", "desk"),
      row("desk:usage_0005", null, "desk"),
      { ...row("other:usage_0001", null, "other"), cost: 99 },
      row("other:usage_0002", null, "other"),
      row("other:usage_0003", null, "other"),
    ]);
    expect(await ledger.total({ task: "task_1" })).toMatchObject({ cost: 22, calls: 2 });
    expect(await ledger.total({}), "and none of it is lost").toMatchObject({ cost: 154, calls: 6 });
  });

  it("knows an envelope again for as long as it could be taken", async () => {
    const { access } = bench.store;
    const expiresAt = 100_000;
    const answers = await atOnce(40, () => access.unseen("desk", "env_1", expiresAt, 50_000));
    expect(count(answers, true)).toBe(1);
    expect(await access.unseen("other", "env_1", expiresAt, 50_000)).toBe(true);
    expect(await access.unseen("desk", "env_1", expiresAt, expiresAt + skewS * 1000)).toBe(false);
    await access.unseen("desk", "env_2", 900_000, expiresAt + skewS * 1000 + 1);
    expect(await bench.sql("select id from seen_envelopes")).toEqual([{ id: "env_2" }]);
  });

  it("opens one session with a one-time login", async () => {
    const { access } = bench.store;
    await access.addLogin("login", 1000);
    await access.addLogin("late", 150);
    const answers = await atOnce(10, (i) => access.redeemLogin("login", { hash: `session-${i}`, expiresAt: 2000 }, 200));
    expect(count(answers, true)).toBe(1);
    expect(await access.redeemLogin("late", { hash: "session-late", expiresAt: 2000 }, 200)).toBe(false);
    expect(await access.redeemLogin("guessed", { hash: "session-guessed", expiresAt: 2000 }, 200)).toBe(false);
    const open = `session-${answers.indexOf(true)}`;
    expect(await bench.sql("select hash from sessions")).toEqual([{ hash: open }]);
    expect([await access.session(open, 1999), await access.session(open, 2000)]).toEqual([true, false]);
    await access.endSession(open);
    expect(await access.session(open, 300)).toBe(false);
  });

  it("forgets logins and sessions that ended", async () => {
    const { access } = bench.store;
    for (const [i, expiresAt] of [500, 5000].entries()) {
      await access.addLogin(`login-${i}`, expiresAt);
      await access.redeemLogin(`login-${i}`, { hash: `session-${i}`, expiresAt }, 100);
    }
    await access.addLogin("login-9", 9000);
    await access.redeemLogin("login-9", { hash: "session-9", expiresAt: 9000 }, 600);
    expect(await bench.sql("select hash from sessions order by hash")).toEqual([{ hash: "session-1" }, { hash: "session-9" }]);
    expect(await bench.sql("select hash from logins order by hash")).toEqual([{ hash: "login-1" }, { hash: "login-9" }]);
  });

  it("notes the same incident once", async () => {
    const incident = { kind: "dead_letter", factory: "desk", text: "unsigned", digest: "d1" };
    await bench.store.incident(incident, 100);
    await bench.store.incident(incident, 200);
    await bench.store.incident({ ...incident, factory: null, digest: "d2" }, 300);
    expect(await bench.sql("select at, factory, digest from incidents order by id")).toEqual([
      { at: 100, factory: "desk", digest: "d1" },
      { at: 300, factory: null, digest: "d2" },
    ]);
  });

  it("keeps facts and counts", async () => {
    const { store } = bench;
    expect(await store.get("last_tick")).toBeNull();
    await store.set("last_tick", "100");
    await store.set("last_tick", "0200");
    expect(await store.get("last_tick")).toBe("0200");
    const numbers = await atOnce(40, () => store.next("seq:desk"));
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(await store.next("seq:other")).toBe(1);
  });

  it("never hands out half-read rows", async () => {
    await taskIn(bench, "queued");
    await bench.sql("update tasks set limits_json = '{\"usd\":-1}'");
    await expect(bench.store.tasks.get("task_1")).rejects.toMatchObject({
      code: "internal",
      message: expect.stringContaining("limits_json"),
    });
    await bench.sql("update tasks set limits_json = 'no json'");
    await expect(bench.store.tasks.list({ limit: 1 })).rejects.toMatchObject({ code: "internal" });
    await bench.sql("insert into turn_entries values ('turn_1', 0, '{\"type\":\"prophecy\"}')");
    await expect(bench.store.conversations.turn("turn_1").load()).rejects.toMatchObject({ message: expect.stringContaining("entry_json") });
  });
}
