import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { telegramChat } from "#adapters/chat/telegram.ts";
import { bold, code, pre, rich } from "#core/rich-text.ts";
import type { Chat, LetterBody } from "#ports/chat.ts";
import { startTelegram, type TelegramOptions, type TelegramStandIn } from "../../dev/telegram/start.ts";
import { edit, messageOf, text } from "../contracts/chat.contract.ts";

const owner = 4217;
const token = "700100200:AAH-not_a-real-token";
const diff = `diff --git a/price.ts b/price.ts
--- a/price.ts
+++ b/price.ts
@@ -1,3 +1,3 @@
 let sum = 0;
-sum += price;
+sum += price * quantity; // ${"a long line ".repeat(20)}
`;

let browser: Browser;
let telegram: TelegramStandIn;
let chat: Chat;
let page: Page;
let complaints: string[];
let hookUrl: string;
/** Callback queries that the webhook got. */
let taps: string[];
const hook = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { callback_query: tap } = JSON.parse(body);
  if (tap) taps.push(tap.id);
  response.end();
});

const start = async (options: Partial<TelegramOptions> = {}) => {
  telegram = await startTelegram({
    botToken: token,
    webhook: { url: hookUrl, secret: "s" },
    owner: { id: owner, name: "Ann" },
    ...options,
  });
  chat = telegramChat({ token, apiRoot: telegram.apiRoot });
};
const open = async (options: BrowserContextOptions = {}) => {
  const context = await browser.newContext(options);
  page = await context.newPage();
  complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(telegram.chatUrl);
  await page.locator("#presence", { hasText: "bot" }).waitFor();
};
const deliver = async (body: LetterBody, refersTo: number | null = null) => messageOf(await chat.deliver({ chat: owner, body, refersTo }));
const sendDiff = () => deliver({ kind: "document", filename: "fix.diff", data: diff, caption: "1 file", silent: true, replyTo: null });

