/** A run at the end of a budget, in a factory at work: it stands still, keeps what it did, and goes on or ends by what it is told, over kills too. */
import { describe, expect, it } from "vitest";
import { quietReply } from "../support/heartbeats.ts";
import { finish, use } from "./agent.ts";
import {
  again,
  answers,
  attempt,
  atWork,
  b,
  beats,
  halt,
  open,
  results,
  running,
  send,
  start,
  stepper,
  told,
  until,
  watchBeats,
} from "./at-work.ts";
import { orderOf } from "./branch.ts";
import { startMs } from "./headquarters.ts";

atWork();

/** A call is 110 tokens, 450 nano-dollars a token at most: three are made before the fourth meets this. */
const most = 330;
const limits = { ...orderOf().limits, tokens: most };
const script = (_: unknown, call: number) => (call < 5 ? { tools: [use(call === 0 ? "edit" : "bash", { n: call })] } : finish());
const own = { BUDGETS: "factory day 330 tokens" };
const raise = (amount: number, changed: object = {}) =>
  ({ id: "ctl_1", seq: 1, do: "raise", ...attempt, budget: "task:t1-1-1:1:tokens", amount, at: startMs, ...changed }) as const;
const end = (changed: object = {}) =>
  ({ id: "ctl_2", seq: 2, do: "finish", ...attempt, reason: "ends here, says Ann", ...changed }) as const;
const calls = () => b.llm.requests.length;
const transcript = () => b.journal.transcript("t1-1-1", 1).load();
type Run = { paused: boolean; tokens: number; overBudget: { budget: { id: string }; spent: number; time: number } | null };
/** What the last heartbeat said of the run. */
const said = (bodies: () => Record<string, unknown>[]) => (bodies().at(-1)?.running as Run[] | undefined)?.[0];
async function capped(bodies: () => Record<string, unknown>[], time = 1) {
  await until(async () => {
    await b.advance(1000);
    return said(bodies)?.paused && said(bodies)?.overBudget?.time === time;
  });
}
async function begun(options: Parameters<typeof open>[0] = {}, changed: Parameters<typeof send>[0] = { limits }) {
  await open({ script, tests: [1, 0], ...options });
  const bodies = watchBeats();
  start();
  await send(changed);
  await capped(bodies);
  return bodies;
}

describe("a run at the end of its budget", () => {
  it("stands still, with its time and with what it did, and headquarters hears of it at once", async () => {
    const bodies = await begun();
    expect(said(bodies)).toMatchObject({
      tokens: most,
      overBudget: { budget: { id: "task:t1-1-1:1:tokens", amount: most }, spent: most, need: 2, time: 1 },
    });
    const before = await transcript();
    // Longer than its time limit: that stands still too.
    await b.advance(3_600_000);
    expect([calls(), await transcript()]).toEqual([3, before]);
    expect(await b.said()).toEqual([]);
  });

  it.each(["bus", "heartbeat", "both"] as const)("goes on where the owner raises it, by %s", async (way) => {
    const bodies = await begun();
    await told(raise(10_000), way);
    expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded", receipt: { steps: 6, limitsHit: [] } } }]);
    expect(bodies().some((body) => (body.running as Run[])[0]?.overBudget === null)).toBe(true);
  });

  it("is asked about anew where a raise holds no further call, and where it is used up again", async () => {
    const bodies = await begun();
    await told(raise(most + 1));
    await capped(bodies, 2);
    await told(raise(most + 50, { id: "ctl_3", seq: 3 }));
    await capped(bodies, 3);
    expect(calls()).toBe(4);
    await told(raise(10_000, { id: "ctl_4", seq: 4 }));
    expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded" } }]);
  });

  it("ends with what is there: committed, tested, and told", async () => {
    await begun();
    await told(end());
    const receipt = { limitsHit: ["token_limit"], head: "c".repeat(40), verdict: "verified", steps: 3 };
    const reason = expect.stringContaining("ends here, says Ann");
    expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded", code: "finished_at_budget", reason, receipt } }]);
    expect(calls()).toBe(3);
  });

  it("fails where what is there is not enough", async () => {
    await begun({ tests: [1, 1] });
    await told(end());
    expect(await results(1)).toMatchObject([{ body: { outcome: "failed", code: "token_limit", receipt: { head: "c".repeat(40) } } }]);
  });

  it("can be cancelled", async () => {
    await begun();
    await told({ id: "ctl_1", seq: 1, do: "cancel", ...attempt, reason: "stopped at its budget by Ann" });
    expect(await results(1)).toMatchObject([{ body: { outcome: "cancelled", reason: "stopped at its budget by Ann" } }]);
  });

  it("stays there over a kill, and counts as the same standstill", async () => {
    await begun();
    for (let kill = 0; kill < 4; kill += 1) {
      halt.abort();
      await running;
      again();
      await b.restart();
      const bodies = watchBeats();
      start();
      await capped(bodies);
    }
    expect(calls()).toBe(3);
    await told(raise(10_000));
    expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded", receipt: { steps: 6 } } }]);
  });

  it.each([
    ["raise", raise(10_000), { outcome: "succeeded", code: "finished" }, 6],
    ["finish", end(), { outcome: "succeeded", code: "finished_at_budget" }, 3],
  ])("does what it was told before a kill: %s", async (_, control, expected, made) => {
    await begun();
    halt.abort();
    await running;
    await b.journal.obey(control as never, startMs);
    again();
    await b.restart();
    start();
    expect(await results(1)).toMatchObject([{ body: expected }]);
    expect(calls()).toBe(made);
  });
});

