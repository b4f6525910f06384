/** Faults of the bus and of the links to it, each at a chosen moment, in one town of real processes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomIds } from "#adapters/ids/random.ts";
import { joseSigner } from "#adapters/signer/jose.ts";
import { type Body, maxEntryBytes } from "#core/envelope.ts";
import { streamOf } from "#core/fleet.ts";
import { seal } from "#factory/seal.ts";
import { loadOrMakeKey } from "../../branch-agent/keys.ts";
import { readEnrolment } from "../../branch-agent/state.ts";
import { redisCommand } from "../../dev/redis.ts";
import { until } from "../e2e/until.ts";
import { openScene, type Scene } from "./scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await openScene({ hq: "node" });
});
afterAll(() => scene?.close());

const succeeded = { state: "succeeded", epoch: 1, lost: 0 };
const once = (story: readonly string[], kind: string) => story.filter((one) => one === kind).length === 1;

test("fault 3: a link that goes silent while the branch waits is noticed, and the order is not lost", async () => {
  const { links } = scene.branch("desk-1");
  const before = links.redis.links;
  expect(before).toBeGreaterThan(0);
  // What was open stays dead; whoever connects anew is heard.
  links.redis.silence();
  links.redis.resume();
  expect(await scene.endOf(await scene.ask("desk-1"))).toMatchObject({ ...succeeded, factory: "desk-1" });
});

test("fault 3: a link that is cut in the middle of the work costs nothing", async () => {
  const job = await scene.ask("desk-1");
  const held = scene.hold(job);
  await held.call;
  const { links } = scene.branch("desk-1");
  links.redis.cut();
  links.hq.cut();
  held.release();
  expect(await scene.endOf(job)).toMatchObject(succeeded);
});

test("fault 4: the reply to a dispatch is lost: the order goes out again, and the duplicate is dropped", async () => {
  const { reached } = await scene.at("hq.bus.publish:after", async () => "lose");
  const job = await scene.ask();
  await reached;
  const end = await scene.endOf(job);
  expect(end).toMatchObject(succeeded);
  expect(once(end.story, "claimed") && once(end.story, "succeeded")).toBe(true);
});

test("fault 4: the reply to a result is lost: it is told again, and accepted once", async () => {
  const { reached } = await scene.at("branch.bus.finish:after", async () => "lose");
  const job = await scene.ask();
  await reached;
  const end = await scene.endOf(job);
  expect(end).toMatchObject(succeeded);
  expect(once(end.story, "succeeded")).toBe(true);
});

test("fault 5: Redis is killed with a result in it that nobody read: what it confirmed is there when it is back", async () => {
  const { redis } = scene.town;
  const { reached } = await scene.at("branch.bus.finish:after", async (member) => {
    const length = () => redisCommand(redis.url, "XLEN", streamOf(member.id, "out"));
    const confirmed = Number(await length());
    await redis.kill();
    await redis.start();
    expect(Number(await length())).toBe(confirmed);
    return "go";
  });
  const job = await scene.ask();
  await reached;
  expect(await scene.endOf(job)).toMatchObject(succeeded);
});

test("fault 6: Redis is wiped under a blocked reader: the groups are made again, and the next order comes", async () => {
  await redisCommand(scene.town.redis.url, "FLUSHALL");
  expect(await scene.endOf(await scene.ask("desk-1"))).toMatchObject({ ...succeeded, factory: "desk-1" });
});

test("fault 6: an order is wiped before it was read: it is dispatched again from the database", async () => {
  const { links } = scene.branch("desk-1");
  links.redis.refuse();
  links.redis.cut();
  const job = await scene.ask("desk-1");
  const task = await scene.inState(job, "dispatched");
  const published = "select id from task_events where task = ? and kind = 'published'";
  await until("the order is on the bus", async () => (await scene.town.rows(published, [task])).length > 0);
  await redisCommand(scene.town.redis.url, "FLUSHALL");
  links.redis.resume();
  const end = await scene.endOf(job);
  expect(end.state).toBe("succeeded");
  expect(once(end.story, "succeeded")).toBe(true);
});

test("fault 6: a result is wiped before headquarters read it: it is told again, with what it spent", async () => {
  const { redis } = scene.town;
  const { reached } = await scene.at("branch.bus.finish:after", async (member) => {
    await redisCommand(redis.url, "DEL", streamOf(member.id, "out"));
    return "go";
  });
  const job = await scene.ask();
  await reached;
  const end = await scene.endOf(job);
  expect(end).toMatchObject(succeeded);
  expect(once(end.story, "succeeded")).toBe(true);
});

test("fault 13: a rogue factory reaches nobody else's streams, and speaks for nobody else", async () => {
  const { town } = scene;
  const rogue = scene.branch("desk-2");
  const joined = await readEnrolment(rogue.home);
  const own = new URL(joined?.busUrl ?? "");
  own.port = String(town.redis.port);
  const asRogue = (...args: string[]) => redisCommand(own.href, ...args).then(String, (error: Error) => error.message);
  for (const channel of ["in", "ctl", "out", "ev"] as const) {
    expect(await asRogue("XADD", streamOf("desk-1", channel), "*", "e", "x"), channel).toMatch(/NOPERM/);
    expect(await asRogue("DEL", streamOf("desk-1", channel)), channel).toMatch(/NOPERM/);
  }
  expect(await asRogue("XADD", streamOf("desk-2", "in"), "*", "e", "x")).toMatch(/NOPERM/);

  const job = await scene.ask("desk-1");
  const held = scene.hold(job);
  await held.call;
  const task = await scene.inState(job, "running");
  const key = await loadOrMakeKey(rogue.home);
  const signer = await joseSigner(key.privateJwk);
  const say = async (self: string, epoch: number, seq: number) => {
    const body: Body<"result"> = {
      ...{ task, epoch, outcome: "succeeded", code: "finished", reason: "forged", persona: "Rogue", summary: "forged" },
      ...{ receipt: null, usages: [], log: "" },
    } as Body<"result">;
    const { jws } = await seal({ self, signer, clock: town.clock, ids: randomIds }, "result", body, { aud: "hq", corr: task, seq });
    return jws;
  };
  const out = streamOf("desk-2", "out");
  // Another's name under its own key; another's task and a stale attempt under its own name; more than an entry may hold.
  for (const entry of [await say("desk-1", 1, 0), await say("desk-2", 1, 0), await say("desk-2", 7, 0), "x".repeat(maxEntryBytes + 1)]) {
    expect(await asRogue("XADD", out, "*", "e", entry)).toMatch(/^\d+-\d+$/);
  }
  await until("headquarters read it all", async () => Number(await redisCommand(town.redis.url, "XLEN", out)) === 0);
  expect(await scene.taskOf(job)).toMatchObject({ state: "running", epoch: 1, factory: "desk-1" });
  expect((await scene.incidents("dead_letter")).length).toBeGreaterThan(0);
  held.release();
  expect(await scene.endOf(job)).toMatchObject({ ...succeeded, factory: "desk-1" });
});
