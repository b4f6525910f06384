/** Faults of headquarters in real workerd, each at a chosen moment, in one town of real processes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { streamOf } from "#core/fleet.ts";
import { faults } from "../../dev/chaos/faults.ts";
import { redisCommand } from "../../dev/redis.ts";
import { until } from "../e2e/until.ts";
import { openScene, type Scene } from "./scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await openScene({ hq: "workerd" });
});
afterAll(() => scene?.close());

const ends = (story: readonly string[]) => story.filter((kind) => ["succeeded", "failed", "cancelled", "lost"].includes(kind));

test("fault 7: headquarters is away for longer than a lease, and a progress stream overflows: results are intact", async () => {
  const jobs = [await scene.ask("desk-1"), await scene.ask("desk-2")];
  const held = jobs.map((job) => scene.hold(job));
  await Promise.all(held.map(({ call }) => call));
  await Promise.all(jobs.map((job) => scene.inState(job, "running")));
  const away = faults.hq_away(scene.dealer);
  await until("headquarters is away", () => !scene.town.hq.alive());
  for (const hold of held) hold.release();
  await away;
  const { redis } = scene.town;
  const lengths = await Promise.all(
    ["desk-1", "desk-2", "desk-3"].map(async (id) => Number(await redisCommand(redis.url, "XLEN", streamOf(id, "ev")))),
  );
  expect(Math.max(...lengths)).toBeGreaterThanOrEqual(2000);
  await scene.dealer.healed();
  for (const job of jobs) {
    const end = await scene.endOf(job);
    expect(end).toMatchObject({ state: "succeeded", epoch: 1, lost: 0 });
    expect(ends(end.story)).toEqual(["succeeded"]);
  }
});

test("fault 8: headquarters is killed between its commit and the acknowledgement: the replay is a no-op", async () => {
  const { reached } = await scene.killAt("hq.store.tasks.settle:after");
  const job = await scene.ask();
  await reached;
  const end = await scene.endOf(job);
  expect(end).toMatchObject({ state: "succeeded", epoch: 1 });
  expect(ends(end.story)).toEqual(["succeeded"]);
});

test("fault 9: headquarters is killed between its commit and the bus: the outbox sends the order", async () => {
  const { reached } = await scene.killAt("hq.store.tasks.dispatch:after");
  const job = await scene.ask();
  await reached;
  const end = await scene.endOf(job);
  expect(end).toMatchObject({ state: "succeeded", epoch: 1, lost: 0 });
  expect(end.story.filter((kind) => kind === "published")).toHaveLength(1);
});

test("fault 10: two drains at once accept a result once", async () => {
  const { town } = scene;
  const { reached } = await scene.at("hq.bus.remove:before", async () => {
    // This one has settled and is held before it acknowledges; two more read the same entries as their own.
    await Promise.all([town.tick(), town.tick()]);
    return "go";
  });
  const job = await scene.ask();
  await reached;
  const end = await scene.endOf(job);
  expect(end).toMatchObject({ state: "succeeded", epoch: 1 });
  expect(ends(end.story)).toEqual(["succeeded"]);
});

test("fault 11: cancelled while it is queued", async () => {
  const busy = await Promise.all(Array.from({ length: 9 }, () => scene.ask()));
  const held = busy.map((job) => scene.hold(job));
  const job = await scene.ask();
  const task = await scene.inState(job, "queued");
  scene.cancel(task);
  expect(await scene.endOf(job)).toMatchObject({ state: "cancelled", attempts: [] });
  for (const hold of held) hold.release();
  for (const other of busy) expect(await scene.endOf(other)).toMatchObject({ state: "succeeded" });
});

test("fault 11: cancelled while it runs", async () => {
  const job = await scene.ask();
  const held = scene.hold(job);
  await held.call;
  scene.cancel(await scene.inState(job, "running"));
  const end = await scene.endOf(job);
  held.release();
  expect(end).toMatchObject({ state: "cancelled", epoch: 1 });
  expect(ends(end.story)).toEqual(["cancelled"]);
});

test("fault 11: cancelled while its result is on the way: one end, whichever it is", async () => {
  const { reached } = await scene.at("branch.bus.finish:before", async () => {
    const [task] = await scene.town.rows<{ id: string }>("select id from tasks where state = 'running'");
    scene.cancel(task?.id ?? "");
    await until(
      "headquarters has the wish",
      async () =>
        (await scene.town.rows("select id from tasks where cancel_requested is not null and id = ?", [task?.id ?? ""])).length > 0,
    );
    return "go";
  });
  const job = await scene.ask();
  await reached;
  const end = await scene.endOf(job);
  expect(["succeeded", "cancelled"]).toContain(end.state);
  expect(ends(end.story)).toEqual([end.state]);
});

test("fault 11: cancelled while its factory is offline", async () => {
  const job = await scene.ask();
  const held = scene.hold(job);
  const desk = scene.branch((await held.call).life.split(".")[0] ?? "");
  const task = await scene.inState(job, "running");
  desk.member.freeze();
  scene.cancel(task);
  const end = await scene.endOf(job);
  desk.member.thaw();
  held.release();
  expect(end).toMatchObject({ state: "cancelled", epoch: 1 });
  expect(ends(end.story)).toEqual(["cancelled"]);
});
