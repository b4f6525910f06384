/** A desktop that sleeps while it is wanted: the owner is asked in the chat, decides there, on a page or at the command line, or lets it wake. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type House, mission, openHouse } from "./house.ts";
import { until } from "./until.ts";
import { viewLink } from "./view.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let house: House;
let browser: Browser;
let chat: Page;

beforeAll(async () => {
  house = await openHouse();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"],
  });
  chat = await browser.newPage({ viewport: { width: 420, height: 900 } });
  chat.setDefaultTimeout(30_000);
  await chat.goto(house.chat.chatUrl);
});
afterAll(async () => {
  await browser?.close();
  await house?.close();
});
beforeEach(() => house.box.branch?.stop());
afterEach(({ task }) => picture(chat, task.name));

/** For a person to look at, where a folder is named. */
async function picture(page: Page, name: string) {
  if (process.env.SCREENSHOTS)
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name.replaceAll(/\W+/g, "-").slice(0, 50)}.png` });
}

/** The mission, while nobody is there; and the message with the question. */
async function asked() {
  const { id: message } = house.chat.say(mission);
  const task = await house.taskOf(message);
  const question = await until("a question in the chat", () =>
    house.chat
      .messages()
      .find(({ text, buttons }) => text.includes(task.id) && buttons.flat().some(({ data }) => data?.startsWith("ask:"))),
  );
  const id =
    question.buttons
      .flat()
      .find(({ data }) => data?.startsWith("ask:"))
      ?.data?.split(":")[1] ?? "";
  return { message, task: task.id, question, id };
}
const textOf = (message: number) => house.chat.messages().find(({ id }) => id === message)?.text ?? "";
const says = (message: number, words: string | RegExp) =>
  until(`the message says ${words}`, () => (typeof words === "string" ? textOf(message).includes(words) : words.test(textOf(message))));
const cardSays = (task: string, words: string) =>
  until(`the card says ${words}`, () =>
    house.chat.messages().some(({ text, buttons }) => text.includes(words) && buttons.flat().some(({ data }) => data === `log:${task}`)),
  );
/** Presses a button of that message on the chat's page. */
const press = (message: number, name: string) => chat.locator(`li.message[data-id="${message}"]`).getByRole("button", { name }).click();

test("wait: the question is audible, the answer is shown, and when the desktop wakes the task runs", async () => {
  const { message, task, question } = await asked();
  expect(question).toMatchObject({
    silent: false,
    text: expect.stringMatching(/– held: desk-1 is (draining|offline)\nWhat shall become of it\?/),
  });
  expect((await house.answerTo(message)).text).toContain("The owner was asked");
  await press(question.id, "Wait without limit");
  await says(question.id, /Wait without limit, by Owner in the chat at .*\nIt waits\./);
  expect(house.chat.messages().find(({ id }) => id === question.id)?.buttons).toEqual([]);
  expect((await house.box.store.tasks.get(task))?.state).toBe("held");

  await house.box.startBranch();
  const { task: done } = await house.endOf(message, 120_000);
  expect(done).toMatchObject({ state: "succeeded", epoch: 1, receipt: { verdict: "verified" } });
  await cardSays(task, "✅ done");
});

test("a desktop that wakes first settles the question by itself; the stale button says so and does nothing", async () => {
  const { message, task, question, id } = await asked();
  await house.box.startBranch();
  await says(question.id, "Nothing to decide any more: desk-1 has it now");
  const { task: done } = await house.endOf(message, 120_000);
  expect(done.state).toBe("succeeded");
  house.chat.say(`/answer ${id} cancel`);
  await until("the late answer is told", () =>
    house.chat.messages().some(({ text }) => text.startsWith("Nothing to decide any more: settled by itself")),
  );
  expect((await house.box.store.tasks.get(task))?.state).toBe("succeeded");
});

test("cancel: it is over, and the desktop that wakes gets nothing", async () => {
  const { message, task, question } = await asked();
  await press(question.id, "Cancel it");
  const { task: ended, done } = await house.endOf(message);
  expect(ended).toMatchObject({ state: "cancelled", reason: "cancelled by Owner" });
  expect(done.text).toContain("🚫 cancelled");
  await says(question.id, "Cancel it, by Owner in the chat");
  await house.box.startBranch();
  expect(await house.rows("select id from outbox where task = ?", [task])).toEqual([]);
});

test("on the dashboard: the form answers, the chat says from where", async () => {
  const { task, question, id } = await asked();
  const view = await browser.newPage({ viewport: { width: 900, height: 900 } });
  await view.goto(await viewLink(house));
  await view.getByRole("button", { name: "Open the Corporation View" }).click();
  await view.locator(`#ask-${id}`).waitFor();
  await picture(view, "the dashboard asks");
  await view.locator(`#ask-${id}`).getByRole("button", { name: "Wait at most 1 h" }).click();
  await view.getByText("Wait at most 1 h, by the owner from the dashboard").waitFor();
  await picture(view, "the dashboard answered");
  await says(question.id, "from the dashboard");
  expect(await house.box.store.tasks.get(task)).toMatchObject({ state: "held", deadline: expect.any(Number) });
  await view.close();
  house.chat.say(`/cancel ${task}`);
});

test("at the command line of the box: listed, answered, and told in the chat", async () => {
  const { task, question, id } = await asked();
  const list = await owner("--json", "questions");
  expect(JSON.parse(list.out).questions).toContainEqual(expect.objectContaining({ id, task, kind: "hold" }));
  expect(await owner("answer", id, "cancel")).toMatchObject({ code: 0, out: expect.stringContaining("It is cancelled") });
  await says(question.id, "from the command line");
  expect((await owner("answer", id, "wait")).code).toBe(1);
});

function owner(...args: string[]) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    const options = { cwd: root, env: { PATH: process.env.PATH, HOME: process.env.HOME } };
    const argv = ["--import", "tsx", "scripts/owner.ts", "--box", "--dir", house.dir, ...args];
    const child = execFile(process.execPath, argv, options, (_, out, err) => resolve({ code: child.exitCode ?? -1, out, err }));
  });
}
