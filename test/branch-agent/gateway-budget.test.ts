/** Many calls at once against one dollar: never over it, nobody starved. The stand-in model and the journal are real. */
import { afterEach, expect, it } from "vitest";
import { nanosPerUsd, showNanos } from "#core/ledger.ts";
import { type Model, startModel } from "../../dev/model/server.ts";
import { closers, gatewayOn, post, smallCall } from "./gateway-bench.ts";

const ends = closers();
afterEach(ends.close);

const calls = 50;

/** `promptBytes` decide what a call costs: a prompt of its own each, so that nothing is cached. */
async function spendADollar(model: Model, promptBytes: number) {
  const b = ends.add(await gatewayOn({ baseUrl: model.url }), (one) => one.close());
  const desk = b.desk({ usd: nanosPerUsd });
  const asked = Array.from({ length: calls }, async (_, i) => {
    const content = `${i} ${"x".repeat(promptBytes)}`;
    const response = await post(desk.url, desk.token, smallCall({ max_tokens: 1000, messages: [{ role: "user", content }] }));
    await response.text();
    return response.status;
  });
  const statuses = await Promise.all(asked);
  const entries = await b.journal.untold(calls + 1);
  const costs = entries.map(({ cost }) => cost ?? Number.NaN);
  return { statuses, entries, costs, spent: costs.reduce((sum, cost) => sum + cost, 0), left: await b.reserved() };
}

/** What a call of this prompt reserves: its bytes by three at the dearest price of input ($2 a million), 1000 tokens at $5. */
const reservedFor = (promptBytes: number) => Math.ceil((promptBytes + 150) / 3) * 2000 + 1000 * 5000;

it(`${calls} calls at once that fit in a dollar all get their turn, though their reservations together are twice as much`, async () => {
  const model = ends.add(await startModel(), (one) => one.close());
  model.behave("slow:20");
  const promptBytes = 60_000;
  const { statuses, entries, costs, spent, left } = await spendADollar(model, promptBytes);
  expect(calls * reservedFor(promptBytes)).toBeGreaterThan(2 * nanosPerUsd);
  expect(statuses.filter((status) => status === 200)).toHaveLength(calls);
  expect(entries).toHaveLength(calls);
  expect(left).toBe(0);
  expect(spent).toBeLessThanOrEqual(nanosPerUsd);
  say(`${calls} of ${calls} calls, ${showNanos(spent)} of $1.00 spent`, promptBytes, costs);
});

it("of those that don't fit, as many are made as the dollar holds, to within one call's estimate; the rest are refused, none is lost", async () => {
  const model = ends.add(await startModel(), (one) => one.close());
  model.behave("slow:20");
  const promptBytes = 120_000;
  const { statuses, entries, costs, spent, left } = await spendADollar(model, promptBytes);
  const made = statuses.filter((status) => status === 200).length;
  expect(statuses.every((status) => status === 200 || status === 402)).toBe(true);
  expect(made).toBeLessThan(calls);
  expect(entries).toHaveLength(made);
  expect(model.requests).toHaveLength(made);
  expect(left).toBe(0);
  // Reservations are never too low, so that it is not passed at all; and what is left is less than one call might have used.
  expect(spent).toBeLessThanOrEqual(nanosPerUsd);
  expect(nanosPerUsd - spent).toBeLessThan(reservedFor(promptBytes));
  say(`${made} of ${calls} calls, the rest refused, ${showNanos(spent)} of $1.00 spent`, promptBytes, costs);
});

function say(what: string, promptBytes: number, costs: readonly number[]) {
  const [least, most] = [Math.min(...costs), Math.max(...costs)].map((cost) => reservedFor(promptBytes) - cost);
  console.info(`${what}; a call reserved ${showNanos(least ?? 0)} to ${showNanos(most ?? 0)} more than it used; over the budget by $0.00`);
}
