/** The costs page, and why a task cost what it cost. The clock stands at 2026-11-23 12:00 UTC. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manualClock } from "#adapters/clock/manual.ts";
import type { Budget } from "#core/budget.ts";
import { dayMs, startOfDay } from "#core/day.ts";
import { type LedgerEntry, noUsage } from "#core/ledger.ts";
import { mostRows, spanOf } from "../../dashboard/panels/costs.query.ts";
import { ledgerEntry, recordAll } from "../support/ledger.ts";
import { type Seeded, seeded } from "./seed.ts";

const now = Date.UTC(2026, 10, 23, 12);
let here: Seeded;
let made = 0;
beforeEach(async () => {
  here = await seeded(manualClock(now));
});
afterEach(() => here.close());

/** By the list of the scripted model: 0.1 m + 0.1 m + 14,500 + 35,000 nano-dollars. */
const usage = { uncachedIn: 100, cacheRead: 1000, write5m: 10, write1h: 1, output: 7, reasoning: 3 };
async function called(daysAgo: number, changed: Partial<LedgerEntry> = {}) {
  made += 1;
  const cost = changed.cost === undefined ? 249_500 : changed.cost;
  const billed = (changed.billing ?? "metered") === "metered" ? cost : 0;
  await recordAll(here.store, [ledgerEntry({ id: `usage_${made}`, task: null, usage, ...changed, cost, billed })], now - daysAgo * dayMs);
}

/** The words of a part of the page, cells apart. */
const words = (html: string) =>
  html
    .replace(/<[^>]+>/g, " ")
    .replaceAll("&amp;", "&")
    .replaceAll("&gt;", ">")
    .replaceAll("&#39;", "'")
    .replace(/\s+/g, " ")
    .trim();
const section = (html: string, id: string) => words(html.split(`id="${id}">`)[1]?.split("<h2")[0] ?? "");
const sentence = (html: string) => words(/<h1>(.*?)<\/h1>/s.exec(html)?.[1] ?? "");

