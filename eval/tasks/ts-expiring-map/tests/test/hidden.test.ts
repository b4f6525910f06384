import assert from "node:assert/strict";
import { test } from "node:test";
import { ExpiringMap } from "../src/expiring-map.ts";

test("size counts what has not run out", () => {
  let now = 0;
  const map = new ExpiringMap<string, number>(100, () => now);
  assert.equal(map.size, 0);
  map.set("a", 1);
  now = 50;
  map.set("b", 2);
  assert.equal(map.size, 2);
  now = 100;
  assert.equal(map.size, 1);
});

test("what is missing is made once", async () => {
  let now = 0;
  let made = 0;
  const map = new ExpiringMap<string, string>(100, () => now);
  const make = async (key: string) => `${key}${++made}`;
  assert.equal(await map.getOrMake("a", make), "a1");
  assert.equal(await map.getOrMake("a", make), "a1");
  now = 100;
  assert.equal(await map.getOrMake("a", make), "a2");
});

test("a rejection is passed on and not kept", async () => {
  const map = new ExpiringMap<string, string>(100, () => 0);
  await assert.rejects(map.getOrMake("a", () => Promise.reject(new Error("no"))), /no/);
  assert.equal(map.size, 0);
  assert.equal(await map.getOrMake("a", async () => "b"), "b");
});
