import { describe, expect, it } from "vitest";
import { manualClock } from "#adapters/clock/manual.ts";
import { countingIds } from "#adapters/ids/counting.ts";
import { limitBudgets } from "#core/budget.ts";
import { UacError } from "#core/errors.ts";
import { type LedgerEntry, ledgerEntrySchema, noUsage } from "#core/ledger.ts";
import { reckoner } from "#core/prices.ts";
import { type Account, type MeteringDeps, metering } from "#factory/metering.ts";
import { waitingLine } from "#factory/waiting-line.ts";
import type { CallEnd, PlannedCall } from "#ports/metering.ts";
import { memorySpending } from "../support/spending.ts";

/** Nano-dollars a token: 10, 1, 12, 20 and 50. */
const price = reckoner("list", { input: 0.01, cacheRead: 0.001, write5m: 0.012, write1h: 0.02, output: 0.05 });
const who = { task: "t1-1-1", epoch: 2, factory: "desk-1", persona: "Lisa", seat: "coder" };
const call: PlannedCall = {
  ...{ provider: "scripted", wire: "anthropic", model: "scripted-1", inputTokens: 100, maxOutput: 10 },
  ...{ step: 3, try: 1, engine: "uac", billing: "metered" },
};
const end: CallEnd = {
  ...{ usage: { ...noUsage, uncachedIn: 100, output: 10 }, source: "reported", model: "scripted-1.1" },
  ...{ requestId: "req_1", messageId: "msg_1", outcome: "ok" },
};

function bench(changed: Partial<MeteringDeps> = {}, account: Partial<Account> = {}) {
  const clock = manualClock(1000);
  const spending = memorySpending();
  const asked: unknown[] = [];
  const priceOf: MeteringDeps["priceOf"] = (...args) => {
    asked.push(args);
    return price;
  };
  const line = waitingLine(clock, { most: 4, waitMs: 60_000 });
  const deps = { spending, clock, ids: countingIds(), priceOf, line, life: "life_1", leaseMs: 5000, ...changed };
  const open = (more: Partial<Account> = {}) => metering(deps, { ...who, bounds: () => [], spent: [], ...account, ...more });
  return { meter: open(), open, clock, spending, asked, line };
}

const limited = (usd: number, tokens = 1_000_000) => ({
  bounds: () => limitBudgets({ kind: "task", of: who.task, epoch: 2 }, { usd, tokens }),
});

describe("a call", () => {
  it("is reserved for at the dearest price of input and all the output that it may have, until it is settled", async () => {
    const { meter, spending } = bench();
    const open = await meter.open(call);
    expect(spending.reservations()).toMatchObject([
      {
        life: "life_1",
        leaseUntil: 6000,
        asks: { usd: 100 * 20 + 10 * 50, tokens: 110 },
        entry: { source: "estimated", outcome: "interrupted" },
      },
    ]);
    await open.settle(end);
    expect(spending.reservations()).toEqual([]);
  });

  it("is an entry of the ledger that says whose it was, which try, what it used and cost", async () => {
    const { meter, spending, clock, asked } = bench();
    const open = await meter.open({ ...call, try: 2, engine: "other" });
    await clock.advance(250);
    await open.settle({ ...end, usage: { ...end.usage, cacheRead: 1000 } });
    expect(spending.entries().map((entry) => ledgerEntrySchema.parse(entry))).toMatchObject([
      {
        ...who,
        ...{ id: "use_0000000000000001", step: 3, try: 2, engine: "other", provider: "scripted", requestedModel: "scripted-1" },
        ...{ model: "scripted-1.1", requestId: "req_1", messageId: "msg_1", at: 1000, durationMs: 250, source: "reported", outcome: "ok" },
        ...{ usage: { uncachedIn: 100, cacheRead: 1000, output: 10 }, cost: 100 * 10 + 1000 + 10 * 50, billing: "metered", billed: 2500 },
      },
    ]);
    expect(asked.at(-1)).toEqual(["scripted", "scripted-1", 1000]);
  });

  it("is settled once, whatever is said of its end after that", async () => {
    const { meter, spending } = bench();
    const open = await meter.open(call);
    await Promise.all([open.settle(end), open.settle({ ...end, outcome: "interrupted" })]);
    expect(spending.entries()).toHaveLength(1);
    expect(meter.total()).toMatchObject({ calls: 1, tokens: 110 });
  });

  it("of which nobody knows what it used is unpriced, never a spend of nothing", async () => {
    const { meter, spending } = bench();
    await (await meter.open(call)).settle({ ...end, usage: noUsage, source: "missing", outcome: "failed" });
    expect(spending.entries()).toMatchObject([{ cost: null, billed: null, prices: null, outcome: "failed" }]);
    expect(meter.total()).toMatchObject({ calls: 1, unpriced: 1, cost: 0 });
  });

  it("of a plan costs its list price, and adds nothing to a bill", async () => {
    const { meter, spending } = bench();
    await (await meter.open({ ...call, billing: "subscription" })).settle(end);
    expect(spending.entries()).toMatchObject([{ cost: 1500, billing: "subscription", billed: 0 }]);
  });

  it("is recorded though the clock was set back meanwhile", async () => {
    let now = 5000;
    const { meter, spending } = bench({ clock: { now: () => (now -= 1000), sleep: async () => undefined } });
    await (await meter.open(call)).settle(end);
    expect(spending.entries()).toMatchObject([{ durationMs: 0 }]);
  });

  it("of somebody who counts no steps is the next step", async () => {
    const { open, spending } = bench();
    const meter = open({ spent: [{ ...ledger(), step: 7 }] });
    for (let i = 0; i < 2; i += 1) await (await meter.open({ ...call, step: null })).settle(end);
    expect(spending.entries().map(({ step }) => step)).toEqual([8, 9]);
  });
});

