import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Budget, budgetSchema } from "#core/budget.ts";
import { alertOf, amountOf, boundOf, endOf, forecastOf, holds, paceOfWindow, showReset, startOf } from "#core/budget-period.ts";
import { parseBudget } from "#core/budget-words.ts";

const hour = 3_600_000;
const at = (iso: string) => Date.parse(iso);
const now = at("2026-12-31T18:30:00Z");
const whens = fc.oneof(
  fc.constantFrom({ period: "day" as const }, { period: "month" as const }),
  fc.integer({ min: 1, max: 168 }).map((hours) => ({ period: "window" as const, windowMs: hours * hour })),
);
const times = fc.integer({ min: at("2020-01-01T00:00:00Z"), max: at("2040-01-01T00:00:00Z") });
const budget = (changed: Partial<Budget> = {}): Budget => ({
  ...{ id: "corporation:day:usd", scope: { kind: "corporation" }, period: "day", unit: "usd", amount: 1000 },
  ...changed,
});

describe("a period", () => {
  it.each([
    [{ period: "day" as const }, "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"],
    [{ period: "month" as const }, "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"],
    [{ period: "window" as const, windowMs: 5 * hour }, "2026-12-31T13:30:00Z", "2026-12-31T23:30:00Z"],
  ])("%o lasts in UTC", (when, start, end) => {
    expect([startOf(when, now), endOf(when, now)]).toEqual([at(start), at(end)]);
  });

  it("of a task has neither beginning nor end", () => {
    expect([startOf({ period: "task" }, now), endOf({ period: "task" }, now)]).toEqual([null, null]);
    expect(holds({ period: "task" }, 0, now)).toBe(true);
    expect(showReset({ period: "task" }, now)).toBe("");
  });

  it("holds the present, follows the one before without a gap, and what is said in it holds to its end", () => {
    fc.assert(
      fc.property(whens, times, (when, time) => {
        const [start, end] = [startOf(when, time) as number, endOf(when, time) as number];
        expect(start).toBeLessThanOrEqual(time);
        expect(end).toBeGreaterThan(time);
        expect([holds(when, time, time), holds(when, time, end - 1), holds(when, time, end)]).toEqual([true, true, false]);
        if (when.period === "window") return;
        expect(startOf(when, end)).toBe(end);
        expect(endOf(when, start - 1)).toBe(start);
      }),
    );
  });

  it("of a window never counts less than any window of that length that a provider may have begun", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 }), fc.array(fc.integer({ min: 0, max: 40 })), fc.nat(40), (hours, calls, begun) => {
        const windowMs = hours * hour;
        const inTheirs = calls.filter((call) => call >= begun && call < begun + hours);
        const last = Math.max(...inTheirs);
        const since = startOf({ period: "window", windowMs }, last * hour) as number;
        expect(calls.filter((call) => call * hour >= since && call <= last).length).toBeGreaterThanOrEqual(inTheirs.length);
      }),
    );
  });
});

describe("a budget as a call meets it", () => {
  const told = { budget: budget(), raise: { amount: 3000, at: now }, elsewhere: 70, at: now };
  it("is raised, and used by others, until its period is over", () => {
    expect(boundOf(told, now)).toMatchObject({ budget: { amount: 3000 }, elsewhere: 70, since: at("2026-12-31T00:00:00Z") });
    expect(boundOf(told, at("2027-01-01T00:00:00Z"))).toMatchObject({ budget: { amount: 1000 }, elsewhere: 0 });
  });

  it("is never lowered by a raise", () => {
    fc.assert(
      fc.property(whens, times, fc.integer({ min: 1 }), fc.nat(1e9), (when, time, amount, later) => {
        expect(amountOf(budget(when), { amount, at: time }, time + later)).toBeGreaterThanOrEqual(1000);
      }),
    );
  });
});

describe("what its owner hears", () => {
  it.each([
    [0, 0],
    [499, 0],
    [500, 50],
    [799, 50],
    [800, 80],
    [999, 80],
    [1000, 100],
    [5000, 100],
  ])("%i of 1000 is %i per cent", (spent, percent) => expect(alertOf(spent, 1000)).toBe(percent));

  it("is no forecast at the beginning of a period, nor for a window", () => {
    expect(forecastOf({ period: "day" }, 10, 1000, at("2026-12-31T00:05:00Z"))).toBeNull();
    expect(forecastOf({ period: "window", windowMs: hour }, 10, 1000, now)).toBeNull();
  });

  it("is when it is used up at this pace, or what the period comes to", () => {
    const noon = at("2026-12-31T12:00:00Z");
    expect(forecastOf({ period: "day" }, 400, 1000, noon)).toEqual({ atEnd: 800, usedUpAt: null });
    expect(forecastOf({ period: "day" }, 800, 1000, noon)).toEqual({ atEnd: 1600, usedUpAt: at("2026-12-31T15:00:00Z") });
    expect(forecastOf({ period: "day" }, 1200, 1000, noon)).toEqual({ atEnd: 2400, usedUpAt: noon });
  });

  it("is a time in the period, after now, whenever it is used up in it", () => {
    fc.assert(
      fc.property(times, fc.nat(2000), (time, spent) => {
        const forecast = forecastOf({ period: "month" }, spent, 1000, time);
        if (!forecast) return;
        expect(forecast.usedUpAt === null).toBe(spent < 1000 && forecast.atEnd < 1000);
        if (forecast.usedUpAt === null) return;
        expect(forecast.usedUpAt).toBeGreaterThanOrEqual(time);
        expect(forecast.usedUpAt).toBeLessThanOrEqual(endOf({ period: "month" }, time) as number);
      }),
    );
  });
});

