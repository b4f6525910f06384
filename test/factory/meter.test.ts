import { describe, expect, it } from "vitest";
import { manualClock } from "#adapters/clock/manual.ts";
import { countingIds } from "#adapters/ids/counting.ts";
import { type Script, scriptedLlm } from "#adapters/llm/scripted.ts";
import { UacError } from "#core/errors.ts";
import { type LedgerEntry, ledgerEntrySchema, noUsage } from "#core/ledger.ts";
import { reckoner } from "#core/prices.ts";
import { type MeterDeps, meter } from "#factory/meter.ts";

const price = reckoner("list 1", { input: 0.01, cacheRead: 0.001, write5m: 0.012, write1h: 0.02, output: 0.05 });
const who = { task: "t1-1-1", epoch: 2, factory: "desk-1", persona: "Lisa", seat: "coder" };
const request = { system: "", messages: [], tools: [], maxTokens: 1 };

function bench(script: Script, changed: Partial<MeterDeps> = {}) {
  const clock = manualClock(1000);
  const recorded: LedgerEntry[] = [];
  const asked: unknown[] = [];
  const record = async (entry: LedgerEntry) => void recorded.push(ledgerEntrySchema.parse(entry));
  const priceOf: MeterDeps["priceOf"] = (...args) => {
    asked.push(args);
    return price;
  };
  const deps = { llm: scriptedLlm(script), clock, ids: countingIds(), priceOf, record, spent: [], ...changed };
  return { meters: meter(deps, who), clock, recorded, asked };
}

describe("a call of the model", () => {
  it("is an entry of the ledger before anyone acts on it", async () => {
    const order: string[] = [];
    const { meters, recorded, asked } = bench([{ text: "hi", usage: { cacheRead: 1000, output: 7 } }], {
      record: async () => void order.push("recorded"),
    });
    await meters.call(request, 3);
    order.push("answered");
    expect(order).toEqual(["recorded", "answered"]);
    expect(recorded).toEqual([]);
    expect(asked).toEqual([["scripted", "scripted-1", 1000]]);
  });

  it("says whose it was, how long it took, what it used and cost", async () => {
    const timed = bench(async () => {
      await timed.clock.advance(250);
      return { text: "hi", usage: { cacheRead: 1000, output: 7, reasoning: 5 } };
    });
    await timed.meters.call(request, 3);
    expect(timed.recorded).toMatchObject([
      {
        ...who,
        id: "use_0000000000000001",
        step: 3,
        provider: "scripted",
        model: "scripted-1",
        at: 1000,
        durationMs: 250,
        usage: { ...noUsage, uncachedIn: 100, cacheRead: 1000, output: 7, reasoning: 5 },
        source: "reported",
        prices: "list 1",
        cost: 100 * 10 + 1000 + 7 * 50,
        outcome: "ok",
      },
    ]);
  });

  it("that failed is recorded as missing and unpriced, never as a spend of nothing, and rejects as the model did", async () => {
    const error = new UacError("llm_unreachable", "away");
    const { meters, recorded } = bench([error]);
    await expect(meters.call(request, 1)).rejects.toBe(error);
    expect(recorded).toMatchObject([{ usage: noUsage, source: "missing", cost: null, outcome: "failed" }]);
    expect(meters.total()).toMatchObject({ calls: 1, unpriced: 1, cost: 0, tokens: 0 });
  });

  it("that failed with tokens used costs them", async () => {
    const error = Object.assign(new UacError("llm_incomplete", "cut"), { usage: { ...noUsage, uncachedIn: 50 } });
    const { meters, recorded } = bench([error]);
    await expect(meters.call(request, 1)).rejects.toBe(error);
    expect(recorded).toMatchObject([{ source: "partial", cost: 500, outcome: "failed" }]);
    expect(meters.total()).toMatchObject({ unpriced: 0, cost: 500, tokens: 50 });
  });

  it("of which the provider told no usage is unpriced", async () => {
    const { meters, recorded } = bench([{ text: "hi", usageSource: "missing" }]);
    await meters.call(request, 1);
    expect(recorded).toMatchObject([{ cost: null, outcome: "ok" }]);
  });

  it("of a model without a price is unpriced", async () => {
    const { meters, recorded } = bench(["hi"], { priceOf: () => null });
    await meters.call(request, 1);
    expect(recorded).toMatchObject([{ cost: null, source: "reported" }]);
    expect(meters.total()).toMatchObject({ unpriced: 1, tokens: 110 });
  });

  it("is recorded though the clock was set back meanwhile", async () => {
    let now = 5000;
    const { meters, recorded } = bench(["hi"], { clock: { now: () => (now -= 1000), sleep: async () => undefined } });
    await meters.call(request, 1);
    expect(recorded).toMatchObject([{ durationMs: 0 }]);
  });

  it("that can't be recorded rejects", async () => {
    const away = new UacError("store_unavailable", "away");
    const { meters } = bench(["hi"], { record: () => Promise.reject(away) });
    await expect(meters.call(request, 1)).rejects.toBe(away);
  });
});

it("goes on counting after a restart", async () => {
  const first = bench(["one", "two"]);
  await first.meters.call(request, 1);
  await first.meters.call(request, 2);
  const second = bench(["three"], { spent: first.recorded });
  expect(second.meters.total()).toEqual(first.meters.total());
  await second.meters.call(request, 3);
  expect(second.meters.total()).toMatchObject({ calls: 3, tokens: 330, cost: 3 * (100 * 10 + 10 * 50) });
  expect(second.recorded).toHaveLength(1);
});
