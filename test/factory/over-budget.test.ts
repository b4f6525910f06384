/** Headquarters and its owner's budgets: what stands still is asked about once, an answer has one effect, and what is used up is given no work. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Budget } from "#core/budget.ts";
import type { OverBudgetAt } from "#core/envelope.ts";
import { answerQuestion, settleQuestions } from "#factory/answer-owner.ts";
import { tellOfBudgets } from "#factory/budgets.ts";
import { grantClaim } from "#factory/claim.ts";
import { delegate } from "#factory/delegate.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import { acceptHeartbeat } from "#factory/heartbeat.ts";
import { askAboutHolds } from "#factory/hold.ts";
import { resumeTask } from "#factory/pause.ts";
import { quietBeat } from "../support/heartbeats.ts";
import { ledgerEntry } from "../support/ledger.ts";
import { lifeUntil } from "../support/mortal.ts";
import { type Desk, type HqBench, openHq, startMs, wish } from "./headquarters.ts";

let b: HqBench;
let desk: Desk;
beforeEach(async () => {
  b = await openHq();
  desk = await b.join();
});
afterEach(() => b.close());

const id = "t1-1-1";
const dollar = 1_000_000_000;
const run = { task: id, epoch: 1, step: 3, cost: 0, tokens: 0, paused: false, overBudget: null };
const ofTask: Budget = {
  ...{ id: `task:${id}:1:usd`, scope: { kind: "task", of: id, epoch: 1 }, period: "task", unit: "usd", amount: 3 * dollar },
};
const at = (changed: Partial<OverBudgetAt> = {}): OverBudgetAt => ({
  ...{ budget: ofTask, spent: 2.9 * dollar, need: 0.2 * dollar, time: 1 },
  ...changed,
});
const stuck = (changed: Partial<OverBudgetAt> = {}) => ({ ...run, paused: true, overBudget: at(changed) });
const beat = async (running: object[] = [], changed: object = {}, hq = b.hq) =>
  acceptHeartbeat(hq, await desk.factory(), quietBeat(desk.facts, { running: running as never, ...changed }));
const answer = (option: string, question = "q1", hq = b.hq) => answerQuestion(hq, { id: question, option, by: "Ann", via: "telegram" });
const open = async () => (await b.store.questions.open({ limit: 50 })).map((question) => question.id);
const controls = async () =>
  (await b.store.controls.exchange("desk-1", [], 50, b.clock.now())).map(({ do: what, ...rest }) => ({ what, ...rest }));
const budget = (changed: Partial<Budget> = {}): Budget => ({
  ...{ id: "factory:desk-1:day:usd", scope: { kind: "factory", of: "desk-1" }, period: "day", unit: "usd", amount: 5 * dollar },
  ...changed,
});
const spend = (usd: number, factory = "desk-1", name = `usage_${factory}_${usd}`) =>
  b.store.spending.settle(ledgerEntry({ id: name, task: null, factory, cost: usd * dollar }), b.clock.now());
async function claimed() {
  await delegate(b.hq, wish());
  const [order] = await desk.orders();
  return grantClaim(b.hq, await desk.factory(), { task: id, epoch: 1, order: order?.id ?? "" });
}

describe("a task that stands still at a budget", () => {
  beforeEach(async () => {
    await claimed();
  });

  it("is paused, and its owner asked once, however often the factory says so", async () => {
    for (let i = 0; i < 3; i += 1) await beat([stuck()]);
    expect(await b.task()).toMatchObject({ state: "paused", code: "budget", epoch: 1, factory: "desk-1" });
    expect(await open()).toEqual(["q1"]);
    const question = await b.store.questions.get("q1");
    expect(question?.content.text).toContain("stands still: task t1-1-1's budget of $3.00: $2.90 of it spent");
    expect(question?.options.map(({ label }) => label)).toEqual([
      "Raise it to $4.00",
      "Raise it to $6.00",
      "Finish with what is there",
      "Stop the task",
    ]);
  });

  it("waits for its factory however long that is away, and is not for /resume", async () => {
    await beat([stuck()]);
    await b.clock.advance(3_600_000);
    expect(await b.store.tasks.expired(b.clock.now(), [])).toEqual([]);
    expect(await resumeTask(b.hq, id, "Ann")).toBe("budget");
  });

  it.each([
    ["raise-6000000000", { what: "raise", budget: ofTask.id, amount: 6 * dollar, at: startMs }],
    ["finish", { what: "finish", reason: "ends with what is there, as Ann decided" }],
  ])("goes on by one control where the answer is %s", async (option, control) => {
    await beat([stuck()]);
    expect((await answer(option)).outcome).toBe("answered");
    expect(await b.task()).toMatchObject({ state: "running" });
    const told = await controls();
    expect(told).toEqual([{ id: "ctl_q1", task: id, epoch: 1, seq: 1, ...control }]);
    // The factory has not heard of it yet.
    await beat([stuck()]);
    expect(await b.task()).toMatchObject({ state: "running" });
    expect((await answer("stop")).outcome).toBe("late");
    expect(await controls()).toEqual(told);
    expect(await open()).toEqual([]);
  });

  it("is stopped where the answer is that", async () => {
    await beat([stuck()]);
    await answer("stop");
    expect(await controls()).toMatchObject([{ what: "cancel", reason: "stopped at its budget by Ann" }]);
  });

  it("is asked about anew when it stands still again", async () => {
    await beat([stuck()]);
    await answer("raise-4000000000");
    await beat([stuck({ time: 2, budget: { ...ofTask, amount: 4 * dollar } })]);
    expect(await b.task()).toMatchObject({ state: "paused", code: "budget" });
    expect(await open()).toEqual(["q2"]);
  });

  it("goes on by itself where there is room again, and nobody need answer any more", async () => {
    await beat([stuck()]);
    await beat([run]);
    expect(await b.task()).toMatchObject({ state: "running" });
    expect(await open()).toEqual([]);
    expect((await b.store.questions.get("q1"))?.answer).toMatchObject({ via: "event", by: expect.stringContaining("room in its budget") });
    expect((await answer("raise-6000000000")).outcome).toBe("late");
    expect(await controls()).toEqual([]);
  });

  it("is asked about after all where that was an older heartbeat that came late", async () => {
    await beat([stuck()]);
    await beat([run]);
    await beat([stuck()]);
    await beat([stuck()]);
    expect(await open()).toEqual(["q2"]);
    await answer("raise-6000000000", "q2");
    expect(await controls()).toMatchObject([{ what: "raise", budget: ofTask.id, amount: 6 * dollar }]);
  });

  it("offers no raise that would hold no further call", async () => {
    await beat([stuck({ budget: { ...ofTask, amount: 1000 }, spent: 900, need: 5000 })]);
    expect((await b.store.questions.get("q1"))?.options.map(({ key }) => key)).toEqual(["raise-10900", "finish", "stop"]);
  });

  it("raises the owner's budget with it, for its period alone", async () => {
    await b.store.budgets.set(budget(), startMs);
    await beat([stuck({ budget: budget() })]);
    await answer("raise-10000000000");
    expect(await controls()).toMatchObject([{ what: "raise", budget: "factory:desk-1:day:usd", amount: 10 * dollar }]);
    expect((await beat()).budgets).toMatchObject([{ budget: { amount: 5 * dollar }, raise: { amount: 10 * dollar, at: startMs } }]);
  });

  it.each(["before", "after"] as const)(
    "is asked and answered once, whatever dies %s a call in between",
    async (when) => {
      for (let last = 0; ; last += 1) {
        b.close();
        b = await openHq();
        desk = await b.join();
        await claimed();
        await b.store.budgets.set(budget(), startMs);
        const life = lifeUntil(last, when);
        const mortal = { ...b.hq, store: life.of(b.store), bus: life.of(b.bus) };
        const tell = stuck({ budget: budget() });
        await beat([tell], {}, mortal).catch(() => undefined);
        await answer("raise-10000000000", "q1", mortal).catch(() => undefined);
        const { dead } = life;
        for (let round = 0; round < 2; round += 1) {
          await beat([tell]);
          const [waiting] = await open();
          if (waiting) await answer("raise-10000000000", waiting);
          await settleQuestions(b.hq);
        }
        const what = `killed ${when} call ${last}`;
        expect(await controls(), what).toMatchObject([{ what: "raise", amount: 10 * dollar, budget: "factory:desk-1:day:usd" }]);
        expect(await b.store.budgets.standings(startMs), what).toMatchObject([{ raise: { amount: 10 * dollar } }]);
        expect(await b.task(), what).toMatchObject({ state: "running" });
        const left = await b.rows("select count(*) as n from questions where answered_at is null or applied_at is null");
        expect(left, what).toEqual([{ n: 0 }]);
        if (dead) continue;
        expect(last).toBeGreaterThan(10);
        return;
      }
    },
    60_000,
  );
});

describe("the owner's budgets", () => {
  it("are told to the factories that they bind, with what others spent", async () => {
    await b.join("desk-2");
    await b.store.budgets.set(budget(), startMs);
    await b.store.budgets.set(budget({ id: "factory:desk-2:day:usd", scope: { kind: "factory", of: "desk-2" } }), startMs);
    await b.store.budgets.set(
      budget({ id: "corporation:5h:usd", scope: { kind: "corporation" }, period: "window", windowMs: 5 * 3_600_000 }),
      startMs,
    );
    await spend(1, "desk-1");
    await spend(2, "desk-2");
    await spend(0.5, "hq");
    const told = (await beat()).budgets.map(({ budget: { id: of }, elsewhere }) => [of, elsewhere]);
    expect(told).toEqual([
      ["corporation:5h:usd", 2.5 * dollar],
      ["factory:desk-1:day:usd", 0],
    ]);
    await b.clock.advance(5 * 3_600_000 + 1);
    expect((await beat()).budgets[0]?.elsewhere, "a window rolls").toBe(0);
  });

  it("count what is under way elsewhere, once", async () => {
    await b.store.budgets.set(budget({ id: "corporation:day:usd", scope: { kind: "corporation" } }), startMs);
    await b.store.budgets.set(
      budget({ id: "vp:coder:day:tokens", scope: { kind: "vp", of: "coder" }, unit: "tokens", amount: 1000 }),
      startMs,
    );
    await claimed();
    await beat([{ ...run, cost: 2 * dollar, tokens: 700 }]);
    const spent = async () => (await b.store.budgets.standings(b.clock.now())).map(({ recorded, live }) => [recorded, live]);
    expect(await spent()).toEqual([
      [0, 2 * dollar],
      [0, 700],
    ]);
    await b.store.spending.settle(ledgerEntry({ id: "usage_of_it", task: id, epoch: 1, cost: dollar }), b.clock.now());
    expect((await spent())[0]).toEqual([dollar, dollar]);
  });

  it("that are used up hold what waits, with the reason, and the owner is asked", async () => {
    await b.store.budgets.set(budget(), startMs);
    await spend(5);
    await delegate(b.hq, wish());
    expect(await b.task()).toMatchObject({
      state: "held",
      code: "budget",
      reason: expect.stringMatching(/^desk-1's budget of \$5\.00 a day is used up: \$5\.00 spent\. It begins anew on 2030-03-18/),
    });
    await b.clock.advance(61_000);
    await askAboutHolds(b.hq);
    expect(await open()).toHaveLength(1);
    await b.store.budgets.set(budget({ amount: 10 * dollar }), b.clock.now());
    await desk.beat();
    await dispatchAll(b.hq);
    expect((await b.task()).state).toBe("dispatched");
  });

  it("that are used up at one machine send the work to another", async () => {
    await b.join("desk-2");
    await b.store.budgets.set(budget(), startMs);
    await spend(5);
    await delegate(b.hq, wish());
    expect(await b.task()).toMatchObject({ state: "dispatched", factory: "desk-2" });
  });

  it("that were used up since the order was given refuse the claim, and the task is held", async () => {
    await b.store.budgets.set(budget(), startMs);
    await delegate(b.hq, wish());
    const [order] = await desk.orders();
    await spend(5);
    const claim = async () => grantClaim(b.hq, await desk.factory(), { task: id, epoch: 1, order: order?.id ?? "" });
    await expect(claim()).rejects.toThrow(/can't begin: desk-1's budget of \$5\.00 a day is used up/);
    await dispatchAll(b.hq);
    expect(await b.task()).toMatchObject({ state: "held", code: "budget", epoch: 2, lost: 0, failed: 0 });
  });

  it("that are used up refuse no claim of what runs already", async () => {
    const first = await claimed();
    await b.store.budgets.set(budget(), startMs);
    await spend(5);
    const orders = await b.rows("select order_id from tasks");
    const again = await grantClaim(b.hq, await desk.factory(), { task: id, epoch: 1, order: String(orders[0]?.order_id) });
    expect([first.resumed, again.resumed]).toEqual([false, true]);
  });
});

describe("alerts", () => {
  const letters = async () =>
    (await b.rows("select body_json ->> '$.content.text' as text from letters order by id")).map(({ text }) => String(text).split("\n")[0]);

  it("come once at 50, 80 and 100 per cent, and again with the next day", async () => {
    await b.store.budgets.set(budget(), startMs);
    const told = async (usd: number, name: string) => {
      await spend(usd, "desk-1", name);
      await Promise.all([tellOfBudgets(b.hq), tellOfBudgets(b.hq)]);
      await tellOfBudgets(b.hq);
    };
    await told(2.4, "usage_0001");
    expect(await letters()).toEqual([]);
    await told(0.2, "usage_0002");
    await told(0.1, "usage_0003");
    await told(2, "usage_0004");
    await told(2, "usage_0005");
    const each = (percent: number) => `desk-1's budget of $5.00 a day: ${percent} % of it is spent`;
    expect(await letters()).toEqual([each(50), each(80), each(100)]);
    await b.clock.advance(24 * 3_600_000);
    await told(3, "usage_0006");
    expect(await letters()).toEqual([each(50), each(80), each(100), each(50)]);
  });

  it("are not repeated where headquarters dies between the letter and its note", async () => {
    for (let last = 0; last < 4; last += 1) {
      await b.store.budgets.set(budget(), startMs);
      await spend(2.6, "desk-1", "usage_0001");
      const life = lifeUntil(last, "after");
      await tellOfBudgets({ ...b.hq, store: life.of(b.store) }).catch(() => undefined);
      await tellOfBudgets(b.hq);
      expect(await letters()).toHaveLength(1);
    }
  });
});