describe("the costs", () => {
  it("of no call are said to be none", async () => {
    const html = await here.text("/costs");
    expect(sentence(html)).toBe("$0.00 at list price · $0.00 billed · 0 calls");
    expect(words(html)).toContain("No call of a model was recorded in these days.");
    expect(words(await here.text("/costs?factory=none"))).toContain("in these days that fits this choice.");
  });

  it("are shown whole, and by the kind of token with a part that nobody can split", async () => {
    await called(0);
    await called(0, { cost: 1_000_000, model: "other", requestedModel: "other" });
    const html = await here.text("/costs");
    expect(sentence(html)).toBe("$0.0012 at list price · $0.0012 billed · 2 calls");
    const parts = section(html, "parts");
    for (const row of [
      "Input 200 $0.0001 8 %",
      "Cached read 2,000 $0.0001 8 %",
      "Cached write 22 <$0.0001 1 %",
      "Output 14 <$0.0001 3 %",
    ]) {
      expect(parts.replaceAll("&lt;", "<")).toContain(row);
    }
    expect(parts).toContain("Not split $0.0010 80 %");
    expect(parts).toContain("Total 2,236 $0.0012");
    expect(parts).toContain("6 tokens of output are reasoning.");
    expect(words(html)).toContain("Read from cache 90 % of input");
  });

  it("keep plans, own machines and what has no price apart from the bill", async () => {
    await called(0, { cost: 2_000_000_000 });
    await called(0, { cost: 3_000_000_000, provider: "zai", model: "glm-5.3", billing: "subscription" });
    await called(0, { cost: null, provider: "ollama", model: "qwen", billing: "local" });
    await called(0, { cost: null, provider: "openrouter", model: "new" });
    const html = await here.text("/costs");
    expect(sentence(html)).toBe("≥ $5.00 at list price · ≥ $2.00 billed · 2 of 4 calls unpriced");
    expect(words(html)).toContain("Paid by plans $0.00 billed, $3.00 at list price, 1,118 tokens");
    expect(words(html)).toContain("On own machines $0.00 billed, 1,118 tokens");
    expect(words(html)).toContain("Unpriced 2 of 4 calls");
    const models = section(html, "models");
    expect(models).toMatch(/zai\/glm-5\.3 subscription \$3\.00 .* \$0\.00 1 scripted\/scripted-1/);
    expect(models).toMatch(/ollama\/qwen local unpriced 100 1,000 11 7 \$0\.00 1/);
    expect(models).toMatch(/openrouter\/new unpriced 100 1,000 11 7 unpriced 1/);
  });

  it("are narrowed to a factory, a VP, a model, and widened again", async () => {
    await called(0);
    await called(0, { factory: "desk-2", persona: "Bart", seat: "general", cost: 7_000_000_000 });
    await called(0, { factory: "hq", persona: "Simone", seat: "primary", model: "big & <new>", cost: null });
    const html = await here.text("/costs");
    expect(section(html, "vps")).toMatch(/Bart @ desk-2 general \$7\.00.*Lisa @ desk-1 coder \$0\.0002.*Simone @ hq primary unpriced/);
    expect(html).toContain('href="/costs?factory=desk-2"');
    const one = await here.text("/costs?factory=desk-2");
    expect(sentence(one)).toContain("$7.00 at list price");
    expect(one).toContain('href="/costs?factory=desk-2&amp;seat=general"');
    expect(words(one)).toContain("Only factory desk-2: show all");
    const odd = await here.text(`/costs?provider=scripted&model=${encodeURIComponent("big & <new>")}`);
    expect(sentence(odd)).toContain("unpriced at list price");
    expect(odd).not.toContain("<new>");
  });

  it("are those of the period, each day of it in the chart and in its table", async () => {
    await called(0, { cost: 1_000_000_000 });
    await called(6, { cost: 2_000_000_000 });
    await called(7, { cost: 4_000_000_000 });
    await called(30, { cost: 8_000_000_000 });
    const at = async (path: string) => sentence(await here.text(path)).split(" at")[0];
    expect(await at("/costs?period=day")).toBe("$1.00");
    expect(await at("/costs")).toBe("$3.00");
    expect(await at("/costs?period=month")).toBe("$7.00");
    expect(await at("/costs?period=30d")).toBe("$7.00");
    expect(await at("/costs?period=month&on=2026-10-31")).toBe("$8.00");
    expect(await at("/costs?period=day&on=2026-11-17")).toBe("$2.00");
    for (const odd of ["constructor", "day&on=2999-01-01", "day&on=x", "day&on=2026-99-99"]) {
      expect((await here.get(`/costs?period=${odd}`)).status, odd).toBe(200);
    }
    const week = await here.text("/costs");
    const days = section(week, "days");
    expect(days).toContain("highest: $2.00 on 2026-11-17");
    expect(days).toMatch(/2026-11-23 \$1\.00.*2026-11-22 2026-11-21.*2026-11-17 \$2\.00/);
    expect(week.split("<g>")).toHaveLength(8);
    expect((await here.text("/costs?period=month")).split("<g>")).toHaveLength(24);
    expect(await here.text("/costs?period=day")).not.toContain('id="days"');
  });

  it("lead to the days before and after", async () => {
    const links = async (path: string) =>
      [...(await here.text(path)).matchAll(/<a href="(\S+)">(Earlier|Later)/g)].map(([, to]) => to?.replace("&amp;", "&"));
    expect(await links("/costs")).toEqual(["/costs?on=2026-11-16"]);
    expect(await links("/costs?on=2026-11-16")).toEqual(["/costs?on=2026-11-09", "/costs"]);
    expect(await links("/costs?period=month&on=2026-10-05")).toEqual([
      "/costs?period=month&on=2026-09-30",
      "/costs?period=month&on=2026-11-01",
    ]);
    expect(await links("/costs?period=month&on=2026-11-01")).toEqual(["/costs?period=month&on=2026-10-31"]);
  });

  it("of more models than fit leave one row for the others", async () => {
    const many = Array.from({ length: mostRows + 3 }, (_, i) =>
      ledgerEntry({
        id: `usage_many_${i}`,
        task: null,
        model: `model-${i}`,
        usage: { ...noUsage, output: 1 },
        cost: i < 3 ? 1 : 1_000_000_000,
        billed: 0,
      }),
    );
    await recordAll(here.store, many, now);
    const models = section(await here.text("/costs"), "models");
    expect(models).toMatch(/3 others, each for less &lt;\$0\.0001 3 \$0\.00 3 /);
    expect(models.split("scripted/model-")).toHaveLength(mostRows + 1);
  });
});

