/** Whose turn it is, when something may begin, and until when. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { grantClaim } from "#factory/claim.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import { expireOverdue } from "#factory/expire.ts";
import { startMs } from "./headquarters.ts";
import { minute, openQueue, type QueueBench } from "./queue-bench.ts";

let b: QueueBench;
beforeEach(async () => {
  b = await openQueue();
});
afterEach(() => b.close());

const limitsIn = async (jwt: string) =>
  (await b.hq.verifier.readToken(jwt, "desk-1", b.desk.signer.kid, b.hq.signer.publicKey, b.clock.now())).lim;

describe("the queue's order", () => {
  it("is kept by what is delegated: a new task does not pass those that were there", async () => {
    await b.ask("task1", { notBefore: startMs + minute });
    await b.client.execute("update factories set facts_json = json_set(facts_json, '$.slots', 1)");
    await b.ask("task2");
    await b.clock.advance(2 * minute);
    await b.desk.beat();
    await b.client.execute("update factories set facts_json = json_set(facts_json, '$.slots', 1)");
    const { task, route } = await b.ask("task3");
    expect(task.state).toBe("queued");
    expect(route).toMatchObject({ hold: "busy" });
    await dispatchAll(b.hq);
    expect(await b.states("task1", "task2", "task3")).toEqual(["dispatched", "dispatched", "queued"]);
  });

  it("lets nothing go before its time, and shows that", async () => {
    const { task, route } = await b.ask("task1", { notBefore: startMs + 30 * minute, priority: 1 });
    expect([task.state, route]).toEqual(["queued", null]);
    expect(await b.said("card:task1")).toMatch(/⏳ queued\n.*\nurgent · not before 2030-03-17 18:16 UTC\n/);
    await dispatchAll(b.hq);
    expect(await b.states("task1")).toEqual(["queued"]);
    await b.clock.advance(30 * minute);
    await b.desk.beat();
    await dispatchAll(b.hq);
    expect(await b.states("task1")).toEqual(["dispatched"]);
  });

  it("fills no factory beyond its places, though two events give out at once from the same reading", async () => {
    for (let i = 0; i < 6; i += 1) await b.ask(`task${i}`, { notBefore: startMs + minute });
    await b.clock.advance(minute);
    await b.client.execute(`update factories set last_heartbeat_at = ${b.clock.now()}, facts_json = json_set(facts_json, '$.slots', 1)`);
    const readings: Promise<unknown>[] = [];
    const { list } = b.store.factories;
    const meet = Promise.withResolvers<void>();
    // Each of the two has read the fleet before either gives anything out; each thinks of other tasks.
    const meeting = (skip: number) => ({
      ...b.hq,
      store: {
        ...b.store,
        factories: {
          ...b.store.factories,
          async list() {
            const fleet = await list();
            readings.push(Promise.resolve());
            if (readings.length === 2) meet.resolve();
            await meet.promise;
            return fleet;
          },
        },
        tasks: { ...b.store.tasks, ready: async (now: number, limit: number) => (await b.store.tasks.ready(now, limit)).slice(skip) },
      },
    });
    await Promise.all([dispatchAll(meeting(0)), dispatchAll(meeting(3))]);
    expect(await b.store.tasks.list({ states: ["dispatched"], limit: 9 })).toHaveLength(2);
    expect((await b.store.factories.get("desk-1"))?.busy).toBe(2);
  });
});

describe("a deadline", () => {
  it("ends what has not begun, and says so plainly; nothing without one", async () => {
    await b.ask("task1", { workspace: "elsewhere", deadline: startMs + 10 * minute });
    await b.ask("task2", { workspace: "elsewhere" });
    await b.ask("task3", { deadline: startMs + 10 * minute });
    await b.claim("task3");
    await b.clock.advance(10 * minute - 1);
    await expireOverdue(b.hq);
    expect(await b.states("task1", "task2", "task3")).toEqual(["held", "held", "running"]);
    await b.clock.advance(1);
    await expireOverdue(b.hq);
    await expireOverdue(b.hq);
    expect(await b.states("task1", "task2", "task3")).toEqual(["expired", "held", "running"]);
    expect(await b.told()).toEqual(["task1"]);
    expect(await b.said("done:task1")).toMatch(
      /^⌛ expired: Fix the tests\nIt had not begun by 2030-03-17 17:56 UTC, so it was not begun at all\. Before: no workspace/,
    );
    const [letter] = await b.rows("select body_json ->> '$.silent' as silent from letters where key = 'done:task1'");
    expect(letter?.silent, "audible").toBe(0);
  });

  it("refuses the claim of an order that nobody took in time", async () => {
    await b.ask("task1", { deadline: startMs + minute });
    await b.clock.advance(minute);
    await expect(b.claim("task1")).rejects.toMatchObject({ code: "conflict" });
    await expireOverdue(b.hq);
    expect(await b.states("task1")).toEqual(["expired"]);
    await dispatchAll(b.hq);
    expect(await b.states("task1")).toEqual(["expired"]);
  });

  it("narrows the time of what begins shortly before it, and goes on counting from the claim", async () => {
    await b.ask("task1", { deadline: startMs + 10 * minute });
    await b.clock.advance(4 * minute);
    const { token } = await b.claim("task1");
    expect((await limitsIn(token)).wallS).toBe(6 * 60);
    const [order] = await b.rows("select order_id from tasks where id = 'task1'");
    await b.clock.advance(2 * minute);
    const again = await grantClaim(b.hq, await b.desk.factory(), { task: "task1", epoch: 1, order: String(order?.order_id) });
    expect(again.resumed).toBe(true);
    expect((await limitsIn(again.token)).wallS, "the factory counts from its first beginning").toBe(6 * 60);
    await b.desk.beat();
    await b.ask("task2");
    expect((await limitsIn((await b.claim("task2")).token)).wallS).toBe(b.hq.profile.limits.wallS);
  });

  it("stands in the order's limits too", async () => {
    await b.ask("task1", { deadline: startMs + 3 * minute });
    expect((await b.desk.orders())[0]?.body.limits.wallS).toBe(180);
  });

  it("of many is done in turns, within the calls of an event", async () => {
    for (let i = 0; i < 12; i += 1) await b.ask(`task${i}`, { workspace: "elsewhere", deadline: startMs + minute });
    await b.clock.advance(minute);
    b.limits.calls = b.counts.sql + b.counts.bus + 40;
    const used = await b.count(() => expireOverdue(b.hq));
    expect(used.sql).toBeLessThanOrEqual(40);
    b.limits.calls = Number.POSITIVE_INFINITY;
    await expireOverdue(b.hq);
    expect((await b.store.tasks.list({ states: ["expired"], limit: 20 })).length).toBe(12);
    expect(await b.told()).toHaveLength(12);
  });
});
