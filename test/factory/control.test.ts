/** The owner's word on a task and on a factory, as HQ takes it: one terminal state, whatever it meets on its way. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { longestInstruction } from "#core/limits.ts";
import { isTerminal } from "#core/task.ts";
import { cancelTask } from "#factory/cancel.ts";
import { grantClaim } from "#factory/claim.ts";
import { delegate } from "#factory/delegate.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import { drain } from "#factory/drain.ts";
import { drainFactory, undrainFactory } from "#factory/drain-factory.ts";
import { acceptHeartbeat } from "#factory/heartbeat.ts";
import { pauseTask, resumeTask } from "#factory/pause.ts";
import { retireFactory } from "#factory/retire.ts";
import { steerTask } from "#factory/steer.ts";
import { quietBeat } from "../support/heartbeats.ts";
import { type Desk, type HqBench, openHq, recover, resultOf, settleResult, wish } from "./headquarters.ts";

const id = "t1-1-1";
let b: HqBench;
let desk: Desk;
beforeEach(async () => {
  b = await openHq();
  desk = await b.join();
  await recover(b.hq);
});
afterEach(() => b.close());

async function running() {
  await delegate(b.hq, wish());
  const [order] = await desk.orders();
  await grantClaim(b.hq, await desk.factory(), { task: id, epoch: 1, order: order?.id ?? "" });
}
const alive = { task: id, epoch: 1, step: 1, cost: 0, tokens: 0, paused: false, overBudget: null };
const beat = async (obeyed: string[] = [], runs = [alive]) =>
  acceptHeartbeat(b.hq, await desk.factory(), quietBeat(desk.facts, { running: runs, obeyed }));
const done = async () => (await b.rows("select key from letters where key like 'done:%'")).length;
/** What lies on the factory's control stream and was not read. */
async function onBus(factory = "desk-1") {
  const from = [{ factory, channel: "ctl" as const }];
  const entries = await b.hq.bus.read({ from, consumer: factory, what: "new", count: 99, blockMs: 0 });
  const trusted = async () => ({ owner: "hq", key: b.hq.signer.publicKey });
  const opened = await Promise.all(entries.map((entry) => b.hq.verifier.open(entry.data ?? "", factory, trusted, b.clock.now())));
  return opened.map((envelope) => envelope.body);
}
async function minutes(n: number, each: () => Promise<unknown> = async () => undefined) {
  for (let i = 0; i < n; i += 1) {
    await b.clock.advance(60_000);
    await each();
    await recover(b.hq);
  }
}
const card = async () => String((await b.rows("select body_json from letters where key = 'card-edit:t1-1-1'"))[0]?.body_json);

describe("every control goes both ways until it is obeyed", () => {
  it("by the bus, and with each heartbeat", async () => {
    await running();
    await steerTask(b.hq, id, "Use tabs.", "u1");
    await pauseTask(b.hq, id, "Alice");
    const [steer, pause] = await onBus();
    expect([steer, pause]).toMatchObject([
      { id: "steer_u1", seq: 1, do: "steer", task: id, epoch: 1, text: "Use tabs." },
      { seq: 2, do: "pause", task: id, epoch: 1 },
    ]);
    for (let i = 0; i < 2; i += 1) expect((await beat()).controls).toEqual([steer, pause]);
    expect((await beat(["steer_u1"])).controls).toEqual([pause]);
  });

  it("by heartbeat alone where the bus is away", async () => {
    await running();
    b.bus.fail("publish", "before");
    expect(await pauseTask(b.hq, id, "Alice")).toBe("told");
    expect(await onBus()).toEqual([]);
    expect((await beat()).controls).toMatchObject([{ do: "pause" }]);
  });

  it("costs a heartbeat one call, and nothing more to a quiet one", async () => {
    await running();
    const quiet = await b.count(() => beat());
    await steerTask(b.hq, id, "Use tabs.", "u1");
    expect(await b.count(() => beat())).toEqual(quiet);
    expect(await b.count(() => beat(["steer_u1"]))).toEqual(quiet);
  });

  it("is known by few calls", async () => {
    await running();
    const used = [
      await b.count(() => steerTask(b.hq, id, "Use tabs.", "u1")),
      await b.count(() => pauseTask(b.hq, id, "Alice")),
      await b.count(() => resumeTask(b.hq, id, "Alice")),
      await b.count(() => cancelTask(b.hq, id, "not needed")),
    ];
    for (const { sql, bus } of used) expect([sql <= 3, bus]).toEqual([true, 1]);
  });
});

