import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dayOf, lengthOf, showDay } from "#core/calendar.ts";

const dayMs = 86_400_000;

describe("the calendar", () => {
  it("is that of the platform, for every day of centuries", () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000, max: 200_000 }), (days) => {
        const date = new Date(days * dayMs);
        expect(dayOf(days)).toEqual({ year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() });
        expect(showDay(days)).toBe(date.toISOString().slice(0, 10));
        expect(lengthOf(dayOf(days))).toBe(new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate());
      }),
      { numRuns: 1000 },
    );
  });

  it.each(["1970-01-01", "2000-02-29", "2024-02-29", "2026-12-31", "2027-01-01", "2100-02-28", "2100-03-01"])("knows %s", (day) => {
    expect(showDay(Date.parse(day) / dayMs)).toBe(day);
  });
});
