/** A finished branch is merged: a tap, a question that shows what will run, a yes, and the owner's branch has the commit. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type House, mission, openHouse } from "./house.ts";
import { checkoutOf, git } from "./shop.ts";
import { until } from "./until.ts";

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house?.close());

const messages = () => house.chat.messages();
/** Presses the button of that name under a message, as the owner does. */
function press(message: number, label: string) {
  const button = messages()
    .find(({ id }) => id === message)
    ?.buttons.flat()
    .find(({ text }) => text === label);
  if (!button?.data) throw new Error(`message ${message} has no button ${label}`);
  house.chat.tap(message, button.data);
}

test("merge: asked first, then done by the factory that has the commit, beside a checkout with work in hand", async () => {
  const { id: message } = house.chat.say(mission);
  const { task, done } = await house.endOf(message, 120_000);
  const { head = "", branch = "", prospects } = task.receipt ?? {};
  expect(prospects).toEqual({ into: "main", remote: null, can: ["merge", "discard"] });
  expect(done.buttons.flat().map(({ text }) => text)).toEqual(["Merge", "Discard", "Open"]);

  // Meanwhile the owner went on, on a branch of their own.
  const { shop } = house.box;
  await git(shop, "switch", "--quiet", "--create", "mine");
  writeFileSync(join(shop, "README.md"), "in the middle of a sentence\n");
  writeFileSync(join(shop, "draft.txt"), "draft\n");
  const { main: mainBefore, ...before } = await checkoutOf(shop);

  press(done.id, "Merge");
  const question = await until("the question", () => messages().find(({ text }) => text.startsWith(`Merge ${task.id} into main?`)));
  expect(question.silent).toBe(false);
  for (const shown of [`commit ${head}`, `branch ${branch}`, "repository demo-shop at desk-1", "into main", "1 file changed"]) {
    expect(question.text).toContain(shown);
  }
  expect(await git(shop, "rev-parse", "main"), "nothing is done before the answer").toBe(mainBefore);

  press(question.id, "Yes, merge");
  const said = `main is at ${head?.slice(0, 12)} now and has ${head?.slice(0, 12)}`;
  const card = await until("the follow-up's card says done", () =>
    messages().find(({ text, silent }) => silent && text.startsWith(`Merge ${task.id}`) && text.includes("✅ done")),
  );
  expect(card.text).toContain(said);
  await until("the work's own completion says it", () => messages().find(({ id, text }) => id === done.id && text.includes(`➜ ${said}`)));
  await until("the question says what was decided", () =>
    messages().find(({ id, text }) => id === question.id && /Yes, merge, by Owner in the chat/.test(text)),
  );

  expect(await git(shop, "rev-parse", "main")).toBe(head);
  const { main: _, ...after } = await checkoutOf(shop);
  expect(after, "the owner's checkout").toEqual(before);
  const followUp = (await house.box.store.tasks.list({ limit: 9 })).find(({ follow }) => follow !== null);
  expect(followUp).toMatchObject({
    state: "succeeded",
    factory: "desk-1",
    receipt: { steps: 0, followed: { do: "merge", already: false, head } },
  });
  expect(await house.rows("select id from usages where task = ?", [followUp?.id ?? ""]), "no model was asked").toEqual([]);
});
