import assert from "node:assert/strict";
import { test } from "node:test";
import { ExpiringMap } from "../src/expiring-map.ts";

test("an entry runs out", () => {
  let now = 0;
  const map = new ExpiringMap<string, number>(100, () => now);
  map.set("a", 1);
  assert.equal(map.get("a"), 1);
  now = 100;
  assert.equal(map.get("a"), undefined);
});