describe("steering", () => {
  it("says to whom it was passed on, and is heard once under its key", async () => {
    await running();
    for (let i = 0; i < 3; i += 1) {
      expect(await steerTask(b.hq, id, "Use tabs.", "u1")).toEqual({ how: "passed", to: "desk-1" });
    }
    await desk.tell(id, 1, 1);
    await b.client.execute("update tasks set persona = 'Lisa'");
    expect(await steerTask(b.hq, id, "And spaces.", "u2")).toEqual({ how: "passed", to: "Lisa @ desk-1" });
    await pauseTask(b.hq, id, "Alice");
    expect(await steerTask(b.hq, id, "Hm.", "u3")).toMatchObject({ how: "waits" });
    expect((await beat()).controls.map((control) => control.do)).toEqual(["steer", "steer", "pause", "steer"]);
    expect((await b.task()).instruction.match(/Use tabs/g)).toHaveLength(1);
  });

  it("is in the order of a task that nobody has yet, and of a later attempt", async () => {
    await b.store.factories.setStatus("desk-1", "draining", b.clock.now());
    await delegate(b.hq, wish());
    expect(await steerTask(b.hq, id, "Use tabs.", "u1")).toEqual({ how: "added" });
    expect(await steerTask(b.hq, id, "Use tabs.", "u1")).toEqual({ how: "added" });
    expect(await onBus()).toEqual([]);
    await b.store.factories.setStatus("desk-1", "active", b.clock.now());
    await dispatchAll(b.hq);
    const [first] = await desk.orders();
    expect(first?.body.instruction.match(/Use tabs/g)).toHaveLength(1);
    await grantClaim(b.hq, await desk.factory(), { task: id, epoch: 1, order: first?.id ?? "" });
    await steerTask(b.hq, id, "And spaces.", "u2");
    await settleResult(b.hq, "desk-1", resultOf({ outcome: "released" }));
    await dispatchAll(b.hq);
    const [second] = await desk.orders();
    expect(second?.body).toMatchObject({ epoch: 2, instruction: expect.stringMatching(/Use tabs\..*And spaces\./s) });
    expect((await beat([], [])).controls, "the old attempt is told nothing more").toEqual([]);
  });

  it("reaches a task whose order is on its way", async () => {
    await delegate(b.hq, wish());
    expect(await steerTask(b.hq, id, "Use tabs.", "u1")).toEqual({ how: "passed", to: "desk-1" });
    expect((await beat([], [])).controls).toMatchObject([{ do: "steer", epoch: 1 }]);
  });

  it("is refused where it does not fit, or nobody is there to hear it", async () => {
    expect(await steerTask(b.hq, "t9-9-9", "Hm.", "u1")).toEqual({ how: "unknown" });
    await b.store.factories.setStatus("desk-1", "draining", b.clock.now());
    await delegate(b.hq, wish({ instruction: "x".repeat(longestInstruction - 10) }));
    expect(await steerTask(b.hq, id, "Use tabs.", "u2")).toEqual({ how: "no_room" });
    expect(await steerTask(b.hq, id, "x".repeat(4001), "u3")).toEqual({ how: "no_room" });
    await cancelTask(b.hq, id, "not needed");
    expect(await steerTask(b.hq, id, "Hm.", "u4")).toEqual({ how: "over" });
  });
});

