import { expect, it } from "vitest";
import type { Budget } from "#core/budget.ts";
import type { Bench } from "../store.contract.ts";
import { entry } from "./samples.ts";

const hour = 3_600_000;
/** Noon of a day, far from its ends. */
const now = 1_900_000_000_000 - (1_900_000_000_000 % (24 * hour)) + 12 * hour;
const budget = (changed: Partial<Budget> = {}): Budget => ({
  ...{ id: "corporation:day:usd", scope: { kind: "corporation" }, period: "day", unit: "usd", amount: 1000 },
  ...changed,
});

export function budgetCases(bench: Bench): void {
  const standing = async (at = now, except?: string) => (await bench.store.budgets.standings(at, except))[0];
  const spend = (id: string, at: number, changed: Parameters<typeof entry>[0] = {}) =>
    bench.store.spending.settle(entry({ id, task: null, cost: 100, ...changed }), at);

  it("sets a budget once, changes it when it is set again, and takes it away", async () => {
    const { budgets } = bench.store;
    const window = budget({
      id: "vp:coder:5h:tokens",
      scope: { kind: "vp", of: "coder" },
      period: "window",
      windowMs: 5 * hour,
      unit: "tokens",
    });
    await budgets.set(window, now);
    await budgets.set(budget(), now);
    await budgets.set(budget({ amount: 2000 }), now + 1);
    expect((await budgets.standings(now)).map((one) => one.budget)).toEqual([budget({ amount: 2000 }), window]);
    expect(await budgets.remove(["corporation:day:usd", "corporation:day:tokens"])).toEqual(["corporation:day:usd"]);
    expect((await budgets.standings(now)).map((one) => one.budget)).toEqual([window]);
  });

  it.each([
    ["day", 13 * hour, 11 * hour],
    ["month", 32 * 24 * hour, 11 * hour],
    ["window", 5 * hour + 1, 5 * hour],
  ] as const)("counts what was spent in its %s alone, and knows the oldest of a window", async (period, before, within) => {
    await bench.store.budgets.set(budget({ period, ...(period === "window" && { windowMs: 5 * hour }) }), now);
    expect(await standing()).toMatchObject({ recorded: 0, live: 0, oldest: null });
    await spend("usage_0001", now - before);
    await spend("usage_0002", now - within);
    await spend("usage_0003", now, { cost: null });
    expect(await standing()).toMatchObject({ recorded: 100, oldest: period === "window" ? now - within : null });
  });

  it.each<[string, Partial<Budget>, number]>([
    ["everything", {}, 700],
    ["a factory's", { scope: { kind: "factory", of: "other" } }, 200],
    ["a VP's", { scope: { kind: "vp", of: "general" } }, 400],
  ])("counts what it is of: %s", async (_, changed, sum) => {
    await bench.store.budgets.set(budget(changed), now);
    await spend("usage_0001", now, { factory: "desk", seat: "coder" });
    await spend("usage_0002", now, { factory: "other", seat: "coder", cost: 200 });
    await spend("usage_0003", now, { factory: "desk", seat: "general", cost: 400 });
    expect(await standing()).toMatchObject({ recorded: sum });
    expect((await standing(now, "other"))?.recorded).toBe(changed.scope?.kind === "factory" ? 0 : sum - (changed.scope ? 0 : 200));
  });

  it("tells apart what is held back for calls under way, until they are settled", async () => {
    const { budgets, spending } = bench.store;
    await budgets.set(budget(), now);
    await budgets.set(budget({ id: "vp:coder:day:tokens", scope: { kind: "vp", of: "coder" }, unit: "tokens" }), now);
    const open = entry({ id: "usage_0001", task: null, seat: "coder", cost: 40 });
    await spending.reserve({ entry: open, asks: { usd: 90, tokens: 7 }, life: "life", leaseUntil: now + hour }, [], now);
    const unpriced = entry({ id: "usage_0002", task: null, seat: "general", cost: null });
    await spending.reserve({ entry: unpriced, asks: { usd: null, tokens: 5 }, life: "life", leaseUntil: now + hour }, [], now);
    expect(await budgets.standings(now)).toMatchObject([
      { recorded: 0, reserved: 90 },
      { recorded: 0, reserved: 7 },
    ]);
    await spending.settle(open, now);
    expect(await standing()).toMatchObject({ recorded: 40, reserved: 0 });
  });

  it("is raised further, never back, and what was raised twice is raised once", async () => {
    const { budgets } = bench.store;
    await budgets.set(budget(), now);
    await budgets.raise("corporation:day:usd", { amount: 2000, at: now + 10 });
    const once = await bench.snapshot();
    await budgets.raise("corporation:day:usd", { amount: 2000, at: now + 10 });
    await budgets.raise("corporation:day:usd", { amount: 1500, at: now + 5 });
    await budgets.raise("corporation:day:usd", { amount: 1500, at: now + 15 });
    await budgets.raise("nobody's", { amount: 1500, at: now + 5 });
    expect(await bench.snapshot()).toEqual(once);
    expect(await standing()).toMatchObject({ raise: { amount: 2000, at: now + 10 } });
    await budgets.raise("corporation:day:usd", { amount: 1500, at: now + 24 * hour });
    expect(await standing(), "less than yesterday's is a raise today").toMatchObject({ raise: { amount: 1500 } });
    await budgets.set(budget(), now + 20);
    expect(await standing(), "set again it begins anew").toMatchObject({ raise: null, alerted: { percent: 0, at: now + 20 } });
  });

  it("remembers what its owner was told", async () => {
    await bench.store.budgets.set(budget(), now);
    await bench.store.budgets.alerted("corporation:day:usd", 80, now + 1);
    expect(await standing()).toMatchObject({ alerted: { percent: 80, at: now + 1 } });
  });
}