beforeAll(async () => {
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  hookUrl = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`;
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
    ],
  });
});
afterAll(async () => {
  await browser.close();
  hook.closeAllConnections();
  hook.close();
});
beforeEach(() => {
  taps = [];
  return start();
});
afterEach(async () => {
  await page.context().close();
  await telegram.close();
});

/** A chat with one of everything in it. */
async function fill() {
  const asked = telegram.say("The tests fail. See https://example.com/ci and /status").id;
  await chat.deliver({ chat: owner, body: { kind: "react", message: asked, emoji: "👀" }, refersTo: null });
  const buttons = [[{ label: "Stop", tap: "s:1" }], [{ label: "Open", url: "http://127.0.0.1:8787/t/1" }]];
  const card = await deliver({ kind: "text", content: rich(bold("Fix")), buttons, silent: true, replyTo: null }, asked);
  await deliver({ kind: "edit", of: "card", content: rich(bold("Fix"), "\nstep 2, ", code("npm test"), "\n", pre("a\nb")), buttons }, card);
  await sendDiff();
  telegram.say("thanks", card);
  return { asked, card };
}

describe.each([
  ["a phone", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
  ["a desktop", { viewport: { width: 1280, height: 800 } }],
] as const)("on %s", (_, device) => {
  test.each(["light", "dark"] as const)(
    "in %s: nothing for axe to find, nothing wider than the screen, no complaint",
    async (colorScheme) => {
      await fill();
      await open({ ...device, colorScheme });
      await page.locator("summary .plus").waitFor();
      await page.locator("summary").click();
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
      expect(complaints).toEqual([]);
    },
  );
});

describe("what it shows", () => {
  test("bubbles, marks, buttons, quotes, reactions, times and what an edit changed", async () => {
    await fill();
    await open();
    const card = page.locator(".theirs").first();
    expect(await card.locator(".text").innerHTML()).toBe("<strong>Fix</strong>\nstep 2, <code>npm test</code>\n<pre>a\nb</pre>");
    expect(await card.locator(".meta").textContent()).toMatch(/edited[\s\S]*Sent without sound[\s\S]*\d\d:\d\d/);
    expect(await card.locator(".quote").textContent()).toContain("The tests fail.");
    const link = card.locator("a.key");
    expect([await link.getAttribute("href"), await link.getAttribute("target"), await link.getAttribute("rel")]).toEqual([
      "http://127.0.0.1:8787/t/1",
      "_blank",
      "noopener noreferrer",
    ]);
    const mine = page.locator(".mine").first();
    expect(await mine.locator(".reactions").textContent()).toContain("👀");
    await mine.getByText("Delivered").waitFor({ state: "attached" });
    expect(await mine.locator(".text a").getAttribute("href")).toBe("https://example.com/ci");
  });

  test("a diff with how much it changes, coloured by line, and to download", async () => {
    await sendDiff();
    await open();
    await page.locator("summary .plus").waitFor();
    expect(await page.locator("summary").textContent()).toBe("Show changes+1−1");
    await page.locator("summary").click();
    expect(await page.locator(".diff .add, .diff .remove").allTextContents()).toEqual([
      expect.stringMatching(/^-sum/),
      expect.stringMatching(/^\+sum/),
    ]);
    expect(await page.locator(".diff .head").count()).toBe(3);
    const download = page.waitForEvent("download");
    await page.locator("a.file").click();
    expect((await download).suggestedFilename()).toBe("fix.diff");
  });

  test("what anybody writes is text, whatever it looks like", async () => {
    const evil = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
    await open();
    telegram.say(evil);
    await deliver(text(evil, { buttons: [[{ label: evil, tap: "x" }]] }));
    await deliver({ kind: "document", filename: `${evil}.diff`, data: evil, caption: evil, silent: false, replyTo: null });
    await fetch(`${telegram.apiRoot}/bot${token}/sendMessage`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        chat_id: owner,
        text: "click",
        entities: [{ type: "text_link", offset: 0, length: 5, url: "javascript:alert(1)" }],
      }),
    });
    await page.locator(".message").nth(3).waitFor();
    await page.locator("summary").click();
    expect(await page.locator(".message .text").first().textContent()).toBe(evil);
    expect(await page.locator("#messages img, #messages script").count()).toBe(0);
    expect(await page.locator(".message").nth(3).locator("a").count()).toBe(0);
    expect(await page.title()).toBe("Simone");
    expect(complaints).toEqual([]);
  });

  test("typing, until a message comes", async () => {
    await open();
    await fetch(`${telegram.apiRoot}/bot${token}/sendChatAction?chat_id=${owner}&action=typing`);
    await page.locator("#presence", { hasText: "typing" }).waitFor();
    await deliver(text("here"));
    await page.locator(".theirs", { hasText: "here" }).waitFor();
    expect(await page.locator("#presence").textContent()).toBe("bot");
  });

  test("that nobody takes the messages", async () => {
    await open();
    telegram.setWebhook("http://127.0.0.1:1/", "s");
    telegram.say("anyone?");
    await page.locator("#trouble", { hasText: "1 update waits" }).waitFor();
    telegram.setWebhook(hookUrl, "s");
    await page.locator("#trouble").waitFor({ state: "hidden" });
  });
});

describe("what the owner does", () => {
  test("the suggestion fills the input and sends nothing; Enter sends, Shift+Enter breaks the line", async () => {
    await open();
    await page.locator("#suggestion").click();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("input");
    expect(telegram.messages()).toEqual([]);
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("Please.");
    await page.keyboard.press("Enter");
    await page.locator(".mine").waitFor();
    expect(telegram.messages()).toMatchObject([{ from: "owner", text: "The tests of the demo shop fail. Fix them.\nPlease." }]);
    expect(await page.locator("#input").inputValue()).toBe("");
  });

  test("replying to a message of the bot's, and thinking better of it", async () => {
    const card = await deliver(text("card"));
    await open();
    await page.getByRole("button", { name: "Reply to message" }).click();
    await page.locator("#replying", { hasText: "card" }).waitFor();
    await page.keyboard.type("faster");
    await page.keyboard.press("Enter");
    await page.locator(".mine").waitFor();
    expect(telegram.messages()[1]).toMatchObject({ text: "faster", replyTo: { id: card, from: "bot" } });
    await page.getByRole("button", { name: "Reply to message" }).click();
    await page.keyboard.press("Escape");
    expect(await page.locator("#replying").isVisible()).toBe(false);
  });

  test("a tap waits until it is answered, and shows the answer", async () => {
    await deliver(text("Approve?", { buttons: [[{ label: "Once", tap: "a:1:o" }]] }));
    await open();
    await page.getByRole("button", { name: "Once" }).click();
    await page.locator('.key[aria-busy="true"]').waitFor();
    await expect.poll(() => taps).toHaveLength(1);
    await chat.deliver({ chat: owner, body: { kind: "answer", tap: taps[0] ?? "", text: "Approved" }, refersTo: null });
    await page.locator("#toast", { hasText: "Approved" }).waitFor();
    expect(await page.locator('.key[aria-busy="true"]').count()).toBe(0);
  });

  test("commands are offered while one is typed", async () => {
    const commands = [
      { command: "cost", description: "What was spent" },
      { command: "status", description: "How it stands" },
    ];
    await fetch(`${telegram.apiRoot}/bot${token}/setMyCommands?commands=${encodeURIComponent(JSON.stringify(commands))}`);
    await open();
    await page.keyboard.type("/c");
    await page.getByRole("button", { name: "/cost" }).click();
    expect(await page.locator("#input").inputValue()).toBe("/cost");
    expect(telegram.messages()).toEqual([]);
  });
});

describe("while things happen", () => {
  test("reading further up is not disturbed; at the end it follows", async () => {
    for (let i = 0; i < 15; i += 1) telegram.say(`line ${i}\n\n\n\nmore`);
    const card = await deliver(text("card", { buttons: [[{ label: "Stop", tap: "s" }]] }));
    await open({ viewport: { width: 360, height: 740 } });
    const fromEnd = () => page.locator("#log").evaluate((log) => Math.round(log.scrollHeight - log.scrollTop - log.clientHeight));
    expect(await fromEnd()).toBe(0);
    await deliver(text("followed"));
    await page.locator(".message", { hasText: "followed" }).waitFor();
    expect(await fromEnd()).toBe(0);

    await page.locator("#log").evaluate((log) => log.scrollTo({ top: 100 }));
    await page.locator("#down").waitFor();
    await page.locator("#input").fill("half a thought");
    await deliver(text("not followed"));
    await deliver(edit("card, step 2"), card);
    await page.locator("#unseen", { hasText: "1" }).waitFor();
    expect(await page.locator("#log").evaluate((log) => log.scrollTop)).toBe(100);
    expect(await page.locator("#input").inputValue()).toBe("half a thought");
    await page.locator("#down").click();
    await page.locator("#down").waitFor({ state: "hidden" });
  });

  test("an edit keeps the focus on its button", async () => {
    const buttons = [[{ label: "Stop", tap: "s" }]];
    const card = await deliver(text("step 1", { buttons }));
    await open();
    await page.getByRole("button", { name: "Stop" }).focus();
    await deliver(edit("step 2", buttons), card);
    await page.locator(".text", { hasText: "step 2" }).waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Stop");
  });

  test("a restart of the server is noticed and made up for", async () => {
    const folder = mkdtempSync(join(tmpdir(), "uac-telegram-"));
    const stateFile = join(folder, "chat.jsonl");
    const { port } = telegram;
    await telegram.close();
    await start({ stateFile, port });
    telegram.say("before");
    await open();
    await page.locator(".mine").waitFor();
    await telegram.close();
    await page.locator("#presence", { hasText: "connecting" }).waitFor();
    await start({ stateFile, port });
    await deliver(text("after"));
    await page.locator(".theirs", { hasText: "after" }).waitFor();
    expect(await page.locator(".message").count()).toBe(2);
    rmSync(folder, { recursive: true, force: true });
  });
});