describe("pausing", () => {
  it("is shown at once with the button that ends it, and the other way round", async () => {
    await running();
    expect(await pauseTask(b.hq, id, "Alice")).toBe("told");
    expect(await b.task()).toMatchObject({ state: "paused", reason: expect.stringContaining("paused by Alice") });
    expect(await card()).toContain("⏸ paused");
    expect(await card()).toContain(`resume:${id}`);
    expect(await pauseTask(b.hq, id, "Alice")).toBe("already");
    expect(await resumeTask(b.hq, id, "Alice")).toBe("told");
    expect(await card()).toContain(`pause:${id}`);
    expect(await resumeTask(b.hq, id, "Alice")).toBe("already");
  });

  it("is nothing for a task that nobody works on, that is over, or that there is not", async () => {
    await b.store.factories.setStatus("desk-1", "draining", b.clock.now());
    await delegate(b.hq, wish());
    for (const act of [pauseTask, resumeTask]) expect(await act(b.hq, id, "Alice")).toBe("idle");
    await cancelTask(b.hq, id, "not needed");
    for (const act of [pauseTask, resumeTask]) expect(await act(b.hq, id, "Alice")).toBe("over");
    for (const act of [pauseTask, resumeTask]) expect(await act(b.hq, "t9-9-9", "Alice")).toBe("unknown");
  });

  it("keeps a task for a factory that sleeps, however long; going on gives it one lease", async () => {
    await running();
    await pauseTask(b.hq, id, "Alice");
    await minutes(60);
    expect(await b.task()).toMatchObject({ state: "paused", epoch: 1, lost: 0 });
    await resumeTask(b.hq, id, "Alice");
    await minutes(1);
    expect(await b.task()).toMatchObject({ state: "running", epoch: 1 });
    await minutes(2);
    expect(await b.task()).toMatchObject({ state: "queued", epoch: 2, lost: 1 });
  });
});

describe("a race", () => {
  it("of pause and result ends with the result, whichever is first", async () => {
    await running();
    await pauseTask(b.hq, id, "Alice");
    await desk.say("result", resultOf());
    await drain(b.hq);
    expect((await b.task()).state).toBe("succeeded");
    expect(await pauseTask(b.hq, id, "Alice")).toBe("over");
    expect(await done()).toBe(1);
    expect((await beat([], [])).controls).toEqual([]);
  });

  it("of cancel and a result that is on the bus ends with the result", async () => {
    await running();
    await desk.say("result", resultOf());
    expect(await cancelTask(b.hq, id, "not needed")).toBe("requested");
    await drain(b.hq);
    expect((await b.task()).state).toBe("succeeded");
    expect(await cancelTask(b.hq, id, "not needed")).toBe("over");
    expect(await done()).toBe(1);
  });

  it("of cancel and a factory that is offline ends with its lease, also where it was paused", async () => {
    await running();
    await pauseTask(b.hq, id, "Alice");
    await minutes(10);
    expect(await cancelTask(b.hq, id, "not needed")).toBe("requested");
    await minutes(3);
    expect(await b.task()).toMatchObject({ state: "cancelled", reason: "not needed" });
    expect((await beat()).stop).toMatchObject([{ task: id, reason: "it is cancelled" }]);
    expect(await done()).toBe(1);
  });

  it("of everything at once ends in one state, told once", async () => {
    for (let round = 0; round < 12; round += 1) {
      const task = `t${round}-1-1`;
      await delegate(b.hq, wish({ id: task }));
      const [order] = await desk.orders();
      await grantClaim(b.hq, await desk.factory(), { task, epoch: 1, order: order?.id ?? "" });
      const acts = [
        () => cancelTask(b.hq, task, "not needed"),
        () => pauseTask(b.hq, task, "Alice"),
        () => resumeTask(b.hq, task, "Alice"),
        () => steerTask(b.hq, task, "Hm.", `u${round}`),
        () => settleResult(b.hq, "desk-1", resultOf({ task, outcome: round % 2 ? "succeeded" : "cancelled" })),
      ];
      const turned = [...acts.slice(round % acts.length), ...acts.slice(0, round % acts.length)];
      await Promise.all(turned.map((act) => act().catch((error: { code?: string }) => expect(error.code).toBe("conflict"))));
      expect(isTerminal((await b.task(task)).state)).toBe(true);
    }
    expect(await done()).toBe(12);
    expect((await beat([], [])).controls).toEqual([]);
  });
});

