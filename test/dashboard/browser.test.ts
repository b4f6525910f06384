/** The pages in a real browser, served over HTTP with their scripts and styles. */
import { execFileSync } from "node:child_process";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import { type ServerType, serve } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "#adapters/clock/system.ts";
import { parseBudget } from "#core/budget-words.ts";
import type { Follow } from "#core/follow-up.ts";
import { sha256 } from "../../dashboard/gate.ts";
import { type Seeded, seeded } from "./seed.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const now = Date.now();
const evil = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`;

let here: Seeded;
let server: ServerType;
let browser: Browser;
let site: string;
const open: BrowserContext[] = [];
/** Every request that reached the server, as `<method> <path> <status>`. */
let served: string[] = [];
let polls = 0;

beforeAll(async () => {
  execFileSync(process.execPath, ["scripts/build-assets.mjs"], { cwd: root });
  here = await seeded(systemClock);
  await seedFleet();
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    served.push(`${c.req.method} ${c.req.path} ${c.res.status}`);
    if (c.req.header("HX-Request")) polls++;
  });
  app.use("/assets/*", serveStatic({ root: `${root}/.assets` }));
  app.route("/", here.app);
  server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
  await new Promise((listening) => server.once("listening", listening));
  site = `http://localhost:${(server.address() as AddressInfo).port}`;
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((context) => context.close()));
});
afterAll(async () => {
  await browser?.close();
  await new Promise((closed) => (server ? server.close(closed) : closed(null)));
  await here?.close();
});

async function seedFleet() {
  const { insert } = here;
  await seedBudgets();
  await insert.factory({ id: "desk-1", lastHeartbeatAt: now });
  await insert.factory({ id: "gone", lastHeartbeatAt: now - 400_000 });
  await insert.factory({ id: "new", status: "pending", facts: null, lastHeartbeatAt: null });
  await insert.incident({ kind: "dead_letter", factory: "desk-1", text: evil });
  await insert.task({ id: "t_run", state: "running", factory: "gone", persona: "Bart", title: evil, step: 3 });
  await insert.task({ id: "t_held", state: "held", title: "Deploy the website", reason: "no factory is enrolled" });
  await insert.task({
    id: "t_done",
    state: "succeeded",
    factory: "desk-1",
    persona: "Lisa",
    title: `An-unbreakable-${"title".repeat(30)}`,
    summary: evil,
    endedAt: now,
    log: `${"a long line of log ".repeat(30)}\n${evil}`,
    receipt: {
      testsOfBase: { command: "npm test", exitCode: 0, durationMs: 5, tail: evil, counted: { ran: 1234, skipped: 5 } },
      flags: [
        { kind: "tests_deleted", text: `a test file is gone: ${"in-one-word".repeat(20)}` },
        { kind: "tests_edited", text: "existing tests were edited: test/a.test.ts" },
      ],
      prospects: { into: "main", remote: "https://git.example/shop", can: ["merge", "push", "pr", "discard"] },
      replayed: { from: "3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a", files: 2, left: ["in-one-word".repeat(20)] },
      setup: {
        ...{ state: "ran", exitCode: 1, durationMs: 900, tail: evil, command: `npm ${"ci".repeat(60)}`, hosts: ["registry.npmjs.org:443"] },
        ...{ digest: "a".repeat(64), by: "Ann" },
      },
      commands: Array.from({ length: 9 }, (_, i) => ({ command: `node ${"x".repeat(i * 30)}`, exitCode: i ? 0 : null, durationMs: 5 })),
    },
  });
  const follow: Follow = {
    ...{ do: "merge", of: "t_done", epoch: 1, branch: "uac/t_done-1", head: "d".repeat(40), into: "main" },
    ...{ remote: null, says: null, approved: "a".repeat(64) },
  };
  const followed = { do: "merge", already: false, ref: "refs/heads/main", head: "d".repeat(40), answer: evil, url: null } as const;
  const merge = {
    kind: null,
    followJson: JSON.stringify(follow),
    reason: `main has it ${"in-one-word".repeat(12)}`,
    receipt: { followed },
  };
  await insert.task({ id: "q1-merge", state: "failed", ...merge });
  await insert.attempt({ task: "t_done", claimedAt: now - 50_000, endedAt: now, outcome: "succeeded" });
  for (const kind of ["delegated", "dispatched", "claimed", "step", "succeeded"]) {
    await insert.event({ task: "t_done", kind, text: `${kind} ${"in-one-word".repeat(12)}`, factory: "desk-1", persona: "Lisa" });
  }
  for (let i = 0; i < 6; i++)
    await insert.usage({ id: `usage-${i}`, task: "t_done", step: i >> 1, reasoning: 40, cost: i ? i * 1_000_000 : null });
  const parts = { costInput: 1_200_000, costCacheRead: 0, costCacheWrite: 1_000_000, costOutput: 2_000_000 };
  await insert.usage({ id: "huge", cacheRead: 99_000_000_000, cost: 123_456_000_000_000, billed: 123_456_000_000_000 });
  for (let i = 0; i < 9; i++) {
    const model = i % 2 ? `model-${"long".repeat(20)}` : evil;
    await insert.usage({
      id: `day-${i}`,
      recordedAt: now - i * 86_400_000,
      model,
      ...(i % 3 && parts),
      billing: i % 2 ? "metered" : "subscription",
    });
  }
}

