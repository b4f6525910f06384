import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UacError } from "#core/errors.ts";
import { delegate } from "#factory/delegate.ts";
import { dispatchAll, publishOrders } from "#factory/dispatch.ts";
import { type HqBench, openHq, wish } from "./headquarters.ts";

let b: HqBench;
beforeEach(async () => {
  b = await openHq();
});
afterEach(() => b.close());

const states = async () => (await b.store.tasks.list({ limit: 100, oldestFirst: true })).map((task) => `${task.id} ${task.state}`);
const kinds = async (id = "t1-1-1") => (await b.store.tasks.events(id)).map((event) => event.kind);
const wishes = (n: number, changed: Parameters<typeof wish>[0] = {}, from = 0) =>
  Array.from({ length: n }, (_, i) => wish({ ...changed, id: `t1-1-${String(from + i).padStart(3, "0")}` }));

describe("delegate", () => {
  it("gives the task to a factory at once: an order on the bus, a card in the chat", async () => {
    const desk = await b.join();
    const { task, route } = await delegate(b.hq, wish());
    expect(task).toMatchObject({ state: "dispatched", factory: "desk-1", epoch: 1 });
    expect(route).toMatchObject({ to: "desk-1" });
    const [order] = await desk.orders();
    expect(order).toMatchObject({ iss: "hq", aud: "desk-1", seq: 1, body: { task: "t1-1-1", epoch: 1, title: "Fix the tests" } });
    const [card] = await b.store.letters.take(b.clock.now(), 1000, 10);
    expect(card).toMatchObject({ key: "card:t1-1-1", refersTo: 10, body: { silent: true } });
  });

  it("said twice is one task, one order, one card", async () => {
    const desk = await b.join();
    await delegate(b.hq, wish());
    const { task, route } = await delegate(b.hq, wish({ title: "Something else" }));
    expect(task.title).toBe("Fix the tests");
    expect(route).toBeNull();
    expect(await desk.orders()).toHaveLength(1);
    expect(await b.store.letters.take(b.clock.now(), 1000, 10)).toHaveLength(1);
    expect(await kinds()).toEqual(["delegated", "dispatched", "published"]);
  });

  it("goes on where a call before it died, at every point", async () => {
    const desk = await b.join();
    const whole = (await b.count(() => delegate(b.hq, wish({ id: "whole" })))).sql;
    for (let cut = 1; cut <= whole; cut += 1) {
      const id = `cut-${cut}`;
      await expect(delegate(dyingAfter(cut - 1), wish({ id }))).rejects.toThrow("killed");
      const { task } = await delegate(b.hq, wish({ id }));
      expect(["dispatched", "queued"], `cut at call ${cut}`).toContain(task.state);
      expect((await b.rows("select key from letters where key = ?", `card:${id}`)).length).toBe(1);
      await b.store.tasks.move(id, 1, "cancel", { kind: "cancelled", text: "", code: "" }, b.clock.now());
    }
    const orders = (await desk.orders()).map((order) => `${order.id} ${order.body.task}`);
    expect(new Set(orders.map((order) => order.split(" ")[1])).size).toBe(new Set(orders).size);
  });

  it.each<[string, Parameters<typeof wish>[0], string, RegExp]>([
    ["nobody has the workspace", { workspace: "garage" }, "no_workspace", /no workspace garage on desk-1/],
    ["nobody is called that", { factory: "desk-9" }, "no_factory", /no factory is called desk-9/],
  ])("holds where %s, and says why", async (_, changed, code, reason) => {
    await b.join();
    const { task, route } = await delegate(b.hq, wish(changed));
    expect(route).toMatchObject({ hold: code, reason: expect.stringMatching(reason) });
    expect(task).toMatchObject({ state: "held", code, reason: expect.stringMatching(reason) });
  });

  it("keeps what a busy fleet can't take in the queue", async () => {
    await b.join();
    for (const one of wishes(3)) await delegate(b.hq, one);
    expect(await states()).toEqual(["t1-1-000 dispatched", "t1-1-001 dispatched", "t1-1-002 queued"]);
    await dispatchAll(b.hq);
    expect((await b.task("t1-1-002")).state).toBe("queued");
    await b.store.tasks.move("t1-1-000", 1, "cancel", { kind: "cancelled", text: "", code: "" }, b.clock.now());
    await dispatchAll(b.hq);
    expect((await b.task("t1-1-002")).state).toBe("dispatched");
  });
});

