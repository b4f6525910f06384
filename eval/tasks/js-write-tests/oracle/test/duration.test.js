import assert from "node:assert/strict";
import { test } from "node:test";
import { showDuration } from "../src/duration.js";

const cases = [
  [0, "0 s"],
  [0.9, "0 s"],
  [1, "1 s"],
  [59, "59 s"],
  [60, "1 min"],
  [61.5, "1 min 1 s"],
  [3599, "59 min 59 s"],
  [3600, "1 h"],
  [3661, "1 h 1 min 1 s"],
  [90_000, "25 h"],
];

for (const [seconds, shown] of cases) {
  test(`${seconds} seconds are ${shown}`, () => assert.equal(showDuration(seconds), shown));
}

for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`${wrong} is refused`, () => assert.throws(() => showDuration(wrong), RangeError));
}
