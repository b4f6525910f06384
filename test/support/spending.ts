/** The spending port in memory, for units: as the contract suite wants it of the real ones. */
import { asksOf, type Bound, type BudgetScope, binding, type Standing } from "#core/budget.ts";
import type { UacError } from "#core/errors.ts";
import { type LedgerEntry, tokensOf } from "#core/ledger.ts";
import type { Reservation, Spending } from "#ports/spending.ts";

export function memorySpending() {
  const entries = new Map<string, LedgerEntry & { recordedAt: number }>();
  const reserved = new Map<string, Reservation>();
  let failure: UacError | null = null;

  function standings(bounds: readonly Bound[]): Standing[] {
    if (failure) throw failure;
    return bounds.map((bound) => {
      const { scope, unit } = bound.budget;
      const spent = [...entries.values()]
        .filter((entry) => isWithin(entry, scope) && entry.recordedAt >= (bound.since ?? 0))
        .reduce((sum, { cost, usage }) => sum + (unit === "usd" ? (cost ?? 0) : tokensOf(usage)), bound.elsewhere);
      const held = [...reserved.values()].filter(({ entry }) => isWithin(entry, scope));
      return { bound, spent, reserved: held.reduce((sum, { asks }) => sum + asksOf(bound, asks), 0) };
    });
  }

  const spending: Spending = {
    async reserve(reservation, bounds) {
      const inTheWay = binding(standings(bounds), reservation.asks);
      if (!inTheWay) reserved.set(reservation.entry.id, reservation);
      return inTheWay;
    },
    standings: async (bounds) => standings(bounds),
    async settle(entry, now) {
      if (failure) throw failure;
      if (!entries.has(entry.id)) entries.set(entry.id, { ...entry, recordedAt: now });
      reserved.delete(entry.id);
    },
    async release(now, life) {
      const orphans = [...reserved.values()].filter((one) => one.leaseUntil <= now || (life !== undefined && one.life !== life));
      for (const { entry } of orphans) await spending.settle(entry, now);
      return orphans.length;
    },
  };
  return {
    ...spending,
    entries: (): LedgerEntry[] => [...entries.values()].map(({ recordedAt: _, ...entry }) => entry),
    reservations: () => [...reserved.values()],
    /** From now on everything fails with it; null: nothing does. */
    fail(error: UacError | null) {
      failure = error;
    },
  };
}

function isWithin(entry: LedgerEntry, scope: BudgetScope): boolean {
  switch (scope.kind) {
    case "task":
      return entry.task === scope.of && entry.epoch === scope.epoch;
    case "turn":
      return entry.task === null && entry.epoch === scope.of;
    case "vp":
      return entry.seat === scope.of;
    case "factory":
      return entry.factory === scope.of;
    case "corporation":
      return true;
  }
}
