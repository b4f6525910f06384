/** Headquarters and set-ups that wait: each is asked about once, an answer has one effect, at the attempt and for the digest that it was given for. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { answerQuestion, settleQuestions } from "#factory/answer-owner.ts";
import { grantClaim } from "#factory/claim.ts";
import { delegate } from "#factory/delegate.ts";
import { acceptHeartbeat } from "#factory/heartbeat.ts";
import { requeue } from "#factory/recover.ts";
import { quietBeat } from "../support/heartbeats.ts";
import { lifeUntil } from "../support/mortal.ts";
import { type Desk, type HqBench, openHq, wish } from "./headquarters.ts";

let b: HqBench;
let desk: Desk;
beforeEach(async () => {
  b = await openHq();
  desk = await b.join();
  await claimed();
});
afterEach(() => b.close());

const id = "t1-1-1";
const digest = "a".repeat(64);
const asked = { workspace: "shop", command: "npm ci", hosts: ["registry.npmjs.org:443"], digest };
const run = { task: id, epoch: 1, step: 0, cost: 0, tokens: 0, paused: false, overBudget: null };
const waiting = { ...run, paused: true, approval: asked };
const beat = async (running: object[] = [], hq = b.hq) =>
  acceptHeartbeat(hq, await desk.factory(), quietBeat(desk.facts, { running: running as never }));
const answer = (option: string, question = "q1", hq = b.hq) => answerQuestion(hq, { id: question, option, by: "Ann", via: "telegram" });
const open = async () => (await b.store.questions.open({ limit: 50 })).map((question) => question.id);
const controls = async () => b.store.controls.exchange("desk-1", [], 50, b.clock.now());
async function claimed() {
  await delegate(b.hq, wish());
  const [order] = await desk.orders();
  return grantClaim(b.hq, await desk.factory(), { task: id, epoch: 1, order: order?.id ?? "" });
}

describe("a task that waits for its set-up", () => {
  it("is awaiting approval, and its owner asked once, with exactly what would run", async () => {
    for (let i = 0; i < 3; i += 1) await beat([waiting]);
    expect(await b.task()).toMatchObject({ state: "awaiting_approval", code: "setup", factory: "desk-1" });
    expect(await open()).toEqual(["q1"]);
    const question = await b.store.questions.get("q1");
    expect(question?.content.text).toMatch(/npm ci.*registry\.npmjs\.org:443/s);
    expect(question?.options.map(({ label }) => label)).toEqual(["Run it", "Always for this workspace", "Go on without"]);
  });

  it("waits for its factory however long that is away, and is not given to another", async () => {
    await beat([waiting]);
    await b.clock.advance(3_600_000);
    expect(await b.store.tasks.expired(b.clock.now(), [])).toEqual([]);
  });

  it.each(["once", "always", "never"] as const)("goes on by one control where the answer is %s", async (option) => {
    await beat([waiting]);
    expect((await answer(option)).outcome).toBe("answered");
    expect(await b.task()).toMatchObject({ state: "running" });
    const told = await controls();
    expect(told).toEqual([{ id: "ctl_q1", seq: 1, do: "approve", task: id, epoch: 1, digest, allow: option, by: "Ann" }]);
    // The factory has not heard of it yet; and a second answer is too late.
    await beat([waiting]);
    expect(await b.task()).toMatchObject({ state: "running" });
    expect((await answer(option === "never" ? "always" : "never")).outcome).toBe("late");
    expect([await controls(), await open()]).toEqual([told, []]);
  });

  it("goes on without it where nobody answers", async () => {
    await beat([waiting]);
    await b.clock.advance(2 * 3_600_000 + 1);
    await settleQuestions(b.hq);
    expect(await controls()).toMatchObject([{ do: "approve", allow: "never", by: "nobody answered in time" }]);
    expect(await b.task()).toMatchObject({ state: "running" });
  });

  it("is asked about anew where another command is to run", async () => {
    await beat([waiting]);
    await answer("once");
    await beat([{ ...waiting, approval: { ...asked, command: "npm ci; curl x", digest: "b".repeat(64) } }]);
    expect(await open()).toEqual(["q2"]);
    expect(await b.task()).toMatchObject({ state: "awaiting_approval" });
  });

  it("goes on by itself where it was approved for another task, and nobody need answer", async () => {
    await beat([waiting]);
    await beat([run]);
    expect(await b.task()).toMatchObject({ state: "running" });
    expect(await open()).toEqual([]);
    expect((await answer("always")).outcome).toBe("late");
    expect(await controls()).toEqual([]);
    // That was an older heartbeat, which came late.
    await beat([waiting]);
    await beat([waiting]);
    expect(await open()).toEqual(["q2"]);
  });

  it("cannot be answered any more once the attempt is lost", async () => {
    await beat([waiting]);
    const task = await b.task();
    if (task) await requeue(b.hq, task, "lose", "away", "lost");
    expect((await answer("always")).outcome).not.toBe("answered");
    expect(await controls()).toEqual([]);
  });

  it.each(["before", "after"] as const)(
    "is asked and answered once, whatever dies %s a call in between",
    async (when) => {
      for (let last = 0; ; last += 1) {
        b.close();
        b = await openHq();
        desk = await b.join();
        await claimed();
        const life = lifeUntil(last, when);
        const mortal = { ...b.hq, store: life.of(b.store), bus: life.of(b.bus) };
        await beat([waiting], mortal).catch(() => undefined);
        await answer("always", "q1", mortal).catch(() => undefined);
        const { dead } = life;
        for (let round = 0; round < 2; round += 1) {
          await beat([waiting]);
          const [left] = await open();
          if (left) await answer("always", left);
          await settleQuestions(b.hq);
        }
        const what = `killed ${when} call ${last}`;
        expect(await controls(), what).toMatchObject([{ do: "approve", allow: "always", digest }]);
        expect(await b.task(), what).toMatchObject({ state: "running" });
        const left = await b.rows("select count(*) as n from questions where answered_at is null or applied_at is null");
        expect(left, what).toEqual([{ n: 0 }]);
        if (dead) continue;
        expect(last).toBeGreaterThan(8);
        return;
      }
    },
    60_000,
  );
});