describe("a factory's own budget", () => {
  it("that has room again after a restart is in nobody's way, and headquarters hears so", async () => {
    const model = stepper();
    const bodies = await begun(
      { env: { BUDGETS: "vp coder 1h 330 tokens" }, script: (_, call) => (call < 4 ? script(_, call) : model.script()) },
      {},
    );
    halt.abort();
    await running;
    expect(said(bodies)?.overBudget).not.toBeNull();
    again();
    await b.restart();
    await b.advance(3_600_000 + 60_000);
    const after = watchBeats();
    start();
    // The fourth call got through; the fifth is under way.
    await until(() => model.waits());
    await until(async () => {
      await b.advance(30_000);
      return said(after)?.overBudget === null;
    });
  });

  it("that has room again meanwhile does not keep what the owner decided from being done", async () => {
    const model = stepper();
    await begun({ env: { BUDGETS: "vp coder 1h 330 tokens" }, script: (_, call) => (call < 3 ? script(_, call) : model.script()) }, {});
    await b.advance(3_600_000 + 60_000);
    await until(() => model.waits());
    await told(end());
    await model.step();
    expect(await results(1)).toMatchObject([{ body: { code: "finished_at_budget", receipt: { steps: 4 } } }]);
    expect(calls()).toBe(4);
  });

  it("stops its tasks too, and lets them go on by themselves when there is room again, without headquarters", async () => {
    await begun({ env: { BUDGETS: "vp coder 1h 330 tokens" } }, {});
    b.branch.hq.heartbeat = () => Promise.reject(new Error("away"));
    expect(calls()).toBe(3);
    await b.advance(3_600_000 + 60_000);
    expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded", receipt: { steps: 6 } } }]);
  });

  it("is raised for one attempt alone, and for its period", async () => {
    const bodies = await begun({ env: own }, {});
    expect(said(bodies)?.overBudget).toMatchObject({ budget: { id: "own:factory:desk-1:day:tokens" } });
    const yesterday = startMs - 24 * 3_600_000;
    await told(raise(10_000, { budget: "own:factory:desk-1:day:tokens", at: yesterday }));
    await capped(bodies, 2);
    expect(calls()).toBe(3);
    await told(raise(10_000, { id: "ctl_3", seq: 3, budget: "own:factory:desk-1:day:tokens", at: b.clock.now() }));
    expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded" } }]);
  });
});

describe("a budget of headquarters", () => {
  const corporation = {
    id: "corporation:day:tokens",
    scope: { kind: "corporation" as const },
    period: "day" as const,
    unit: "tokens" as const,
  };
  const tell = (amount: number, elsewhere: number) => ({
    budgets: [{ budget: { ...corporation, amount }, raise: null, elsewhere, at: startMs }],
  });

  it("binds by what others spent too, holds over a restart, and lets go when it is changed", async () => {
    await open({ script, tests: [1, 0] });
    answers([tell(1000, 670)]);
    let bodies = watchBeats();
    start();
    await until(async () => {
      await b.advance(1000);
      return beats.length === 0;
    });
    b.branch.hq.heartbeat = () => Promise.reject(new Error("away"));
    await send();
    await until(async () => {
      await b.advance(1000);
      return (await b.journal.get("cap:t1-1-1:1")) !== null && calls() === 3;
    });
    halt.abort();
    await running;
    again();
    await b.restart();
    b.branch.hq.heartbeat = async () => ({ ...quietReply(), ...tell(1000, 670) });
    bodies = watchBeats();
    start();
    await capped(bodies);
    expect(said(bodies)?.overBudget).toMatchObject({ budget: { id: "corporation:day:tokens" }, spent: 1000 });
    b.branch.hq.heartbeat = async () => ({ ...quietReply(), ...tell(9000, 670) });
    await until(async () => {
      await b.advance(30_000);
      return (await b.journal.find("t1-1-1", 1))?.state === "reported";
    });
    expect(calls()).toBe(6);
  });
});