it("goes on counting after a restart", async () => {
  const { open, spending } = bench();
  const first = open();
  await (await first.open(call)).settle(end);
  const second = open({ spent: spending.entries() });
  expect(second.total()).toEqual(first.total());
  await (await second.open(call)).settle(end);
  expect(second.total()).toMatchObject({ calls: 2, tokens: 220, cost: 3000 });
});

describe("a budget", () => {
  it("refuses what it can't hold, and the sentence names it, what is spent and what is needed", async () => {
    const { meter, spending } = bench({}, limited(4000));
    await (await meter.open(call)).settle(end);
    await (await meter.open(call)).settle(end);
    const refused = await meter.open(call).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "over_budget", budget: { unit: "usd", amount: 4000 } });
    expect((refused as Error).message).toMatch(/^task t1-1-1's budget of .* does not hold another call: .* spent, .* may take up to /);
    expect(meter.trouble()).toBe(refused);
    expect(spending.reservations()).toEqual([]);
  });

  it("of tokens is one too, and the one that binds is named", async () => {
    const { meter } = bench({}, limited(1e9, 200));
    await (await meter.open(call)).settle(end);
    await expect(meter.open(call)).rejects.toMatchObject({ budget: { unit: "tokens", amount: 200 } });
  });

  it("of dollars does not hold a model without a price, and says what to do; one of tokens does", async () => {
    const unpriced = { priceOf: () => null };
    const { meter } = bench(unpriced, limited(1, 1000));
    await (await meter.open(call)).settle(end);
    const dollars = limited(1e9).bounds().slice(0, 1);
    const alone = bench(unpriced, { bounds: () => dollars });
    await expect(alone.meter.open(call)).rejects.toMatchObject({
      code: "over_budget",
      message: expect.stringContaining("scripted's scripted-1, whose price is not known. Give a budget in tokens"),
    });
    // Nobody bills what runs on the owner's machine.
    await (await alone.meter.open({ ...call, billing: "local" })).settle(end);
  });

  it("lets wait who has only others' reservations in the way, in the order in which they came", async () => {
    const { open, clock } = bench({}, limited(5000));
    const order: string[] = [];
    const first = await open().open(call);
    const waiting = ["b", "c", "d"].map(async (name) => {
      const opened = await open().open({ ...call, ...(name === "b" ? { maxOutput: 30 } : { inputTokens: 10, maxOutput: 1 }) });
      order.push(name);
      return opened;
    });
    await clock.advance(10_000);
    // `c` and `d` would fit beside the first; but `b` came before them, and nobody overtakes.
    expect(order).toEqual([]);
    await first.settle(end);
    const opened = await Promise.all(waiting.slice(0, 1));
    await opened[0]?.settle(end);
    await Promise.all(waiting.map(async (one) => (await one).settle({ ...end, usage: { ...noUsage, output: 1 } })));
    expect(order).toEqual(["b", "c", "d"]);
  });

  it("lets nobody wait for ever, nor too many", async () => {
    const { open, clock } = bench({}, limited(3000));
    await open().open(call);
    const waiting = Array.from({ length: 4 }, () =>
      open()
        .open(call)
        .catch((error: unknown) => error),
    );
    await clock.advance(1000);
    await expect(open().open(call)).rejects.toMatchObject({
      code: "limit_reached",
      message: expect.stringContaining("4 model calls wait"),
    });
    await clock.advance(120_000);
    for (const one of await Promise.all(waiting))
      expect(one).toMatchObject({ code: "limit_reached", message: expect.stringContaining("60 s") });
  });

  it("lets go whoever is told to stop waiting", async () => {
    const { open, clock } = bench({}, limited(3000));
    await open().open(call);
    const stop = new AbortController();
    const waiting = open().open(call, stop.signal);
    const rejected = expect(waiting).rejects.toMatchObject({ code: "interrupted" });
    await clock.advance(1000);
    stop.abort();
    await rejected;
  });

  it("holds nobody up who has other budgets", async () => {
    const { open, clock } = bench({}, limited(3000));
    await open().open(call);
    const waiting = open()
      .open(call)
      .catch(() => undefined);
    await clock.advance(1000);
    const other = { bounds: () => limitBudgets({ kind: "task", of: "another", epoch: 1 }, { usd: 9000, tokens: 900 }) };
    await (await open({ ...other, task: "another", epoch: 1 }).open(call)).settle(end);
    await clock.advance(60_000);
    await waiting;
  });
});

it("what the ledger could not take is not forgotten: it goes before the next call", async () => {
  const away = new UacError("store_unavailable", "away");
  const { meter, spending, line } = bench();
  const open = await meter.open(call);
  spending.fail(away);
  await expect(open.settle(end)).rejects.toBe(away);
  expect(meter.trouble()).toBe(away);
  await expect(meter.open(call)).rejects.toBe(away);
  expect(line.unwritten.size).toBe(1);
  spending.fail(null);
  await (await meter.open(call)).settle(end);
  expect(spending.entries()).toHaveLength(2);
  expect(line.unwritten.size).toBe(0);
});

function ledger(): LedgerEntry {
  return ledgerEntrySchema.parse({
    ...{ id: "use_before", ...who, step: 1, try: 1, engine: "uac", provider: "p", requestedModel: "m", model: "m" },
    ...{ requestId: null, messageId: null, at: 1, durationMs: 1, usage: noUsage, source: "reported", prices: null },
    ...{ cost: 1, billing: "metered", billed: 1, outcome: "ok" },
  });
}
