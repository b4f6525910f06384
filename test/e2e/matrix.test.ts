/**
 * The main job wherever headquarters may run and whichever bus carries it. Workerd with libSQL and with Redis are not here:
 * `killed-turn.test.ts` and `main-job.test.ts` do the same job there.
 */
import { afterEach, expect, test } from "vitest";
import { billedFor } from "./billed.ts";
import { type House, type HouseOptions, mission, openHouse } from "./house.ts";
import { until } from "./until.ts";

let house: House | null = null;
afterEach(async () => {
  await house?.close();
  house = null;
});

const combinations: [NonNullable<HouseOptions["hq"]>, NonNullable<HouseOptions["bus"]>][] = [
  ["node", "libsql"],
  ["node", "redis"],
  ["node", "upstash"],
  ["workerd", "upstash"],
];

test.each(combinations)("headquarters in %s, over %s: one mission, one verified completion, every call billed", async (hq, bus) => {
  house = await openHouse({ hq, bus });
  const { id: message } = house.chat.say(mission);
  const { task, done } = await house.endOf(message);
  expect(task).toMatchObject({ state: "succeeded", epoch: 1, factory: "desk-1", receipt: { verdict: "verified" } });
  expect(done.text).toContain("verified: the tests failed before and pass now");
  await house.answerTo(message);
  // A later command is answered later: then everything of the turn has been said.
  await house.answerTo(house.chat.say("/tasks").id);
  expect(await house.box.store.tasks.list({ limit: 50 })).toHaveLength(1);
  const replies = house.chat.messages().filter(({ from, replyTo }) => from === "bot" && replyTo?.id === message);
  expect(replies.filter(({ silent }) => !silent)).toHaveLength(1);
  expect(house.chat.messages().filter(({ replyTo, silent, document }) => replyTo?.id === done.replyTo?.id && !silent && !document)).toEqual(
    [done],
  );
  if (house.upstash) expect(house.upstash.served.requests).toBeGreaterThan(5);
  const total = await house.box.store.ledger.total({});
  expect(total).toMatchObject({ calls: house.model.requests.length, usage: billedFor(house.model.requests) });
});

test.each(["chat", "responses"])("with models that speak %s: the same, every call billed by what that wire told", async (wire) => {
  house = await openHouse({ hq: "node", env: { LLM_WIRE: wire } });
  const { id: message } = house.chat.say(mission);
  const { task } = await house.endOf(message);
  expect(task).toMatchObject({ state: "succeeded", epoch: 1, receipt: { verdict: "verified" } });
  await house.answerTo(message);
  await house.answerTo(house.chat.say("/tasks").id);
  expect(new Set(house.model.requests.map((request) => request.wire))).toEqual(new Set([wire]));
  const total = await house.box.store.ledger.total({});
  expect(total).toMatchObject({ calls: house.model.requests.length, usage: billedFor(house.model.requests) });
  expect(total.usage.cacheRead).toBeGreaterThan(total.usage.uncachedIn);
});

test("headquarters under Node ticks by itself, and is started again when it was killed", async () => {
  house = await openHouse({ hq: "node" });
  const { box, chat } = house;
  expect(box.hq?.tick).toBeNull();
  const ticked = () => until("a tick of its own", async () => Number(await box.store.get("last_tick")));
  const first = await ticked();
  const killed = box.hq?.child();
  killed?.kill();
  const { id: message } = chat.say("/fleet");
  await house.answerTo(message, 60_000);
  expect(box.hq?.child().pid).not.toBe(killed?.pid);
  await until("a tick of the new one's", async () => Number(await box.store.get("last_tick")) > first);
});
