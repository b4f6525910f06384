/** A meter on a spending in memory, for tests of what goes by it. */
import { systemClock } from "#adapters/clock/system.ts";
import { countingIds } from "#adapters/ids/counting.ts";
import { pricesOf } from "#adapters/prices/index.ts";
import { type Account, type MeteringDeps, metering } from "#factory/metering.ts";
import { waitingLine } from "#factory/waiting-line.ts";
import { memorySpending } from "./spending.ts";

export function meterOn(changed: Partial<MeteringDeps> = {}, account: Partial<Account> = {}) {
  const spending = memorySpending();
  const line = waitingLine(systemClock, { most: 100, waitMs: 60_000 });
  const who = { task: "t1-1-1", epoch: 1, factory: "desk-1", persona: "Lisa", seat: "coder" };
  const meter = metering(
    { spending, clock: systemClock, ids: countingIds(), priceOf: pricesOf(), line, life: "life_1", leaseMs: 60_000, ...changed },
    { ...who, bounds: () => [], spent: [], ...account },
  );
  return { meter, spending };
}