describe("dispatchAll", () => {
  it("releases a held task when a factory comes", async () => {
    await delegate(b.hq, wish());
    expect(await b.task()).toMatchObject({ state: "held", code: "no_factory" });
    const before = await b.snapshot();
    await dispatchAll(b.hq);
    expect(await b.snapshot()).toEqual(before);
    const desk = await b.join();
    await dispatchAll(b.hq);
    expect(await b.task()).toMatchObject({ state: "dispatched", factory: "desk-1" });
    expect(await kinds()).toEqual(["delegated", "held", "asked", "released", "dispatched", "published"]);
    expect(await desk.orders()).toHaveLength(1);
  });

  it("is not kept from old tasks by new ones, nor from new ones by old", async () => {
    for (const one of wishes(15, { workspace: "elsewhere" })) await delegate(b.hq, one);
    await delegate(b.hq, wish({ id: "task-old" }));
    for (const one of wishes(15, { workspace: "elsewhere" }, 20)) await delegate(b.hq, one);
    await delegate(b.hq, wish({ id: "task-new" }));
    await b.join("desk-1", { slots: 4 });
    await dispatchAll(b.hq);
    expect((await states()).filter((line) => line.endsWith("dispatched"))).toEqual(["task-old dispatched", "task-new dispatched"]);
  });

  it("gives out at most ten at once, oldest first, and the rest next time", async () => {
    for (const one of wishes(12)) await delegate(b.hq, one);
    await b.join("desk-1", { slots: 20 });
    await dispatchAll(b.hq);
    const dispatched = async () => (await states()).filter((line) => line.endsWith("dispatched"));
    expect(await dispatched()).toEqual(wishes(10).map(({ id }) => `${id} dispatched`));
    await dispatchAll(b.hq);
    expect(await dispatched()).toHaveLength(12);
  });

  it("counts what it has just given out", async () => {
    for (const one of wishes(6)) await delegate(b.hq, one);
    await b.join("desk-1", { slots: 1 });
    await b.join("desk-2", { slots: 2 });
    await dispatchAll(b.hq);
    const fleet = await b.store.factories.list();
    expect(fleet.map(({ id, busy }) => [id, busy])).toEqual([
      ["desk-1", 2],
      ["desk-2", 3],
    ]);
  });

  it("is not stopped by a task that can't be given out", async () => {
    for (const one of wishes(2)) await delegate(b.hq, one);
    // No reader would accept an order with such a title.
    await b.client.execute(`update tasks set title = '${"x".repeat(300)}' where id = 't1-1-000'`);
    await b.join("desk-1", { slots: 4 });
    await dispatchAll(b.hq);
    expect((await states()).map((line) => line.split(" ")[1])).toEqual(["queued", "dispatched"]);
    expect(b.lines.join("\n")).toContain("a task could not be dispatched");
  });

  it("at the same time as another gives each task out once", async () => {
    for (const one of wishes(6)) await delegate(b.hq, one);
    const desk = await b.join("desk-1", { slots: 20 });
    await Promise.all([dispatchAll(b.hq), dispatchAll(b.hq), dispatchAll(b.hq)]);
    const orders = await desk.orders();
    expect(new Set(orders.map((order) => order.body.task)).size).toBe(6);
    expect(new Set(orders.map((order) => order.id)).size, "copies are the same order").toBe(6);
  });

  it("stops while it has calls left for the letters", async () => {
    for (const one of wishes(8)) await delegate(b.hq, one);
    await b.join("desk-1", { slots: 20 });
    const { counts } = b;
    b.limits.calls = counts.sql + counts.bus + 20;
    const used = await b.count(() => dispatchAll(b.hq));
    expect(used.sql + used.bus).toBeLessThanOrEqual(20 - 4);
    b.limits.calls = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 5; i += 1) await dispatchAll(b.hq);
    expect((await states()).every((line) => line.endsWith("dispatched"))).toBe(true);
  });
});

describe("publishOrders", () => {
  it("leaves the order in the outbox while the bus is down", async () => {
    const desk = await b.join();
    b.bus.fail("publish", "before");
    await delegate(b.hq, wish());
    expect(await desk.orders()).toEqual([]);
    expect(await b.rows("select error, attempts, sent_at from outbox")).toEqual([{ error: "the bus is away", attempts: 1, sent_at: null }]);
    await publishOrders(b.hq);
    expect(await desk.orders(), "it waits a moment").toEqual([]);
    await b.clock.advance(5000);
    await publishOrders(b.hq);
    expect(await desk.orders()).toHaveLength(1);
    expect(await b.store.outbox.due(b.clock.now() + 1e6, 10)).toEqual([]);
  });

  it("sends the same order again where nobody knows whether it arrived", async () => {
    const desk = await b.join();
    b.bus.fail("publish", "after");
    await delegate(b.hq, wish());
    await b.clock.advance(5000);
    await publishOrders(b.hq);
    const orders = await desk.orders();
    expect(orders).toHaveLength(2);
    expect(orders[0]).toEqual(orders[1]);
  });

  it.each(["bus_unavailable", "bus_denied"] as const)("asks a bus that says %s only once, and keeps every order", async (code) => {
    const desk = await b.join("desk-1", { slots: 4 });
    b.bus.fail("publish", "before");
    for (const one of wishes(3)) await delegate(b.hq, one);
    await b.client.execute("update outbox set sent_at = null, not_before = 0");
    await desk.orders();
    let asked = 0;
    const publish = () => {
      asked += 1;
      return Promise.reject(new UacError(code, "the plan is used up"));
    };
    await publishOrders({ ...b.hq, bus: { ...b.hq.bus, publish } });
    expect(asked).toBe(1);
    await b.clock.advance(10_000);
    await publishOrders(b.hq);
    expect(await desk.orders()).toHaveLength(3);
  });

  it("asks a bus that is away only once, and goes on past an order that it refuses", async () => {
    const desk = await b.join("desk-1", { slots: 4 });
    b.bus.fail("publish", "before");
    for (const one of wishes(3)) {
      await delegate(b.hq, one);
      b.bus.fail("publish", "before");
    }
    await b.clock.advance(10_000);
    expect((await b.count(() => publishOrders(b.hq))).bus).toBe(1);

    await b.clock.advance(10_000);
    await b.client.execute(`update outbox set sealed = '${"x".repeat(300_000)}' where task = 't1-1-000'`);
    await publishOrders(b.hq);
    expect((await desk.orders().catch(() => [])).map((order) => order.body.task)).toEqual(["t1-1-001", "t1-1-002"]);
  });
});

/** The headquarters, killed after so many more calls of the database. */
function dyingAfter(calls: number) {
  let left = calls;
  const dying = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name, receiver) {
        const value = Reflect.get(target, name, receiver);
        if (value !== null && typeof value === "object") return dying(value);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          if (left === 0) throw new UacError("store_unavailable", "killed");
          left -= 1;
          return value.apply(target, args);
        };
      },
    });
  return { ...b.hq, store: dying(b.hq.store) };
}
