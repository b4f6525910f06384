/** The costs page, and why a task cost what it cost. The clock stands at 2026-11-23 12:00 UTC. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manualClock } from "#adapters/clock/manual.ts";
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
