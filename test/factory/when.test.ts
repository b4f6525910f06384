import { describe, expect, it } from "vitest";
import { moment, parseMoment, today, wait } from "#factory/when.ts";
import { startMs } from "./headquarters.ts";

describe("a moment as a model writes it", () => {
  it.each<[string | number, number]>([
    [30, startMs + 30 * 60_000],
    ["30", startMs + 30 * 60_000],
    [0.5, startMs + 30_000],
    ["2030-03-17T18:00Z", Date.UTC(2030, 2, 17, 18)],
    ["2030-03-17T20:00:30+02:00", Date.UTC(2030, 2, 17, 18, 0, 30)],
  ])("%s", (text, at) => expect(parseMoment(text, "deadline", startMs)).toBe(at));

  it.each<[string | number, RegExp]>([
    ["2030-03-17T17:00Z", /deadline 2030-03-17T17:00Z is over: it is 2030-03-17 17:46 UTC, Sunday/],
    [0, /is over/],
    [-5, /neither minutes from now nor a time/],
    ["tomorrow", /neither minutes from now nor a time/],
    ["2030-03-17T18:00", /with its zone/],
    ["2030-13-47T18:00Z", /no date of the calendar/],
    ["2032-01-01T00:00Z", /more than a year away/],
    [1e9, /more than a year away/],
    [Number.NaN, /neither/],
    [Number.POSITIVE_INFINITY, /neither/],
    [1e300, /neither|more than a year/],
  ])("not %s", (text, message) => {
    expect(() => parseMoment(text, "deadline", startMs)).toThrow(message);
  });
});

it("is shown for a person", () => {
  expect(moment(startMs)).toBe("2030-03-17 17:46 UTC");
  expect(today(startMs)).toBe("2030-03-17 17:46 UTC, Sunday");
  expect([wait(-1), wait(40_400), wait(119_000), wait(150_000)]).toEqual(["0 s", "40 s", "119 s", "3 min"]);
});
