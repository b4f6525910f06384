import assert from "node:assert/strict";
import { test } from "node:test";
import { paginate } from "../src/paginate.js";

test("the first of three pages", () => {
  assert.deepEqual(paginate(25, 10, 1), { page: 1, pages: 3, first: 0, last: 10, hasNext: true, hasPrevious: false });
});

test("the last page holds the rest", () => {
  assert.deepEqual(paginate(25, 10, 3), { page: 3, pages: 3, first: 20, last: 25, hasNext: false, hasPrevious: true });
});

test("a page beyond the last is the last", () => {
  assert.equal(paginate(25, 10, 9).page, 3);
});

test("full pages leave no empty one behind them", () => {
  assert.equal(paginate(20, 10, 1).pages, 2);
  assert.deepEqual(paginate(20, 10, 2), { page: 2, pages: 2, first: 10, last: 20, hasNext: false, hasPrevious: true });
  assert.equal(paginate(10, 10, 1).hasNext, false);
});

test("nothing is one empty page", () => {
  assert.deepEqual(paginate(0, 10, 1), { page: 1, pages: 1, first: 0, last: 0, hasNext: false, hasPrevious: false });
});
