import { expect, it } from "vitest";
import { leaseMs } from "#core/fleet.ts";
import { quietBeat } from "../../support/heartbeats.ts";
import type { Bench } from "../store.contract.ts";
import { atOnce, count, desk, facts, key, newTask, order, result, settle, taskIn } from "./samples.ts";

const code = { hash: "hash-1", factory: "desk", name: "Desk", role: "branch" as const, expiresAt: 1000 };

export function fleetCases(bench: Bench): void {
  const get = async () => {
    const factory = await bench.store.factories.get("desk");
    if (!factory) throw new Error("desk is not there");
    return factory;
  };
  const beat = (now: number, draining = false) => bench.store.factories.heartbeat("desk", quietBeat(facts, { rttMs: 30, draining }), now);

  it("enrols a factory that waits for approval", async () => {
    const { factories } = bench.store;
    await factories.enrol(desk, 100);
    await factories.enrol(desk, 110);
    const enrolled = { ...desk, status: "pending", gen: 1, facts: null, busHash: null, enrolledAt: 110, busy: 0 };
    expect(await factories.list()).toEqual([{ ...enrolled, lastHeartbeatAt: null, rttMs: null, connectedSince: null }]);
    expect(await factories.byKid("kid-a")).toMatchObject({ id: "desk" });
    expect(await factories.byKid("kid-b")).toBeNull();
    expect(await factories.get("other")).toBeNull();
  });

  it("has a new key approved again, under the same id", async () => {
    const { factories } = bench.store;
    await factories.enrol(desk, 100);
    expect(await factories.setStatus("desk", "active", 150, "kid-a")).toBe(true);
    await beat(160);
    await factories.enrol({ ...desk, kid: "kid-b", key: key("b") }, 200);
    expect(await factories.list()).toHaveLength(1);
    expect(await get()).toMatchObject({
      status: "pending",
      kid: "kid-b",
      gen: 1,
      facts: null,
      lastHeartbeatAt: null,
      connectedSince: null,
    });
    expect(await factories.byKid("kid-a")).toBeNull();
    expect(await factories.setStatus("desk", "active", 250, "kid-a"), "the key that was approved is gone").toBe(false);
    expect((await get()).status).toBe("pending");
  });

  it("keeps the hash of a factory's login for the bus, until a new one comes with a new key, or its user is gone with it", async () => {
    const { factories } = bench.store;
    await factories.enrol({ ...desk, busHash: "first" }, 100);
    await factories.setStatus("desk", "active", 150);
    await factories.forgetBusUser("desk");
    expect((await get()).busHash, "one that is at work keeps it").toBe("first");
    await factories.enrol({ ...desk, busHash: "second" }, 200);
    expect((await get()).busHash).toBe("second");
    await factories.setStatus("desk", "retired", 250);
    expect((await get()).busHash).toBe("second");
    await factories.forgetBusUser("desk");
    expect((await get()).busHash).toBeNull();
    await factories.enrol(desk, 300);
    expect((await get()).busHash).toBeNull();
  });

  it("refuses a key that another factory has", async () => {
    await bench.store.factories.enrol(desk, 100);
    const before = await bench.snapshot();
    await expect(bench.store.factories.enrol({ ...desk, id: "desk-2" }, 200)).rejects.toMatchObject({ code: "conflict" });
    expect(await bench.snapshot()).toEqual(before);
  });

  it("revokes every token of a factory that retires, for good", async () => {
    const { factories } = bench.store;
    await factories.enrol(desk, 100);
    await factories.setStatus("desk", "active", 150);
    expect(await factories.setStatus("desk", "retired", 200)).toBe(true);
    expect(await factories.setStatus("desk", "retired", 210)).toBe(true);
    expect(await get()).toMatchObject({ status: "retired", gen: 1 });
    expect(await factories.setStatus("desk", "active", 220)).toBe(false);
    await beat(230);
    expect(await get()).toMatchObject({ status: "retired", lastHeartbeatAt: null });
    expect(await factories.setStatus("other", "active", 220)).toBe(false);
  });

  it("notes facts, and since when the factory is here without a break", async () => {
    await bench.store.factories.enrol(desk, 100);
    await beat(1000);
    expect(await get()).toMatchObject({ facts, rttMs: 30, lastHeartbeatAt: 1000, connectedSince: 1000, status: "pending" });
    await beat(1000 + leaseMs);
    expect(await get()).toMatchObject({ lastHeartbeatAt: 1000 + leaseMs, connectedSince: 1000 });
    await beat(1001 + 2 * leaseMs);
    expect(await get()).toMatchObject({ connectedSince: 1001 + 2 * leaseMs });
  });

  it("ends a drain that the factory began, not one that the owner ordered", async () => {
    await bench.store.factories.enrol(desk, 100);
    await bench.store.factories.setStatus("desk", "active", 150);
    const status = async (now: number, draining: boolean) => {
      await beat(now, draining);
      return (await get()).status;
    };
    expect([await status(200, false), await status(210, true), await status(220, false)]).toEqual(["active", "draining", "active"]);
    await bench.store.factories.setStatus("desk", "draining", 300);
    expect([await status(310, false), await status(320, true), await status(330, false)]).toEqual(["draining", "draining", "draining"]);
    await bench.store.factories.setStatus("desk", "paused", 400);
    expect(await status(410, true)).toBe("paused");
  });

  it("counts what a factory has to do", async () => {
    await bench.store.factories.enrol(desk, 50);
    await taskIn(bench, "running");
    await bench.store.tasks.create({ ...newTask, id: "task_2" }, { kind: "delegated", text: "" }, 100);
    await bench.store.tasks.dispatch("task_2", 1, order(), 200);
    await bench.store.tasks.create({ ...newTask, id: "task_3" }, { kind: "delegated", text: "" }, 100);
    expect((await get()).busy).toBe(2);
    expect((await bench.store.factories.byKid("kid-a"))?.busy).toBe(2);
    await settle(bench, "succeed", "desk", result(), 500);
    expect((await bench.store.factories.list())[0]?.busy).toBe(1);
  });

  it("redeems a join code once", async () => {
    const { factories } = bench.store;
    await factories.addCode(code, 100);
    const answers = await atOnce(10, () => factories.redeem("hash-1", "desk", 200));
    expect(answers.filter((answer) => typeof answer === "object")).toEqual([code]);
    expect(count(answers, "used")).toBe(9);
  });

  it("says of a code what is wrong with it", async () => {
    const { factories } = bench.store;
    expect(await factories.redeem("hash-1", "desk", 200)).toBe("unknown");
    await factories.addCode(code, 100);
    expect(await factories.redeem("hash-1", "desk", 1000)).toBe("expired");
    expect(await factories.redeem("hash-1", "other", 200)).toBe("unknown");
    expect(await factories.redeem("hash-1", "desk", 999)).toEqual(code);
  });

  it("survives five wrong guesses; the sixth burns every open code of that factory, and of no other", async () => {
    const { factories } = bench.store;
    await factories.addCode(code, 100);
    await factories.addCode({ ...code, hash: "hash-2" }, 100);
    await factories.addCode({ ...code, hash: "hash-3", factory: "other" }, 100);
    for (let i = 0; i < 5; i++) expect(await factories.redeem(`guess-${i}`, "desk", 200)).toBe("unknown");
    expect(await factories.redeem("hash-2", "desk", 200)).toMatchObject({ hash: "hash-2" });
    expect(await factories.redeem("guess-6", "desk", 200)).toBe("burned");
    expect(await factories.redeem("hash-1", "desk", 200)).toBe("burned");
    expect(await factories.redeem("hash-2", "desk", 200)).toBe("used");
    expect(await factories.redeem("hash-3", "other", 200)).toMatchObject({ hash: "hash-3" });
  });

  it("counts guesses that come at once", async () => {
    await bench.store.factories.addCode(code, 100);
    await atOnce(40, (i) => bench.store.factories.redeem(`guess-${i}`, "desk", 200));
    expect(await bench.store.factories.redeem("hash-1", "desk", 200)).toBe("burned");
  });
}