describe("a window's pace", () => {
  const windowMs = 5 * hour;
  const now = at("2026-11-26T12:00:00Z");

  it("is known while nothing frees itself before the end", () => {
    expect(paceOfWindow({ spent: 50, amount: 100, oldest: now - hour, windowMs }, now)).toBe(now + hour);
    expect(paceOfWindow({ spent: 100, amount: 100, oldest: now - hour, windowMs }, now)).toBe(now);
    expect(paceOfWindow({ spent: 10, amount: 100, oldest: now - hour, windowMs }, now)).toBeNull();
    expect(paceOfWindow({ spent: 50, amount: 100, oldest: now - 60_000, windowMs }, now)).toBeNull();
  });

  it("lies ahead, and within the window of its oldest", () => {
    const numbers = fc.record({ spent: fc.nat(2000), amount: fc.integer({ min: 1, max: 1000 }), age: fc.nat(windowMs) });
    fc.assert(
      fc.property(numbers, ({ spent, amount, age }) => {
        const usedUpAt = paceOfWindow({ spent, amount, oldest: now - age, windowMs }, now);
        expect(usedUpAt !== null || spent < amount).toBe(true);
        if (usedUpAt === null) return;
        expect(usedUpAt).toBeGreaterThanOrEqual(now);
        expect(usedUpAt === now || usedUpAt < now - age + windowMs).toBe(true);
      }),
    );
  });
});

describe("a budget in words", () => {
  it.each([
    ["factory desk-1 day $5", { id: "factory:desk-1:day:usd", scope: { kind: "factory", of: "desk-1" }, period: "day", amount: 5e9 }],
    ["corporation month $100.50", { id: "corporation:month:usd", scope: { kind: "corporation" }, period: "month", amount: 100.5e9 }],
    ["vp coder day 2M tokens", { id: "vp:coder:day:tokens", scope: { kind: "vp", of: "coder" }, unit: "tokens", amount: 2_000_000 }],
    ["VP Coder 5H 1.5k Tokens", { id: "vp:coder:5h:tokens", period: "window", windowMs: 5 * hour, amount: 1500 }],
    ["  factory   hq day   $ 1 ", { id: "factory:hq:day:usd" }],
  ])("%s", (words, expected) => {
    const wish = parseBudget(words, "hq");
    expect(wish).toMatchObject({ set: expected });
    if ("set" in wish) expect(budgetSchema.parse(wish.set)).toEqual(wish.set);
  });

  it("off takes it away, in dollars and in tokens", () => {
    expect(parseBudget("factory desk-1 day off", "hq")).toEqual({ remove: ["factory:desk-1:day:usd", "factory:desk-1:day:tokens"] });
  });

  it.each([
    ["", /Whose budget\?/],
    ["everybody day $5", /Whose budget\?/],
    ["factory day $5", /Per what\?/],
    ["factory Desk_1 day $5", /Which factory\?/],
    ["vp janitor day $5", /Which VP\? There are: coder, general/],
    ["corporation week $5", /Per what\?/],
    ["corporation 0h $5", /Per what\?/],
    ["corporation 169h $5", /Per what\?/],
    ["corporation day", /How much\?/],
    ["corporation day 5", /How much\?/],
    ["corporation day $-5", /How much\?/],
    ["corporation day -5 tokens", /How much\?/],
    ["corporation day $NaN", /How much\?/],
    ["corporation day $0", /no amount/],
    ["corporation day 0 tokens", /no amount/],
    ["corporation day $1.2.3", /no amount/],
    ["corporation day $9999999", /no amount/],
    ["task t1-1-1 $5", /its limit/],
  ])("%j is refused, and says what to do", (words, slip) => {
    expect(parseBudget(words, "hq")).toEqual({ slip: expect.stringMatching(slip) });
  });

  it("never makes a budget of nothing, or of no number, of whatever is written", () => {
    fc.assert(
      fc.property(fc.string(), (amount) => {
        const wish = parseBudget(`corporation day ${amount}`, "hq");
        if ("set" in wish) expect(budgetSchema.safeParse(wish.set).success).toBe(true);
      }),
    );
  });
});