async function seedBudgets() {
  const { insert, store } = here;
  const of = (words: string) => {
    const wish = parseBudget(words, "hq");
    if (!("set" in wish)) throw new Error(words);
    return wish.set;
  };
  for (const words of ["corporation month $200000", "factory desk-1 day $8", "vp coder 5h 900B tokens", "vp general day 5k tokens"]) {
    await store.budgets.set(of(words), now - 86_400_000);
  }
  await store.budgets.raise("corporation:month:usd", { amount: 300_000_000_000_000, at: now });
  await insert.usage({ id: "general", seat: "general", factory: "gone", output: 9000, recordedAt: now });
  const still = { state: "paused", code: "budget", factory: "desk-1", persona: "Lisa", liveCost: 1_000_000_000 } as const;
  const reason = `stands still: desk-1's budget of $8.00 a day: $7.90 of it spent ${"in-one-word".repeat(12)}`;
  await insert.task({ ...still, id: "t_still", title: evil, reason });
}

async function visit(path: string, options: BrowserContextOptions & { signedIn?: boolean } = {}): Promise<Page & { said: string[] }> {
  const { signedIn = true, ...rest } = options;
  const context = await browser.newContext(rest);
  open.push(context);
  const [name = "", value = ""] = here.cookie.split("=");
  if (signedIn) await context.addCookies([{ name, value, url: site }]);
  const page = Object.assign(await context.newPage(), { said: [] as string[] });
  // A refusal by the content security policy is an error on the console.
  page.on("console", (message) => page.said.push(message.text()));
  page.on("pageerror", (error) => page.said.push(String(error)));
  await page.goto(site + path);
  return page;
}

/** Polls now, and waits until the answer is on the page. */
async function polled(page: Page) {
  const before = await page.getAttribute("#view", "data-now");
  await here.insert.changed();
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.waitForFunction((was) => document.getElementById("view")?.dataset.now !== was, before);
}

const paths = [
  "/",
  "/tasks",
  "/costs",
  "/costs?period=month&factory=desk-1",
  "/tasks/t_done",
  "/tasks/q1-merge",
  "/tasks/t_run",
  "/login?t=abc",
  "/tasks/none",
];

const looks = [
  { width: 360, colorScheme: "light" },
  { width: 360, colorScheme: "dark" },
  { width: 1280, colorScheme: "light" },
  { width: 1280, colorScheme: "dark" },
] as const;