describe("a factory", () => {
  it("that drains by the owner's word gets no work and says so, until it may again", async () => {
    expect(await drainFactory(b.hq, "desk-1")).toContain("begins nothing new");
    expect(await onBus()).toMatchObject([{ seq: 1, do: "drain" }]);
    await delegate(b.hq, wish());
    expect(await b.task()).toMatchObject({ state: "held" });
    expect(await beat([], [])).toMatchObject({ status: "draining", controls: [{ do: "drain" }] });
    expect(await undrainFactory(b.hq, "desk-1")).toContain("takes work again");
    expect(await beat([], [])).toMatchObject({ status: "active", controls: [{ do: "drain" }, { seq: 2, do: "undrain" }] });
    expect(await undrainFactory(b.hq, "desk-1")).toContain("already");
    await dispatchAll(b.hq);
    expect((await b.task()).state).toBe("dispatched");
  });

  it("keeps the owner's drain over its own", async () => {
    await drainFactory(b.hq, "desk-1");
    for (const draining of [true, false]) {
      const { status } = await acceptHeartbeat(b.hq, await desk.factory(), quietBeat(desk.facts, { draining }));
      expect(status).toBe("draining");
    }
  });

  it("says at once that it is active again after a drain of its own", async () => {
    for (const [draining, status] of [
      [true, "draining"],
      [false, "active"],
    ] as const) {
      expect((await acceptHeartbeat(b.hq, await desk.factory(), quietBeat(desk.facts, { draining }))).status).toBe(status);
    }
  });

  it.each(["pending", "retired"] as const)("that is %s is not let in by /drain and /undrain", async (status) => {
    await b.store.factories.setStatus("desk-1", status, b.clock.now());
    expect(await drainFactory(b.hq, "desk-1")).toContain(`is ${status}`);
    expect(await undrainFactory(b.hq, "desk-1")).toContain(`is ${status}`);
    expect((await desk.factory()).status).toBe(status);
    expect(await drainFactory(b.hq, "desk-9")).toContain("There is no factory desk-9");
  });

  it("that asks to join again meanwhile is not let in either", async () => {
    await drainFactory(b.hq, "desk-1");
    const { get } = b.store.factories;
    const late = {
      ...b.store.factories,
      async get(of: string) {
        const factory = await get(of);
        await b.store.factories.setStatus("desk-1", "pending", b.clock.now());
        return factory;
      },
    };
    expect(await undrainFactory({ ...b.hq, store: { ...b.store, factories: late } }, "desk-1")).toContain("try again");
    expect((await desk.factory()).status).toBe("pending");
  });

  it("that is given back to three times does not bury its task", async () => {
    await delegate(b.hq, wish());
    for (let epoch = 1; epoch <= 5; epoch += 1) {
      await dispatchAll(b.hq);
      const [order] = await desk.orders();
      // Begun or not, it comes back unharmed.
      if (epoch % 2) await grantClaim(b.hq, await desk.factory(), { task: id, epoch, order: order?.id ?? "" });
      await desk.say("result", resultOf({ epoch, outcome: "released", code: "released", reason: "its factory gave it back" }));
      await drain(b.hq);
    }
    expect(await b.task()).toMatchObject({ epoch: 6, lost: 0, failed: 0 });
    expect(isTerminal((await b.task()).state)).toBe(false);
  });

  it("that is retired is told to go, and its tasks go elsewhere at once", async () => {
    await running();
    await delegate(b.hq, wish({ id: "t2-1-1" }));
    await desk.orders();
    expect(await retireFactory(b.hq, "desk-1")).toContain("Its 2 tasks are tried again elsewhere");
    expect(await onBus()).toMatchObject([{ do: "revoke", reason: expect.stringContaining("was retired") }]);
    for (const task of [id, "t2-1-1"]) expect(await b.task(task)).toMatchObject({ state: "held", epoch: 2, lost: 0, factory: null });
    await expect(beat()).rejects.toMatchObject({ code: "forbidden" });
    await b.join("desk-2", { slots: 2 });
    await dispatchAll(b.hq);
    expect(await b.task()).toMatchObject({ state: "dispatched", factory: "desk-2" });
    await settleResult(b.hq, "desk-1", resultOf());
    expect((await b.task()).state, "what it still says is stale").toBe("dispatched");
  });

  it("that is retired in an event with few calls left gives back the rest when it is said again", async () => {
    const big = await b.join("desk-2", { slots: 20 });
    for (let i = 0; i < 10; i += 1) await delegate(b.hq, wish({ id: `t${i}-1-1`, factory: "desk-2" }));
    await big.orders();
    const { sql, bus } = b.counts;
    b.limits.calls = sql + bus + 45;
    expect(await retireFactory(b.hq, "desk-2")).toMatch(/Its \d tasks are tried again/);
    b.limits.calls = Number.POSITIVE_INFINITY;
    expect(await retireFactory(b.hq, "desk-2")).toMatch(/tried again/);
    expect(await b.store.tasks.list({ factory: "desk-2", limit: 20 })).toEqual([]);
    expect(await retireFactory(b.hq, "desk-2")).toContain("already");
  });
});
