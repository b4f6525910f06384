/** The owner's word on running work, from the chat to the sandbox: steered, paused, resumed, stopped, drained, retired. */
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Behaviour, holdOnS } from "../../dev/model/behaviour.ts";
import { journalRows } from "./agent.ts";
import { type House, mission, openHouse } from "./house.ts";
import { branchesOf } from "./shop.ts";
import { until } from "./until.ts";

let house: House;
beforeAll(async () => {
  house = await openHouse({ bus: "redis" });
});
afterEach(() => house?.model.behave("honest"));
afterAll(() => house?.close());

const coderCalls = () => house.model.requests.filter((request) => request.role === "coder");
const cardOf = (task: string) => house.chat.messages().find(({ buttons }) => buttons.flat().some(({ data }) => data === `log:${task}`));
const cardSays = (task: string, text: string) =>
  until(`the card says ${text}`, () => cardOf(task)?.text.includes(text) && cardOf(task), 15_000);
/** Taps the button as soon as the card has it. */
async function tap(task: string, data: string) {
  const has = () =>
    cardOf(task)
      ?.buttons.flat()
      .some((button) => button.data === data) && cardOf(task);
  const { id } = await until(`the button ${data}`, has, 20_000);
  house.chat.tap(id, data);
}
const stateOf = async (task: string) => (await house.box.store.tasks.get(task))?.state;

/** Sends the mission to a coder of that manner, and resolves while its `call`-th call is under way. */
async function atCall(call: number, manner: Behaviour = "slow:1500") {
  const before = coderCalls().length;
  house.model.behave(manner, { role: "coder" });
  const { id: message } = house.chat.say(mission);
  const { id: task } = await house.taskOf(message);
  await until(`call ${call} of the coder`, () => coderCalls().length - before >= call);
  const { id: card } = await until("the card", () => cardOf(task));
  return { message, task, card, calls: () => coderCalls().slice(before) };
}
/** The command lines of what "holds-on" left, on this machine. */
const held = () =>
  execFileSync("ps", ["-eo", "stat=,args="], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(`sleep ${holdOnS}`) && !line.startsWith("Z"));

test("a reply to the card is heard by whoever works on it, once, without Simone's model", async () => {
  const { message, task, card, calls } = await atCall(2);
  await until("headquarters knows who has it", async () => (await house.box.store.tasks.get(task))?.persona === "Lisa");
  const asked = house.model.requests.filter(({ role }) => role === "front-desk").length;
  const words = "Leave a comment where you changed something.";
  const { id: reply } = house.chat.say(words, card);
  expect((await house.answerTo(reply)).text).toContain("Passed on to Lisa @ desk-1");
  await until("the coder is told", () => JSON.stringify(calls().at(-1)?.body.messages).includes(words));
  house.model.behave("honest");
  expect((await house.endOf(message)).task.state).toBe("succeeded");
  expect(JSON.stringify(calls().at(-1)?.body.messages).split(words)).toHaveLength(2);
  expect(house.model.requests.filter(({ role }) => role === "front-desk")).toHaveLength(asked);
  expect((await house.box.store.tasks.events(task)).map(({ kind }) => kind)).toContain("steered");
  const { id: late } = house.chat.say("Thank you.", card);
  await house.answerTo(late);
  expect(house.model.requests.filter(({ role }) => role === "front-desk").length).toBeGreaterThan(asked);
  expect(await house.box.store.tasks.list({ limit: 9 }), "and it is nothing to be done").toHaveLength(1);
});

test("Pause stands still after the step that runs, also over a kill; Resume goes on to the end", async () => {
  const { message, task, calls } = await atCall(2);
  await tap(task, `pause:${task}`);
  await cardSays(task, "⏸ paused");
  await until("it stands still", async () => (await house.box.store.tasks.events(task)).some(({ kind }) => kind === "paused"));
  const before = calls().length;
  house.model.behave("honest");
  house.box.branch?.kill();
  await house.box.branch?.exited;
  await house.box.startBranch();
  await until(
    "it stands still again",
    async () => (await house.box.store.tasks.events(task)).filter(({ kind }) => kind === "paused").length > 1,
  );
  expect(calls()).toHaveLength(before);
  expect(await stateOf(task)).toBe("paused");
  await tap(task, `resume:${task}`);
  expect((await house.endOf(message)).task).toMatchObject({ state: "succeeded", epoch: 1, lost: 0 });
  expect((await house.box.store.tasks.events(task)).map(({ kind }) => kind)).toContain("resumed");
});

test("a command that ignores its end is gone by the time that its task has ended, and so is the daemon that it left", async () => {
  const { message, task } = await atCall(1, "holds-on");
  await until("the command runs", () => held().some((line) => / sleep \d+$/.test(line)) && held().length > 1);
  house.chat.say(`/cancel ${task}`);
  await until("the result lies in the journal", async () => {
    const [attempt] = await journalRows(house, "select state from attempts where task = ?", [task]);
    return attempt?.state === "reported";
  });
  expect(held()).toEqual([]);
  expect((await house.endOf(message)).task).toMatchObject({ state: "cancelled", reason: "cancelled by the owner" });
  expect(await branchesOf(house.box.shop)).not.toContain(`uac/${task}-1`);
});

test("/drain lets a machine begin nothing new, and /undrain lets it begin again", async () => {
  const { message, task } = await atCall(2);
  expect((await house.answerTo(house.chat.say("/drain desk-1").id)).text).toContain("begins nothing new");
  const { id: second } = house.chat.say(mission);
  const waits = await house.taskOf(second);
  await until("it is held", async () => (await stateOf(waits.id)) === "held");
  house.model.behave("honest");
  expect((await house.endOf(message)).task).toMatchObject({ id: task, state: "succeeded" });
  expect(await stateOf(waits.id)).toBe("held");
  expect((await house.answerTo(house.chat.say("/undrain desk-1").id)).text).toContain("takes work again");
  expect((await house.endOf(second, 100_000)).task).toMatchObject({ state: "succeeded", epoch: 1 });
});

test("/retire ends the machine and what runs on it at once; its task comes back", async () => {
  const { task } = await atCall(1, "holds-on");
  await until("the command runs", () => held().length > 0);
  const branch = house.box.branch;
  expect((await house.answerTo(house.chat.say("/retire desk-1").id)).text).toContain("Its task is tried again elsewhere");
  expect(await Promise.race([branch?.exited, sleep(25_000, "it still runs")])).toBe("exit code 4");
  expect(held()).toEqual([]);
  expect(await house.box.store.tasks.get(task)).toMatchObject({ epoch: 2, lost: 0, factory: null });
  house.chat.say(`/cancel ${task}`);
});
