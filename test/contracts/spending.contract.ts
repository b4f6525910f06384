/** What every implementation of the Spending port does. Run it on an empty store. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Bound, type Budget, binding, limitBudgets } from "#core/budget.ts";
import { type LedgerEntry, noUsage } from "#core/ledger.ts";
import type { Reservation, Spending } from "#ports/spending.ts";
import { ledgerEntry } from "../support/ledger.ts";

export interface OpenSpending {
  spending: Spending;
  /** A second way to the same store, as another process has it. */
  other: Spending;
  entries(): Promise<LedgerEntry[]>;
  close(): Promise<void>;
}

const task = { kind: "task", of: "task-a", epoch: 1 } as const;
const bounds = (usd: number, tokens = 1_000_000): Bound[] => limitBudgets(task, { usd, tokens });
const over = (scope: Budget["scope"], amount: number, more: Partial<Bound> = {}): Bound => ({
  budget: { id: `${scope.kind}:usd`, scope, period: "day", unit: "usd", amount },
  ...{ since: null, elsewhere: 0 },
  ...more,
});

let count = 0;
function reservation(usd: number | null, changed: Partial<LedgerEntry> = {}, more: Partial<Reservation> = {}): Reservation {
  count += 1;
  const entry = ledgerEntry({
    ...{ id: `use_${String(count).padStart(8, "0")}`, task: "task-a", epoch: 1, factory: "desk-1", seat: "coder", at: 1000 },
    ...{ usage: { ...noUsage, uncachedIn: 60, output: 40 }, cost: usd, billed: usd, source: "estimated", outcome: "interrupted" },
    ...changed,
  });
  return { entry, asks: { usd, tokens: 100 }, life: "life_1", leaseUntil: 5000, ...more };
}
const settled = ({ entry }: Reservation, cost: number | null): LedgerEntry => ({
  ...{ ...entry, cost, billed: cost, source: "reported", outcome: "ok" },
  usage: { ...noUsage, uncachedIn: 6, cacheRead: 1, write5m: 1, write1h: 1, output: 1, reasoning: 1 },
});