it.each(paths)("%s: nothing that axe objects to, no overflow, no small target, a clean console", async (path) => {
  const page = await visit(path, { reducedMotion: "reduce" });
  await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  for (const { width, colorScheme } of looks) {
    const look = `${width} ${colorScheme}`;
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 800 });
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(
      violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`),
      look,
    ).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth), look).toBeLessThanOrEqual(width);
    expect(await page.evaluate(smallTargets), look).toEqual([]);
  }
  expect(page.said.filter((line) => !line.includes("404"))).toEqual([]);
  expect(await page.evaluate(() => "pwned" in window)).toBe(false);
});

/** Controls lower than 24 pixels; links inside a sentence are exempt, as in WCAG 2.5.8. */
function smallTargets(): string[] {
  const controls = [...document.querySelectorAll<HTMLElement>("button, summary, nav a, .rows a, a.button, .wordmark")];
  return controls.filter((control) => control.offsetParent !== null && control.getBoundingClientRect().height < 24).map((c) => c.outerHTML);
}

describe("polling", () => {
  it("keeps what the reader opened, selected, focused and scrolled to", async () => {
    const page = await visit("/tasks/t_done", { viewport: { width: 700, height: 600 } });
    await page.evaluate(() => {
      const details = (id: string) => document.getElementById(id) as HTMLDetailsElement;
      details("commands").open = true;
      details("d-0").open = false;
      const range = document.createRange();
      range.selectNodeContents(document.querySelector(".prose") as Node);
      getSelection()?.addRange(range);
      details("commands").querySelector("summary")?.focus();
      scrollTo(0, 500);
    });
    const state = () =>
      page.evaluate(() => ({
        open: (document.getElementById("commands") as HTMLDetailsElement).open,
        closed: !(document.getElementById("d-0") as HTMLDetailsElement).open,
        selected: String(getSelection()),
        focus: document.activeElement?.parentElement?.id,
        scroll: Math.round(scrollY),
      }));
    const before = await state();
    expect(before).toMatchObject({ open: true, closed: true, focus: "commands", scroll: 500 });
    expect(before.selected).toContain("In demo, make the tests pass.");
    for (let i = 0; i < 5; i++) await polled(page);
    expect(await state()).toEqual(before);
    expect(page.said).toEqual([]);
  });

  it("shows what changed, and keeps the cards that did not", async () => {
    const page = await visit("/");
    await page.evaluate(() => Object.assign(document.getElementById("f-desk-1") as object, { mine: true }));
    await here.insert.factory({ id: "another" });
    await polled(page);
    await page.waitForSelector("#f-another");
    expect(await page.evaluate(() => "mine" in (document.getElementById("f-desk-1") as object))).toBe(true);
    expect(await page.title()).toMatch(/^\(\d\) Corporation · UAC$/);
  });

  it("asks by itself, is told 304, and says how old the page is", async () => {
    const page = await visit("/tasks");
    const answer = await page.waitForResponse((response) => response.url() === `${site}/tasks`, { timeout: 10_000 });
    expect(answer.status()).toBe(304);
    const says = (words: string) =>
      page.waitForFunction((age) => document.getElementById("asof")?.textContent === `as of ${age} ago`, words);
    await says("2 s");
    await says("0 s");
    expect(page.said.filter((line) => !line.includes("304"))).toEqual([]);
  });

  it("stops while the page is hidden, and asks at once when it is seen again", async () => {
    const page = await visit("/tasks");
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: true, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    expect(await page.textContent("#asof")).toMatch(/^paused, as of \d+ s ago$/);
    const before = polls;
    await page.waitForTimeout(6000);
    expect(polls).toBe(before);
    const answer = page.waitForResponse((response) => response.url() === `${site}/tasks`, { timeout: 2000 });
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: false, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await answer;
    await page.waitForFunction(() => document.getElementById("asof")?.textContent?.startsWith("as of"));
  });

  it("leaves the page as it is and says so when headquarters gives no answer", async () => {
    const page = await visit("/");
    await page.route("**/*", (route) => route.fulfill({ status: 503, body: "<main id=view>gone</main>" }));
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await page.waitForFunction(() => document.getElementById("asof")?.textContent?.startsWith("no answer, as of"));
    expect(await page.textContent("#view")).toContain("desk-1");
    await page.unroute("**/*");
    await page.route("**/*", (route) => route.abort());
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await page.waitForTimeout(300);
    expect(await page.textContent("#asof")).toContain("no answer");
  });

  it("shows how to sign in when the session has ended", async () => {
    const page = await visit("/tasks");
    await page.context().clearCookies();
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await page.waitForSelector("h1:text('Not signed in')");
  });
});

it("keeps ages moving between polls, in the server's words", async () => {
  await here.insert.factory({ id: "ticking", lastHeartbeatAt: Date.now() });
  const page = await visit("/");
  const first = await page.textContent("#f-ticking time");
  expect(first).toMatch(/^\d+ s ago$/);
  const ages = () => page.$$eval("time[data-at]", (times) => times.map((time) => time.textContent ?? ""));
  const grammar = /^\d+ (s|min|h|d|h \d+ min)( ago)?$/;
  for (const age of await ages()) expect(age).toMatch(grammar);
  await page.waitForFunction((was) => document.querySelector("#f-ticking time")?.textContent !== was, first);
  const later = await ages();
  expect(later.length).toBeGreaterThan(9);
  for (const age of later) expect(age).toMatch(grammar);
});

describe("signing in", () => {
  it("works by the link and its button, without scripts too, and signing out ends it", async () => {
    for (const javaScriptEnabled of [true, false]) {
      const token = `browser-login-token-${javaScriptEnabled}`;
      await here.store.access.addLogin(await sha256(token), Date.now() + 60_000);
      const page = await visit(`/login?t=${token}`, { signedIn: false, javaScriptEnabled });
      await page.click("button");
      await page.waitForURL(`${site}/`);
      expect(await page.textContent("h1")).toContain("factories online");
      const cookies = await page.context().cookies();
      expect(cookies).toMatchObject([{ httpOnly: true, sameSite: "Lax" }]);
      await page.click("text=Tasks");
      await page.click("text=Deploy the website");
      expect(await page.textContent("h1")).toBe("Deploy the website");
      await page.click("text=Sign out");
      await page.waitForURL(`${site}/login`);
      await page.goto(`${site}/`);
      expect(await page.textContent("h1")).toBe("Not signed in");
    }
  });

  it("refuses a form that another site sends", async () => {
    const token = "browser-cross-site-token";
    await here.store.access.addLogin(await sha256(token), Date.now() + 60_000);
    const page = await visit("/login", { signedIn: false });
    served = [];
    await page.goto("data:text/html,<title>elsewhere</title>");
    await page.setContent(`<form method="post" action="${site}/login"><input name="t" value="${token}"></form>`);
    await Promise.all([page.waitForURL(`${site}/login`), page.evaluate(() => document.forms[0]?.submit())]);
    expect(served).toContain("POST /login 403");
    expect(await here.store.access.redeemLogin(await sha256(token), { hash: "h", expiresAt: 0 }, Date.now())).toBe(true);
  });
});

it("what is looked at here holds every part of a receipt", async () => {
  const page = await here.text("/tasks/t_done");
  for (const part of ["What becomes of the branch", "The earlier tests, after", "Began with", "Set-up", "Discard"])
    expect(page).toContain(part);
  expect(await here.text("/tasks/q1-merge")).toContain("Now at");
});

it("a keyboard reaches the content at once, and every control shows its focus", async () => {
  const page = await visit("/");
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.textContent?.trim())).toBe("Skip to the content");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  const focus = await page.evaluate(() => {
    const style = getComputedStyle(document.activeElement as Element);
    return { inside: document.activeElement?.closest("main") !== null, outline: style.outlineStyle, width: style.outlineWidth };
  });
  expect(focus).toEqual({ inside: true, outline: "solid", width: "2px" });
});

it("does not move under reduced motion", async () => {
  const page = await visit("/", { reducedMotion: "reduce" });
  expect(await page.evaluate(() => getComputedStyle(document.querySelector("button") as Element).transitionDuration)).toBe("0s");
});
