/** What `/cost` and Simone's tool say. The bench's clock stands at 2030-03-17 17:46 UTC. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { dayMs } from "#core/day.ts";
import { type LedgerEntry, noUsage } from "#core/ledger.ts";
import { budgetReport } from "../../hq-worker/tools/budget.ts";
import { costReport, costTool } from "../../hq-worker/tools/cost.ts";
import { type HqBench, openHq, startMs } from "../factory/headquarters.ts";
import { ledgerEntry, recordAll } from "../support/ledger.ts";

let b: HqBench;
let made = 0;
beforeEach(async () => {
  b = await openHq();
});
afterEach(() => b.close());

const march = Date.UTC(2030, 2, 1);

async function called(at: number, changed: Partial<LedgerEntry>) {
  made += 1;
  const billed = changed.billing === undefined ? (changed.cost ?? null) : 0;
  const entry = ledgerEntry({ id: `usage_${made}`, usage: { ...noUsage, uncachedIn: 900, output: 100 }, billed, ...changed });
  await recordAll(b.store, [entry], at);
}

it("says that nothing was spent, last month notwithstanding", async () => {
  await called(march - 1, { cost: 5_000_000_000 });
  expect(await costReport(b.hq)).toBe("Nothing was spent this month, today included: $0.00.");
});

it("tells today and this month, by factory and by model", async () => {
  await called(march, { cost: 2_000_000_000, provider: "anthropic", model: "claude-opus-5-5" });
  await called(startMs, { cost: 500_000_000, provider: "anthropic", model: "claude-opus-5-5" });
  await called(startMs, { cost: 4_000_000, factory: "hq", provider: "anthropic", model: "claude-haiku-4-5" });
  expect(await costReport(b.hq)).toBe(
    `Today: $0.5040, 2000 tokens in 2 calls. This month: $2.50, 3000 tokens in 3 calls.

By factory, today · this month:
desk-1: $0.5000 · $2.50
hq: $0.0040 · $0.0040

By model, today · this month:
anthropic/claude-opus-5-5: $0.5000 · $2.50
anthropic/claude-haiku-4-5: $0.0040 · $0.0040`,
  );
  expect(await costTool(b.hq).run({}, { key: "k", signal: new AbortController().signal, stillShown: () => false })).toEqual({
    content: await costReport(b.hq),
  });
});

it("tells plans, own machines and what nobody has a price for apart from the bill", async () => {
  await called(startMs, { cost: 10_000_000_000, provider: "zai", model: "glm-5.3", billing: "subscription" });
  await called(startMs, { cost: null, provider: "ollama", model: "qwen", billing: "local" });
  await called(startMs, { cost: null, provider: "openrouter", model: "new/model" });
  await called(startMs, { cost: 1_500_000_000, provider: "openrouter", model: "new/model" });
  const report = await costReport(b.hq);
  expect(report).toContain("Today: ≥ $11.50 (2 calls unpriced), 4000 tokens in 4 calls.");
  expect(report).toContain("Of that ≥ $1.50 (1 call unpriced) today and ≥ $1.50 (1 call unpriced) this month is billed");
  expect(report).toContain("zai/glm-5.3 (subscription): $0.00 billed this month, 1000 tokens in 1 call, $10.00 at list price");
  expect(report).toContain("ollama/qwen (local): $0.00 billed this month, 1000 tokens in 1 call, at no known price");
  expect(report.split("the bill is higher than is said here:\n")[1]).toBe("openrouter/new/model: 1 of 2 calls");
});

it("ends with the budgets as /budget lists them, also where nothing was spent", async () => {
  await b.store.budgets.set(
    { id: "factory:desk-1:day:usd", scope: { kind: "factory", of: "desk-1" }, period: "day", unit: "usd", amount: 5e9 },
    startMs,
  );
  expect(await costReport(b.hq)).toBe(
    `Nothing was spent this month, today included: $0.00.

Budgets:
desk-1's budget of $5.00 a day: $0.00 spent, 0 %. At this pace it comes to $0.00. It begins anew on 2030-03-18 at 00:00 UTC.`,
  );
  await called(startMs, { cost: 4_000_000_000 });
  const report = await costReport(b.hq);
  expect(report).toMatch(
    /\n\nBudgets:\ndesk-1's budget of \$5\.00 a day: \$4\.00 spent, 80 %\. At this pace it is used up on 2030-03-17 at 22:13 UTC\. .*$/,
  );
  expect((await budgetReport(b.hq)).split("\n")[0]).toBe(report.split("\n").at(-1));
});

it("asks the database three times, however many factories there are, and names the dearest", async () => {
  for (let i = 0; i < 40; i += 1) {
    const id = `desk-${i}`;
    await b.store.budgets.set(
      { id: `factory:${id}:day:usd`, scope: { kind: "factory", of: id }, period: "day", unit: "usd", amount: 5e9 },
      startMs,
    );
    await called(startMs - (i % 3) * dayMs, { factory: `desk-${i}`, model: `model-${i}`, cost: (i + 1) * 1_000_000 });
  }
  let report = "";
  const spent = await b.count(async () => {
    report = await costReport(b.hq);
  });
  expect(spent).toMatchObject({ sql: 3 });
  expect(report).toContain("desk-39: $0.0400 · $0.0400");
  expect(report).not.toContain("desk-3:");
  expect(report.split("and 25 more, each for less")).toHaveLength(3);
  expect(report).toMatch(/\nand 25 more: \/budget$/);
  expect(report).toContain("This month: $0.8200");
});
