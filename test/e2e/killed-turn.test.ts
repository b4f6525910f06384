/** kill -9 of the real workerd in the middle of Simone's turn: the turn goes on by itself, one delegation, one answer. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Behaviour } from "../../dev/model/behaviour.ts";
import { descendantsOf } from "../../dev/processes.ts";
import { type House, mission, openHouse } from "./house.ts";
import { until } from "./until.ts";

let house: House;
/** Long enough to be met in flight. */
const slowly: Behaviour = "slow:2000";

beforeAll(async () => {
  house = await openHouse();
});
afterEach(() => house?.model.behave("honest"));
afterAll(() => house?.close());

const frontDesk = () => house.model.requests.filter((request) => request.role === "front-desk");

/** SIGKILL for every workerd under wrangler: not one line of the Worker runs any more. */
function killWorkerd() {
  const workers = descendantsOf(house.box.hq?.child().pid ?? 0).filter((process) => process.name === "workerd");
  expect(workers.length).toBeGreaterThan(0);
  for (const { pid } of workers) process.kill(pid, "SIGKILL");
}

async function updateOf(message: number) {
  const [row] = await house.rows("select id, outcome, attempts, started_at from inbound_updates where inbound_json ->> '$.message' = ?", [
    message,
  ]);
  return row;
}

const tasksOf = async (message: number) => (await house.box.store.tasks.list({ limit: 50 })).filter((task) => task.message === message);

/** Says the mission to a slow model, and kills HQ while the model is at its `call`-th call of the turn. */
async function killedAt(call: number) {
  const before = frontDesk().length;
  const first = house.box.hq?.child().pid;
  house.model.behave(slowly, { role: "front-desk" });
  const { id: message } = house.chat.say(mission);
  await until(`call ${call} of the turn`, () => frontDesk().length - before === call);
  killWorkerd();
  house.model.behave("honest");
  const tasks = await tasksOf(message);
  await until("headquarters is started again", () => house.box.hq?.child().pid !== first);
  return { message, tasks, calls: () => frontDesk().length - before };
}

/** What must hold of the turn, whenever it was killed. Nobody rings, ticks or posts again on its behalf. */
async function expectOneOfEach(message: number) {
  const { task, done } = await house.endOf(message, 120_000);
  await house.answerTo(message);
  // A command that comes later in the same chat is answered later: then everything of the turn has been said.
  await house.answerTo(house.chat.say("/tasks").id);

  const update = await updateOf(message);
  expect(update).toMatchObject({ outcome: "answered" });
  // The killed one and the next; where that paused, to go on in another event, it is counted anew.
  expect([1, 2]).toContain(update?.attempts);
  expect(await tasksOf(message)).toHaveLength(1);
  expect(task).toMatchObject({ state: "succeeded", epoch: 1, receipt: { verdict: "verified" } });
  expect(await house.rows("select epoch from attempts where task = ?", [task.id])).toHaveLength(1);

  const replies = house.chat.messages().filter((reply) => reply.from === "bot" && reply.replyTo?.id === message);
  expect(replies.filter((reply) => reply.silent).map(({ text }) => text)).toEqual([expect.stringContaining(task.id)]);
  expect(replies.filter((reply) => !reply.silent)).toHaveLength(1);
  expect(house.chat.messages().filter(({ replyTo, silent }) => replyTo?.id === done.replyTo?.id && !silent)).toHaveLength(1);
  expect(await house.rows("select key from letters where key = ?", [`reply:${update?.id}`])).toHaveLength(1);
  expect(await house.rows("select turn from conversations where turn = ?", [`turn_${update?.id}`])).toHaveLength(1);
}

test("in the first model call: the call is made again, and nothing else", async () => {
  const { message, tasks, calls } = await killedAt(1);
  expect(tasks).toEqual([]);
  await expectOneOfEach(message);
  // The one that was cut off, then fleet, delegate and the answer.
  expect(calls()).toBe(4);
  // The alarm of the Durable Object outlived the kill and woke the turn: no minute tick had come yet.
  const tick = await house.box.store.get("last_tick");
  expect(tick === null || Number(tick) > Number((await updateOf(message))?.started_at)).toBe(true);
});

test("after the delegation, before the answer: the task that is there stays the only one", async () => {
  const { message, tasks, calls } = await killedAt(3);
  expect(tasks).toHaveLength(1);
  await expectOneOfEach(message);
  // Fleet and delegate were stored and are not asked for again: only the answer is.
  expect(calls()).toBe(4);
});
