/** Answering in a real browser: by mouse and by keyboard, with JavaScript and without. */
import { execFileSync } from "node:child_process";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import { type ServerType, serve } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { type Browser, type BrowserContextOptions, chromium } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { answerQuestion } from "#factory/answer-owner.ts";
import { delegate } from "#factory/delegate.ts";
import { dashboardApp } from "../../dashboard/app.tsx";
import { dashboardDb } from "../../dashboard/db.ts";
import { sha256 } from "../../dashboard/gate.ts";
import { type HqBench, openHq, wish } from "../factory/headquarters.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let b: HqBench;
let server: ServerType;
let browser: Browser;
let site: string;

beforeAll(async () => {
  execFileSync(process.execPath, ["scripts/build-assets.mjs"], { cwd: root });
  b = await openHq();
  await b.store.access.addLogin("login", b.clock.now() + 1000);
  const session = { hash: await sha256("session-of-the-tests"), expiresAt: b.clock.now() + 1e12 };
  await b.store.access.redeemLogin("login", session, b.clock.now());
  await b.join("desk-1");
  await b.clock.advance(20 * 60_000);
  await b.join("desk-2", { slots: 64 });
  const app = new Hono();
  app.use("/assets/*", serveStatic({ root: `${root}/.assets` }));
  app.route(
    "/",
    dashboardApp({
      db: dashboardDb(b.client),
      access: b.store.access,
      clock: b.clock,
      hqUrl: null,
      answer: (id, option) => answerQuestion(b.hq, { id, option, by: "the owner", via: "dashboard" }),
    }),
  );
  server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
  await new Promise((listening) => server.once("listening", listening));
  site = `http://localhost:${(server.address() as AddressInfo).port}`;
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"],
  });
});
afterAll(async () => {
  await browser?.close();
  await new Promise((closed) => (server ? server.close(closed) : closed(null)));
  b?.close();
});

/** A task that waits for desk-1, and the id of its question. */
async function ask(id: string): Promise<string> {
  return (await delegate(b.hq, wish({ id, factory: "desk-1" }))).question?.id ?? "";
}
async function visit(path: string, options: BrowserContextOptions = {}) {
  const context = await browser.newContext(options);
  await context.addCookies([{ name: "uac", value: "session-of-the-tests", url: site }]);
  const page = await context.newPage();
  const said: string[] = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  await page.goto(site + path);
  return { page, said, close: () => context.close() };
}

it.each([true, false])("is answered by a click on its button, with JavaScript: %s", async (javaScriptEnabled) => {
  const id = `t1-1-${javaScriptEnabled ? 1 : 2}`;
  const question = await ask(id);
  const { page, said, close } = await visit("/", { javaScriptEnabled });
  await page.locator(`#ask-${question}`).getByRole("button", { name: "Give it to desk-2" }).click();
  await page.waitForURL(`${site}/asks/${question}`);
  await page.getByText("Give it to desk-2, by the owner from the dashboard").waitFor();
  expect(await b.task(id)).toMatchObject({ state: "dispatched", factory: "desk-2" });
  expect(said).toEqual([]);
  await close();
});

it("is answered by keyboard, and keeps the focus while the page is renewed", async () => {
  const question = await ask("t2-1-1");
  const { page, said, close } = await visit("/tasks/t2-1-1");
  const button = `#${question}-wait-1h`;
  await page.locator(`#${question}-wait`).focus();
  await page.keyboard.press("Tab");
  const before = await page.getAttribute("#view", "data-now");
  await b.clock.advance(1000);
  await b.store.next("change_seq");
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.waitForFunction((was) => document.getElementById("view")?.dataset.now !== was, before);
  expect(await page.evaluate(() => `#${document.activeElement?.id}`)).toBe(button);
  await page.keyboard.press("Enter");
  await page.getByText("Wait at most 1 h, by the owner from the dashboard").waitFor();
  expect(await b.task("t2-1-1")).toMatchObject({ state: "held", deadline: expect.any(Number) });
  expect(said).toEqual([]);
  await close();
});

it("pressed too late says what happened", async () => {
  const question = await ask("t3-1-1");
  const { page, close } = await visit("/", { javaScriptEnabled: false });
  await answerQuestion(b.hq, { id: question, option: "wait", by: "Ann", via: "telegram" });
  await page.locator(`#ask-${question}`).getByRole("button", { name: "Cancel it" }).click();
  await page.getByText("Already answered: Wait without limit, by Ann in the chat").waitFor();
  expect((await b.task("t3-1-1")).state).toBe("held");
  await close();
});

it("has nothing that axe objects to, targets of 44 pixels, and no overflow", async () => {
  const question = await ask("t4-1-1");
  await ask("t5-1-1");
  for (const path of ["/", "/tasks/t4-1-1", "/tasks/t3-1-1", `/asks/${question}`]) {
    const { page, said, close } = await visit(path, { reducedMotion: "reduce" });
    for (const [width, colorScheme] of [
      [360, "light"],
      [360, "dark"],
      [1280, "light"],
      [1280, "dark"],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      const { violations } = await new AxeBuilder({ page }).analyze();
      const look = `${path} ${width} ${colorScheme}`;
      expect(
        violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
        look,
      ).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth), look).toBeLessThanOrEqual(width);
      const heights = await page
        .locator(".asks button")
        .evaluateAll((buttons) => buttons.map((button) => button.getBoundingClientRect().height));
      expect(Math.min(44, ...heights), look).toBe(44);
      if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/${look.replaceAll(/[ /]/g, "_")}.png` });
    }
    expect(said, path).toEqual([]);
    await close();
  }
});
