/** A task that uses its budget up, through the box: the owner is asked in the chat, raises it, and the work is done; or ends it with what is there. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type House, mission, openHouse } from "./house.ts";
import { until } from "./until.ts";

let house: House;

beforeAll(async () => {
  // Room for a first call, which may answer with 8192 tokens, and not for all that the work takes.
  house = await openHouse({ env: { TASK_MAX_TOKENS: "14000" } });
});
afterAll(() => house?.close());

/** The mission; and the message that asks about its budget. */
async function asked() {
  const { id: message } = house.chat.say(mission);
  const task = await house.taskOf(message);
  const question = await questionOf(task.id);
  return { message, task: task.id, question };
}
const questionOf = (task: string) =>
  until(
    `a question about the budget of ${task}`,
    () =>
      house.chat
        .messages()
        .find(({ text, buttons }) => text.includes(`${task}'s budget of`) && buttons.flat().some(({ data }) => data?.startsWith("ask:"))),
    60_000,
  );
const press = (question: Awaited<ReturnType<typeof questionOf>>, label: RegExp) => {
  const button = question.buttons.flat().find(({ text }) => label.test(text));
  if (!button?.data) throw new Error(`no button says ${label}: ${JSON.stringify(question.buttons)}`);
  return house.chat.tap(question.id, button.data);
};
const stateOf = async (task: string) => (await house.box.store.tasks.get(task))?.state;

test("raise: it stands still until the owner answers in the chat, then goes on and is done", async () => {
  const { message, task, question } = await asked();
  expect(question).toMatchObject({ silent: false, text: expect.stringContaining("What it did so far is kept.") });
  expect(await stateOf(task)).toBe("paused");
  const before = house.model.requests.length;
  press(question, /^Raise it to [4-9]\d,\d{3} tokens|^Raise it to 28,000 tokens/);
  const { task: done } = await house.endOf(message, 120_000);
  expect(done).toMatchObject({ state: "succeeded", epoch: 1, receipt: { verdict: "verified", limitsHit: [] } });
  expect(house.model.requests.length).toBeGreaterThan(before);
  expect(house.chat.messages().find(({ id }) => id === question.id)?.text).toMatch(/Raise it to [\d,]+ tokens, by Owner in the chat/);
});

test("finish: what is there is committed and tested, and the receipt says what it hit", async () => {
  const { message, question } = await asked();
  press(question, /^Finish/);
  const { task: done } = await house.endOf(message, 120_000);
  expect(done).toMatchObject({ epoch: 1, receipt: { limitsHit: ["token_limit"] } });
  expect(["succeeded", "failed"]).toContain(done.state);
});
