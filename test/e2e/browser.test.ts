/** The owner's way in a real browser: the sentence typed into the chat, the card, the diff, the link, the dashboard. */
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { showCost } from "#core/ledger.ts";
import type { Task } from "#ports/tasks.ts";
import { type House, mission, openHouse } from "./house.ts";

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
const widths = [
  { width: 360, height: 740 },
  { width: 1280, height: 800 },
];

let house: House;
let browser: Browser;
let context: BrowserContext;
/** What a page complained of, with its address. */
const complaints: string[] = [];

beforeAll(async () => {
  house = await openHouse();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
    args: [...flags, "--disable-component-update", "--disable-sync"],
  });
  context = await browser.newContext();
  context.setDefaultTimeout(30_000);
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.location().url}: ${message.text()}`);
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  context.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.url()}: ${response.status()}`);
  });
});
afterAll(async () => {
  await browser?.close();
  await house?.close();
});

/** At a phone's and at a desktop's width nothing sticks out, and so far nothing complained. */
async function expectInOrder(page: Page) {
  for (const size of widths) {
    await page.setViewportSize(size);
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    expect({ page: page.url(), ...size, sticksOutBy: Math.max(0, Number(content) - Number(window)) }).toMatchObject({ sticksOutBy: 0 });
  }
  expect(complaints).toEqual([]);
}

describe("a mission from the chat page", () => {
  let chat: Page;
  let task: Task;

  beforeAll(async () => {
    chat = await context.newPage();
    await chat.setViewportSize({ width: 360, height: 740 });
    await chat.goto(house.chat.chatUrl);
  });

  test("typed and sent, it gets a card that is edited in place until it says done", async () => {
    await chat.getByRole("textbox", { name: "Message" }).fill(mission);
    await chat.keyboard.press("Enter");
    const stop = chat.getByRole("button", { name: "Stop" });
    await stop.waitFor();
    const id = await chat.locator("li.message", { has: stop }).getAttribute("data-id");
    const card = chat.locator(`li.message[data-id="${id}"]`);
    expect(await card.textContent()).toContain("The tests of the demo shop fail");
    await card.getByText("✅ done").waitFor();
    expect(await stop.count()).toBe(0);
    const [only, ...more] = await house.box.store.tasks.list({ limit: 5 });
    if (!only) throw new Error("There is no task");
    expect(more).toEqual([]);
    task = only;
    await expectInOrder(chat);
  });

  test("it ends with a completion and a diff that can be read in place", async () => {
    const completion = chat.locator("li.message", { hasText: "verified: the tests failed before and pass now" });
    const text = await completion.textContent();
    for (const shown of ["src/discount.js", "1 insertion(+)", "Lisa @ desk-1", task.receipt?.head?.slice(0, 12) ?? "?"]) {
      expect(text).toContain(shown);
    }
    const document = chat.locator("li.message", { hasText: `${task.id}.diff` });
    await document.getByText("Show changes").click();
    await document.locator(".diff .add", { hasText: "quantity >= bulkQuantity" }).waitFor();
    await expectInOrder(chat);
  });

  test("the link from /view opens the dashboard with the factory, and the task with its diff", async () => {
    await chat.getByRole("textbox", { name: "Message" }).fill("/view");
    await chat.keyboard.press("Enter");
    const opening = context.waitForEvent("page");
    await chat.getByRole("link", { name: "Open the Corporation View" }).click();
    const view = await opening;
    await view.getByRole("button", { name: "Open the Corporation View" }).click();

    await view.getByRole("heading", { name: "Factories", exact: true }).waitFor();
    const front = await view.locator("main").textContent();
    for (const shown of ["1 of 1 factories online", "desk-1", "VP_CODER: Enabled", "Homer, Lisa, Bart"]) expect(front).toContain(shown);
    await expectInOrder(view);

    await view.getByRole("link", { name: task.title }).first().click();
    await view.getByRole("heading", { name: task.title }).waitFor();
    const page = await view.locator("main").textContent();
    for (const shown of ["verified", "Lisa @ desk-1", showCost(await house.box.store.ledger.total({ task: task.id }))]) {
      expect(page).toContain(shown);
    }
    await view.getByText("quantity >= bulkQuantity").first().waitFor({ state: "attached" });
    await expectInOrder(view);
    await view.close();
  });

  test("the link works once: a second visit asks for another", async () => {
    const used = house.chat
      .messages()
      .flatMap((message) => message.buttons.flat().flatMap(({ url }) => (url?.includes("/login?") ? [url] : [])))[0];
    const stranger = await browser.newContext();
    const page = await stranger.newPage();
    await page.goto(used ?? "");
    await page.getByRole("button", { name: "Open the Corporation View" }).click();
    await page.getByText("This link was used already").waitFor();
    await page.goto(new URL("/", used).href);
    await page.getByText("Send /view to Simone").waitFor();
    await stranger.close();
  });
});