export function spendingContract(name: string, open: () => Promise<OpenSpending>): void {
  describe(`spending: ${name}`, () => {
    let opened: OpenSpending;
    let spending: Spending;
    beforeEach(async () => {
      opened = await open();
      spending = opened.spending;
    });
    afterEach(() => opened.close());

    it("reserves up to the amount, to the nano-dollar, and tells what is in the way of more", async () => {
      expect(await spending.reserve(reservation(60), bounds(100), 1000)).toBeNull();
      expect(await spending.reserve(reservation(41), bounds(100), 1000)).toEqual({ bound: bounds(100)[0], spent: 0, reserved: 60 });
      expect(await spending.reserve(reservation(40), bounds(100), 1000)).toBeNull();
      expect(await opened.entries()).toEqual([]);
    });

    it("counts what is settled by its entry, once, and no more by its reservation", async () => {
      const first = reservation(60);
      await spending.reserve(first, bounds(100), 1000);
      await spending.settle(settled(first, 10), 1001);
      await spending.settle(settled(first, 99), 1002);
      expect(await spending.reserve(reservation(91), bounds(100), 1003)).toMatchObject({ spent: 10, reserved: 0 });
      expect(await spending.reserve(reservation(90), bounds(100), 1003)).toBeNull();
      expect(await opened.entries()).toEqual([settled(first, 10)]);
    });

    it("counts tokens beside dollars, each once; what has no price takes tokens alone", async () => {
      const first = reservation(null);
      expect(await spending.reserve(first, bounds(1, 100), 1000)).toBeNull();
      expect(await spending.reserve(reservation(0), bounds(1, 199), 1000)).toMatchObject({
        bound: { budget: { unit: "tokens" } },
        reserved: 100,
      });
      await spending.settle(settled(first, null), 1001);
      expect(await spending.reserve(reservation(2), bounds(1, 109), 1000)).toMatchObject({ bound: { budget: { unit: "usd" } }, spent: 0 });
      expect(await spending.reserve(reservation(1), bounds(1, 110), 1000)).toBeNull();
    });

    it("reserves without any bound", async () => {
      expect(await spending.reserve(reservation(1e12), [], 1000)).toBeNull();
    });

    it("binds the scope that a budget is of, and no other", async () => {
      const scopes: [Budget["scope"], Partial<LedgerEntry>, Partial<LedgerEntry>][] = [
        [task, {}, { epoch: 2 }],
        [
          { kind: "turn", of: 77 },
          { task: null, epoch: 77 },
          { task: null, epoch: 78 },
        ],
        [{ kind: "vp", of: "general" }, { seat: "general", task: "x" }, { seat: "researcher" }],
      ];
      for (const [scope, within, without] of scopes) {
        const inside = reservation(60, within);
        expect(await spending.reserve(inside, [over(scope, 100)], 1000), scope.kind).toBeNull();
        await spending.settle(settled(inside, 50), 1000);
        expect(await spending.reserve(reservation(40, within), [], 1000)).toBeNull();
        await spending.settle(settled(reservation(0, without), 500), 1000);
        const inTheWay = await spending.reserve(reservation(20, within), [over(scope, 100)], 1000);
        expect(inTheWay, scope.kind).toMatchObject({ spent: 50, reserved: 40 });
      }
      const all = over({ kind: "corporation" }, 1650);
      expect(await spending.reserve(reservation(1), [all], 1000)).toMatchObject({ spent: 1650, reserved: 120 });
      expect(await spending.reserve(reservation(1), [over({ kind: "factory", of: "desk-1" }, 1650)], 1000)).toMatchObject({ spent: 1650 });
    });

    it("forgets what was spent before a period began, and knows what others spent in it", async () => {
      const before = reservation(90, { at: 900 });
      await spending.settle(settled(before, 90), 900);
      const scope = { kind: "factory", of: "desk-1" } as const;
      expect(await spending.reserve(reservation(20), [over(scope, 100)], 1000)).toMatchObject({ spent: 90 });
      expect(await spending.reserve(reservation(20), [over(scope, 100, { since: 901, elsewhere: 81 })], 1000)).toMatchObject({ spent: 81 });
      expect(await spending.reserve(reservation(20), [over(scope, 100, { since: 901, elsewhere: 80 })], 1000)).toBeNull();
    });

    it("names the bound that will never hold it before one that only waits", async () => {
      await spending.reserve(reservation(60), [], 1000);
      const [waits, never] = [over(task, 100), over({ kind: "factory", of: "desk-1" }, 40)];
      expect(await spending.reserve(reservation(50), [waits, never], 1000)).toMatchObject({ bound: never });
    });

    it("of many at once, over two connections, lets in as many as there is room for", async () => {
      const tries = Array.from({ length: 40 }, (_, i) => (i % 2 ? spending : opened.other).reserve(reservation(10), bounds(100), 1000));
      const outcomes = await Promise.all(tries);
      expect(outcomes.filter((outcome) => outcome === null)).toHaveLength(10);
      for (const standing of outcomes) if (standing) expect(binding([standing], { usd: 10, tokens: 100 })).toBe(standing);
    });

    it("turns what a lease ran out of into the entry that it was made with, once", async () => {
      const [lost, alive] = [reservation(60), reservation(30, {}, { leaseUntil: 9000 })];
      for (const one of [lost, alive]) await spending.reserve(one, bounds(1000), 1000);
      expect(await spending.release(4999)).toBe(0);
      const released = await Promise.all([spending.release(5000), opened.other.release(5000)]);
      expect(released.toSorted()).toEqual([0, 1]);
      expect(await opened.entries()).toEqual([lost.entry]);
      expect(await spending.reserve(reservation(911), bounds(1000), 6000)).toMatchObject({ spent: 60, reserved: 30 });
    });

    it("turns all that another run of the program left into entries, and leaves its own", async () => {
      const [left, own] = [reservation(60), reservation(30, {}, { life: "life_2" })];
      for (const one of [left, own]) await spending.reserve(one, bounds(1000), 1000);
      expect(await spending.release(1001, "life_2")).toBe(1);
      expect(await opened.entries()).toEqual([left.entry]);
      await spending.settle(settled(own, 7), 1002);
      expect(await spending.reserve(reservation(1000), bounds(1000), 1003)).toMatchObject({ spent: 67, reserved: 0 });
    });

    it("keeps the first of two ends: what was released is settled", async () => {
      const late = reservation(60);
      await spending.reserve(late, bounds(1000), 1000);
      await spending.release(5000);
      await spending.settle(settled(late, 7), 5001);
      expect(await opened.entries()).toEqual([late.entry]);
    });
  });
}