describe("the budgets", () => {
  const dollar = 1_000_000_000;
  const desk: Budget = {
    id: "factory:desk-1:day:usd",
    scope: { kind: "factory", of: "desk-1" },
    period: "day",
    unit: "usd",
    amount: 5 * dollar,
  };
  const month: Budget = {
    id: "corporation:month:usd",
    scope: { kind: "corporation" },
    period: "month",
    unit: "usd",
    amount: 1000 * dollar,
  };
  const hours5 = { period: "window", windowMs: 5 * 3_600_000 } as const;
  const window: Budget = { ...hours5, id: "vp:coder:5h:tokens", scope: { kind: "vp", of: "coder" }, unit: "tokens", amount: 10_000 };
  const set = async (...budgets: Budget[]) => {
    for (const one of budgets) await here.store.budgets.set(one, now - dayMs);
  };
  const shown = async (path = "/costs") => section(await here.text(path), "budgets");

  it("are said not to be set, and how to", async () => {
    expect(await shown()).toMatch(/^Budgets now No budget is set: \/budget factory desk-1 day \$5 in the chat sets one\./);
  });

  it("stand with what is spent, left, and when they begin anew; nothing is spent yet", async () => {
    await set(desk, window);
    const budgets = await shown();
    expect(budgets).toContain("Nothing is spent of any yet.");
    expect(budgets).toContain("desk-1's budget of $5.00 a day $0.00 0 % $5.00 2026-11-24 at 00:00 UTC comes to $0.00");
    expect(budgets).toContain("the coder's budget of 10,000 tokens in 5 h 0 tokens 0 % 10,000 tokens nothing of it counts now");
    expect(budgets).not.toContain("binds first");
  });

  it("name the one that binds first by its pace, whatever days are looked at", async () => {
    await set(desk, month, window);
    await called(0, { cost: 4 * dollar });
    for (const path of ["/costs", "/costs?period=day&on=2026-11-01&factory=hq"]) {
      const budgets = await shown(path);
      expect(budgets).toContain("First to bind is desk-1's budget of $5.00 a day: at this pace it is used up on 2026-11-23 at 15:00 UTC.");
      expect(budgets).toContain("a day binds first $4.00 80 % $1.00 2026-11-24 at 00:00 UTC used up on 2026-11-23 at 15:00 UTC");
      expect(budgets).toContain("the corporation's budget of $1000.00 a month $4.00 0 % $996.00 2026-12-01 at 00:00 UTC comes to $5.33");
      expect(budgets.split("binds first")).toHaveLength(2);
    }
    expect(await here.text("/costs")).toMatch(/<rect width="800\.0" height="10" class="warn"><\/rect>/);
  });

  it("of a window free themselves from the oldest on, and may bind first too", async () => {
    await set(month, window);
    await called(1 / 24, { cost: dollar, usage: { ...noUsage, output: 5000 } });
    const budgets = await shown();
    expect(budgets).toContain(
      "First to bind is the coder's budget of 10,000 tokens in 5 h: at this pace it is used up on 2026-11-23 at 13:00 UTC.",
    );
    expect(budgets).toContain("5,000 tokens 50 % 5,000 tokens bit by bit, from 2026-11-23 at 16:00 UTC used up on");
  });

  it("tell a raise, what is reserved, and what is used up", async () => {
    await set(desk, month);
    await called(0, { cost: 6 * dollar });
    expect(await shown()).toMatch(
      /: it is used up\..*desk-1's budget of \$5\.00 a day used up \$6\.00 120 % \$0\.00 2026-11-24 at 00:00 UTC used up/,
    );
    await here.store.budgets.raise(desk.id, { amount: 10 * dollar, at: now - 1000 });
    const entry = ledgerEntry({ id: "usage_open", task: null, factory: "desk-1", at: now });
    await here.store.spending.reserve({ entry, asks: { usd: dollar / 2, tokens: 100 }, life: "l", leaseUntil: now + 1000 }, [], now);
    const html = await here.text("/costs");
    expect(section(html, "budgets")).toContain(
      "desk-1's budget of $10.00 a day raised from $5.00 for now binds first $6.00 60 % $0.5000 $3.50",
    );
    expect(html).toContain('<rect width="650.0" height="10" class="held">');
    expect(html).toContain('<rect width="600.0" height="10" class="busy">');
  });

  it("name what stands still at one, and the question about it", async () => {
    await set(desk);
    const still = { state: "paused", code: "budget", factory: "desk-1" } as const;
    await here.insert.task({
      ...still,
      id: "t_still",
      title: "Tidy <b>up</b>",
      reason: "stands still: desk-1's budget",
      liveCost: 2 * dollar,
    });
    await here.insert.task({ id: "t_wait", state: "held", code: "budget", title: "Next", reason: "no room" });
    await here.insert.task({ id: "t_other", state: "paused", code: "owner", title: "Rest" });
    const content = { text: "What now?", spans: [] };
    const letter = { key: "ask", chat: 1, body: { kind: "text" as const, content, buttons: [], silent: false, replyTo: null } };
    await here.store.questions.ask(
      {
        ...{
          id: "q1",
          key: "budget:t_still:1:1:x",
          kind: "budget",
          task: "t_still",
          epoch: 1,
          chat: 1,
          content,
          otherwise: null,
          expiresAt: null,
        },
        options: [{ key: "stop", label: "Stop" }],
      },
      { letter, line: "asked" },
      now,
    );
    const html = await here.text("/costs");
    const budgets = section(html, "budgets");
    expect(budgets).toContain("$2.00 40 % $2.00 by tasks under way $3.00");
    expect(budgets).toContain("a day: 40 % of it is spent, the largest share.");
    expect(budgets).toMatch(/2 tasks standing still at a budget .*paused Tidy &lt;b>up&lt;\/b> stands still: desk-1's budget Decide: q1/);
    expect(html).toContain('href="/asks/q1"');
    expect(budgets).toContain("held Next no room");
    expect(budgets).not.toContain("Rest");
  });
});

it("a period is whole days, and a month its own", () => {
  const day = startOfDay(now);
  expect(spanOf("day", now)).toEqual({ period: "day", from: day, to: day + dayMs });
  expect(spanOf("7d", now)).toEqual({ period: "7d", from: day - 6 * dayMs, to: day + dayMs });
  expect(spanOf("30d", now)).toMatchObject({ from: day - 29 * dayMs });
  expect(spanOf("month", Date.UTC(2024, 1, 29, 23))).toEqual({ period: "month", from: Date.UTC(2024, 1), to: Date.UTC(2024, 2) });
});

describe("why a task cost what it cost", () => {
  const at = now - 60_000;
  const step = (n: number, changed: Partial<LedgerEntry> = {}) =>
    called(0, { task: "t_0001", step: n, at: at + n * 1000, durationMs: 500, ...changed });
  const did = (n: number, text: string) =>
    here.insert.event({ task: "t_0001", kind: "step", text, originAt: at + n * 1000 + 600, factory: "desk-1", persona: "Lisa" });

  it("names the dearest step, what it did and most of what it was", async () => {
    await here.insert.task({ id: "t_0001", state: "running" });
    await step(1);
    await did(1, "read src/sum.js");
    await step(2, { usage: { ...noUsage, output: 400_000 }, cost: 2_000_000_000 });
    await did(2, "bash npm test");
    const cost = section(await here.text("/tasks/t_0001"), "cost");
    expect(cost).toMatch(/^Why this cost \$2\.00 in 2 calls/);
    expect(cost).toContain("Step 2 cost most: $2.00, 100 % of the task, most of it output (Lisa, scripted-1: bash npm test).");
    expect(cost).toMatch(/90 % 500 ms scripted-1 Lisa · 3 of output is reasoning read src\/sum\.js/);
    expect(cost).not.toContain("repeated");
    expect(cost).not.toContain("in a row");
  });

  it("marks tries again, the same call over and over, and attempts", async () => {
    await here.insert.task({ id: "t_0001", state: "running", epoch: 2 });
    const dollar = { cost: 1_000_000_000 };
    await step(1, dollar);
    await step(1, { ...dollar, try: 2, outcome: "failed", source: "partial" });
    await step(1, { ...dollar, try: 3, model: "the-fallback" });
    for (const n of [2, 3, 4]) {
      await step(n, dollar);
      await did(n, "bash npm test");
    }
    await step(1, { ...dollar, epoch: 2, at: at + 30_000 });
    const html = await here.text("/tasks/t_0001");
    const cost = section(html, "cost");
    expect(cost).toContain("Step 1 cost most: $3.00 in 3 calls, 43 % of the task");
    expect(cost).toContain("2 calls repeated a step that had one already: $2.00 (29 %).");
    expect(cost).toContain("3 steps in a row (2 to 4) did the same, for $3.00 (43 %).");
    expect(cost).toContain("Attempts: 1 cost $6.00 (86 %), 2 cost $1.00 (14 %).");
    expect(cost).toMatch(/1 failed · tokens not told whole.* 3 calls/);
    expect(cost).toContain("the-fallback");
    expect(cost).toContain("the same call, time 3 bash npm test");
    expect(html).toContain('id="s-2-1"');
  });

  it("says that nobody can say where no call has a price", async () => {
    await here.insert.task({ id: "t_0001", state: "running" });
    await step(1, { cost: null });
    expect(section(await here.text("/tasks/t_0001"), "cost")).toMatch(
      /^Cost unpriced in 1 call No call has a price; together they used 1,118 tokens\./,
    );
  });
});
