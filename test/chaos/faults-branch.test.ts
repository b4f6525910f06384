/** Faults of a branch, each at a chosen moment, in one town of real processes; at the end every invariant of a run must hold. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { streamOf } from "#core/fleet.ts";
import type { Point } from "../../dev/chaos/points.ts";
import { redisCommand } from "../../dev/redis.ts";
import { until } from "../e2e/until.ts";
import { openScene, type Scene } from "./scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await openScene({ hq: "node" });
});
afterAll(() => scene?.close());

const accepted = (attempts: readonly string[]) => attempts.filter((attempt) => attempt.endsWith("succeeded"));
const ends = (story: readonly string[]) => story.filter((kind) => ["succeeded", "failed", "cancelled"].includes(kind));

test.each<[string, Point]>([
  ["before the journal has the order", "branch.journal.accept:before"],
  ["after it has it", "branch.journal.accept:after"],
  ["in the middle of the work", "branch.journal.transcript.append:after"],
  ["with the result in the journal, before it is on the bus", "branch.bus.finish:before"],
  ["with the result on the bus, before that is noted", "branch.bus.finish:after"],
])("fault 1: a factory that is killed %s: resumed or dispatched again, accepted once", async (_, point) => {
  const { reached } = await scene.killAt(point);
  const job = await scene.ask();
  const killed = await reached;
  const end = await scene.endOf(job);
  expect(end).toMatchObject({ state: "succeeded" });
  expect(accepted(end.attempts)).toHaveLength(1);
  expect(ends(end.story)).toEqual(["succeeded"]);
  expect(end.attempts[0]).toContain(killed);
});

test("fault 2: a factory that sleeps past its lease: it is told to stop and does; its work is another's", async () => {
  const job = await scene.ask();
  const held = scene.hold(job);
  const first = await held.call;
  const asleep = scene.branch(first.life.split(".")[0] ?? "");
  const task = await scene.inState(job, "running", 1);
  asleep.member.freeze();
  const again = scene.inState(job, "running", 2);
  await again;
  asleep.member.thaw();
  await until(`${asleep.id} was told to stop`, () =>
    scene.town.controller.told.some(
      ({ who, what, detail }) => who === asleep.id && what === "stopped" && (detail as { task: string }[]).some((one) => one.task === task),
    ),
  );
  held.release();
  const end = await scene.endOf(job);
  expect(first.cutOff).toBe(true);
  expect(end).toMatchObject({ state: "succeeded", epoch: 2, lost: 1 });
  expect(end.attempts).toEqual([`1 ${asleep.id} lost`, `2 ${end.factory} succeeded`]);
  expect(end.factory).not.toBe(asleep.id);
});

test("fault 2: a result that comes after the lease is stale", async () => {
  const asleep = Promise.withResolvers<string>();
  const { reached } = await scene.at("branch.bus.finish:before", async (member) => {
    const held = await scene.dealer.heldBy(member.id);
    member.freeze();
    asleep.resolve(member.id);
    await scene.dealer.movedOn(held).finally(() => member.thaw());
    return "go";
  });
  const job = await scene.ask();
  const late = await asleep.promise;
  await reached;
  const end = await scene.endOf(job);
  expect(end).toMatchObject({ state: "succeeded", epoch: 2, lost: 1 });
  expect(accepted(end.attempts)).toEqual([`2 ${end.factory} succeeded`]);
  expect(end.attempts[0]).toBe(`1 ${late} lost`);
});

test("fault 12: an entry that is no envelope is rejected, and the next order goes through", async () => {
  const { redis } = scene.town;
  await redisCommand(redis.url, "XADD", streamOf("desk-1", "in"), "*", "e", "no envelope at all");
  const job = await scene.ask("desk-1");
  expect(await scene.endOf(job)).toMatchObject({ state: "succeeded", factory: "desk-1", epoch: 1 });
  await until("headquarters heard of it", async () => (await scene.incidents("order_rejected")).some((text) => text.includes("desk-1")));
});

test("fault 12: a job that kills whoever works on it ends, and the others proceed", async () => {
  const job = await scene.ask("desk-2");
  scene.hopeless.add(job);
  const desk = scene.branch("desk-2");
  const kill = async () => {
    for (;;) {
      const held = scene.hold(job);
      const over = scene.endOf(job).then(() => null);
      const call = await Promise.race([held.call, over]);
      if (call === null) return held.release();
      await desk.member.kill();
      held.release();
      await desk.member.start();
    }
  };
  const killing = kill();
  const other = await scene.endOf(await scene.ask("desk-1"));
  await killing;
  const end = await scene.endOf(job);
  expect(other).toMatchObject({ state: "succeeded" });
  expect(["failed", "dead"]).toContain(end.state);
  expect(desk.member.lives.length).toBeGreaterThan(2);
  expect(await scene.endOf(await scene.ask("desk-2"))).toMatchObject({ state: "succeeded", factory: "desk-2" });
});

test.each(["desk-2", "desk-3"])("fault 14: a clock that is an hour off, %s's, has no effect", async (factory) => {
  const end = await scene.endOf(await scene.ask(factory));
  expect(end).toMatchObject({ state: "succeeded", factory, epoch: 1, lost: 0 });
});

test("fault 15: an order that was trimmed away under its reader is let go and told; the task is dispatched again", async () => {
  const { redis } = scene.town;
  const { reached } = await scene.at("branch.journal.accept:before", async (member) => {
    await member.kill();
    await redisCommand(redis.url, "XTRIM", streamOf(member.id, "in"), "MAXLEN", "0");
    scene.dealer.heal(member.id, 0, member.start);
    return "go";
  });
  const job = await scene.ask("desk-1");
  expect(await reached).toBe("desk-1");
  const end = await scene.endOf(job);
  expect(end.state).toBe("succeeded");
  expect(accepted(end.attempts)).toHaveLength(1);
  await until("it is told", async () => (await scene.incidents("order_rejected")).some((text) => text.includes("trimmed")));
});

test("fault 17: SIGTERM: no new work, and what ends within the grace is finished", async () => {
  const desk = scene.branch("desk-1");
  const job = await scene.ask("desk-1");
  const held = scene.hold(job);
  await held.call;
  const stopping = desk.member.stop();
  await until("headquarters knows", async () => (await scene.town.store.factories.get("desk-1"))?.status === "draining");
  const next = await scene.ask("desk-1");
  held.release();
  expect(await stopping).toBe("exit code 0");
  expect(await scene.endOf(job)).toMatchObject({ state: "succeeded", epoch: 1, lost: 0 });
  expect(await scene.taskOf(next)).not.toMatchObject({ state: "running" });
  await desk.member.start();
  expect(await scene.endOf(next)).toMatchObject({ state: "succeeded", factory: "desk-1" });
});

test("fault 17: SIGTERM: what does not end within the grace is given back", async () => {
  const job = await scene.ask();
  const held = scene.hold(job);
  const desk = scene.branch((await held.call).life.split(".")[0] ?? "");
  expect(await desk.member.stop()).toBe("exit code 0");
  held.release();
  await desk.member.start();
  const end = await scene.endOf(job);
  expect(end).toMatchObject({ state: "succeeded", epoch: 2 });
  expect(end.attempts[0]).toBe(`1 ${desk.id} returned`);
});
