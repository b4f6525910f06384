/** Models that misbehave: every task and every turn ends, within bounds, with a reason that a person can read. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Behaviour, Role } from "../../dev/model/behaviour.ts";
import { type House, mission, openHouse } from "./house.ts";
import { branchesOf } from "./shop.ts";
import { until } from "./until.ts";

let house: House;

beforeAll(async () => {
  house = await openHouse({ env: { TASK_MAX_STEPS: "6", MAX_CONCURRENT_TASKS: "2" } });
});
afterEach(() => house?.model.behave("honest"));
afterAll(() => house?.close());

const asked = (role: Role) => house.model.requests.filter((request) => request.role === role).length;

/** Delegates honestly, and lets the coder alone misbehave. */
function sendToWork(behaviour: Behaviour): number {
  house.model.behave(behaviour, { role: "coder" });
  return house.chat.say(mission).id;
}

/** The task has failed for `code`, and the owner is told why in words, on the card and audibly. */
async function expectFailed(message: number, code: string, words: RegExp) {
  const { task, done } = await house.endOf(message, 100_000);
  expect(task).toMatchObject({ state: "failed", code, epoch: 1, factory: "desk-1" });
  expect(task.reason).toMatch(words);
  expect(done.text).toContain("❌ failed: The tests of the demo shop fail");
  expect(done.text).toMatch(words);
  expect(done.text).toContain("Lisa @ desk-1");
  expectForPeople(done.text);
  // Nothing was done, so nothing is claimed, committed or left behind.
  expect(task.receipt).toMatchObject({ verdict: "unverified", head: null, patch: null });
  expect(await branchesOf(house.box.shop)).toEqual(["main"]);
  return { task, done };
}

/** Worth another attempt later: the task waits for it, and the owner is told why and how long. Nobody waits for it here. */
async function expectTriedAgain(message: number, words: RegExp) {
  const { id } = await house.taskOf(message);
  const later = await until(
    `another attempt of ${id}`,
    async () => {
      const task = await house.box.store.tasks.get(id);
      return task?.epoch === 2 && task;
    },
    100_000,
  );
  expect(later).toMatchObject({ state: "queued", failed: 1, lost: 0 });
  expect(later.notBefore).toBeGreaterThan(later.updatedAt + 29_000);
  expect(later.reason).toMatch(/^tried again in \d+ s \(attempt 2 of 3\): /);
  expect(later.reason).toMatch(words);
  expectForPeople(later.reason);
  await house.answerTo(house.chat.say(`/cancel ${id}`).id);
  expect((await house.endOf(message)).task).toMatchObject({ state: "cancelled" });
}

async function expectAnswered(message: number, words: RegExp) {
  const { text } = await house.answerTo(message, 100_000);
  expect(text).toMatch(words);
  expect(text).toContain("Simone @ HQ");
  expectForPeople(text);
  await house.answerTo(house.chat.say("/tasks").id);
  expect(house.chat.messages().filter((reply) => reply.from === "bot" && reply.replyTo?.id === message)).toHaveLength(1);
}

/** No stack, no object, no credential. */
function expectForPeople(text: string) {
  expect(text).not.toMatch(/\n\s+at |\[object|undefined|null|Error:|node_modules/);
  expect(text).not.toContain(house.box.keys.modelKey);
}

describe("a coder", () => {
  test("that never finishes is stopped at the step limit", async () => {
    const { task, done } = await expectFailed(sendToWork("never-finishes"), "step_limit", /used all of its 6 steps/);
    expect(task.receipt).toMatchObject({ steps: 6, limitsHit: ["step_limit"] });
    expect(done.text).toContain("stopped by: step_limit");
  });

  test("that goes round in circles is stopped sooner", async () => {
    await expectFailed(sendToWork("repeats"), "stuck", /the same call 5 times in a row/);
  });

  test("that calls a tool which is not there is told so, and stopped at the third time", async () => {
    await expectFailed(sendToWork("unknown-tool"), "format_errors", /replies were unusable 3 times in a row/);
    const { body } = house.model.requests.findLast((request) => request.role === "coder") ?? {};
    expect(JSON.stringify(body?.messages)).toContain("There is no tool teleport");
  });

  test("that fills a tool's input with nonsense is stopped as well", async () => {
    await expectFailed(sendToWork("bad-input"), "format_errors", /replies were unusable 3 times in a row/);
  });

  test("that refuses is not asked again", async () => {
    const before = asked("coder");
    await expectFailed(sendToWork("refuses"), "model_refused", /the model refused to go on/);
    expect(asked("coder") - before).toBe(1);
  });

  test("whose provider refuses the key is not asked again either", async () => {
    const before = asked("coder");
    await expectFailed(sendToWork("status:401"), "model_refused", /Check the API key/);
    expect(asked("coder") - before).toBe(1);
  });
});

describe("a front desk", () => {
  const ask = (behaviour: Behaviour) => {
    house.model.behave(behaviour, { role: "front-desk" });
    return house.chat.say("How is the fleet?").id;
  };

  test("that never finishes answers at its step limit", async () => {
    await expectAnswered(ask("never-finishes"), /could not finish this: it used all of its 12 steps/);
  });

  test("that calls a tool which is not there says that it is stuck", async () => {
    await expectAnswered(ask("unknown-tool"), /replies were unusable 3 times in a row/);
  });

  test("that refuses says so", async () => {
    await expectAnswered(ask("refuses"), /the model refused to go on/);
  });
});

/** Worth another try, so a few seconds pass: at once for the coder in its task, and for the front desk in its turn. */
describe("both, tried a few times", () => {
  async function bothMeet(behaviour: Behaviour): Promise<{ task: number; turn: number }> {
    const before = asked("coder");
    const task = sendToWork(behaviour);
    await until("the coder is asked", () => asked("coder") > before);
    await house.answerTo(task);
    house.model.behave(behaviour);
    return { task, turn: house.chat.say("How is the fleet?").id };
  }

  test.each([
    ["garbage", /the input of the tool call \w+ is not one JSON value\. \(5 tries\)/],
    ["cuts-stream", /the stream ended before the message did\. \(5 tries\)/],
  ] as const)("%s: ends after five tries, and is tried again later", async (behaviour, words) => {
    const { task, turn } = await bothMeet(behaviour);
    await Promise.all([expectTriedAgain(task, words), expectAnswered(turn, words)]);
  });

  test("nobody at the address: ends after five tries, and is tried again later", async () => {
    const before = asked("coder");
    const task = sendToWork("slow:3000");
    await until("the coder is asked", () => asked("coder") > before);
    await house.answerTo(task);
    await house.model.close();
    const turn = house.chat.say("How is the fleet?").id;
    const words = /the model could not be used: The (model|provider scripted) can't be reached: .+ \(5 tries\)/;
    await Promise.all([expectTriedAgain(task, words), expectAnswered(turn, words)]);
  });
});
