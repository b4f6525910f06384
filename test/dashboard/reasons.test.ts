/** The sentences of why a task cost what it cost, where figures are odd. */
import { expect, it } from "vitest";
import { noUsage, type Total } from "#core/ledger.ts";
import type { CostParts } from "#core/prices.ts";
import type { Step } from "../../dashboard/panels/task-cost.query.ts";
import { reasons, told } from "../../dashboard/steps.ts";

const usage = { ...noUsage, uncachedIn: 90, output: 10 };
const said = (cost: number, parts: CostParts | null) => {
  const total: Total = { cost, calls: 1, unpriced: 0, usage };
  const step: Step = {
    ...{ ...total, epoch: 1, step: 1, parts, models: ["a-model"], personas: ["Lisa"] },
    ...{ failed: 0, interrupted: 0, unsure: 0, durationMs: 1, endedAt: 1 },
  };
  const again = { cost: 0, calls: 0, unpriced: 0 };
  return reasons({ steps: [step], dearest: step, again, attempts: [] }, told([step], []), total);
};

it("no step of a task that cost nothing at list price is said to have cost most", () => {
  expect(said(0, { input: 0, cacheRead: 0, cacheWrite: 0, output: 0 })).toEqual([
    "Its calls cost nothing at list price; together they used 100 tokens.",
  ]);
});

it("the largest part is most of it only where it is more than half", () => {
  const cents = 10_000_000;
  const at = (input: number, cacheRead: number, cacheWrite: number, output: number) => {
    const parts = { input: input * cents, cacheRead: cacheRead * cents, cacheWrite: cacheWrite * cents, output: output * cents };
    return said((input + cacheRead + cacheWrite + output) * cents, parts)[0];
  };
  expect(at(40, 20, 5, 35)).toContain("100 % of the task, the largest part of it input that was in no cache (");
  expect(at(20, 20, 5, 55)).toContain("100 % of the task, most of it output (");
});
