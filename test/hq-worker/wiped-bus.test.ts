/** A Redis that loses everything between two steps of a task: no order costs an attempt, no report its ledger entries. */
import { createClient } from "@redis/client";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { redisBus } from "#adapters/bus/redis.ts";
import { delegate } from "#factory/delegate.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import { drain } from "#factory/drain.ts";
import { recoverLost } from "#factory/recover.ts";
import { runFactory } from "../../branch-agent/loop.ts";
import { type RedisServer, startRedis } from "../../dev/redis.ts";
import { finish } from "../factory/agent.ts";
import { type BranchBench, openBranch } from "../factory/branch.ts";
import { doorOf, enrolled } from "../factory/door.ts";
import { type HqBench, openHq, wish } from "../factory/headquarters.ts";

/** A bound, not an expectation. */
const patience = { timeout: 20_000 };
let redis: RedisServer;
let b: HqBench;
let branch: BranchBench;
let halt: AbortController;
let running: Promise<void> = Promise.resolve();
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  await command("FLUSHALL");
  b = await openHq({ bus: redisBus({ url: redis.url }) });
  branch = await openBranch({ clock: b.clock, bus: redisBus({ url: redis.url }), tests: [0], script: () => finish() });
  await enrolled(b.hq, branch);
  Object.assign(branch.branch, { hqKey: b.hq.signer.publicKey, hqKid: b.hq.signer.kid, hq: doorOf(b.hq) });
  halt = new AbortController();
});
afterEach(async () => {
  halt.abort();
  await running;
  await branch.close();
  await b.bus.close();
  b.close();
});

async function command(...words: string[]) {
  const client = createClient({ url: redis.url });
  await client.connect();
  await client.sendCommand(words);
  client.destroy();
}
function start() {
  running = runFactory(branch.branch, { drain: new AbortController().signal, halt: halt.signal });
}
/** Half a minute: a heartbeat, and every other time a tick. The doorbell is not heard here. */
let half = 0;
async function halfMinute() {
  await b.clock.advance(30_000);
  // Neither disk nor Redis is on this clock.
  await heard(b.clock.now() - 30_000);
  await dispatchAll(b.hq);
  half += 1;
  if (half % 2 === 0) await recoverLost(b.hq, await drain(b.hq));
}
const heard = (since: number) =>
  expect.poll(async () => (await b.store.factories.get("desk-1"))?.lastHeartbeatAt ?? 0, patience).toBeGreaterThan(since);
const gaps = async () => (await b.rows("select text from incidents where kind = 'gap'")).map((row) => String(row.text));
it("an order that was wiped away is sent again, and costs no attempt", async () => {
  start();
  await heard(0);
  halt.abort();
  await running;
  await delegate(b.hq, wish());
  expect(await b.hq.bus.length({ factory: "desk-1", channel: "in" })).toBe(1);
  await command("FLUSHALL");
  halt = new AbortController();
  start();
  await expect
    .poll(async () => {
      await halfMinute();
      return (await b.task()).state;
    }, patience)
    .toBe("succeeded");
  expect(await b.task()).toMatchObject({ epoch: 1, lost: 0 });
  expect((await b.rows("select count(*) as n from usages"))[0]?.n).toBeGreaterThan(0);
});

it.each([
  ["wiped", ["FLUSHALL"]],
  ["trimmed by a rogue", ["XTRIM", "uac:f:desk-1:out", "MAXLEN", "0"]],
])("a result that was %s is missed, told of, and sent again", async (_, words) => {
  start();
  await heard(0);
  await delegate(b.hq, wish());
  await expect.poll(() => b.hq.bus.length({ factory: "desk-1", channel: "out" }), patience).toBe(1);
  await expect.poll(async () => (await branch.journal.kept())?.first === (await branch.journal.kept())?.last, patience).toBe(true);
  await command(...words);
  expect(await gaps()).toEqual([]);
  await expect
    .poll(async () => {
      await halfMinute();
      return (await b.task()).state;
    }, patience)
    .toBe("succeeded");
  expect((await b.task()).lost, "nobody did it twice").toBe(0);
  expect(await gaps()).toEqual([expect.stringContaining("a report of desk-1 did not come")]);
  const entries = (await branch.journalRows("select id from usages order by id")).map((row) => `desk-1:${row.id}`);
  expect((await b.rows("select id from usages order by id")).map((row) => row.id)).toEqual(entries);
  await expect
    .poll(async () => {
      await halfMinute();
      return (await branch.journalRows("select id from outbox")).length;
    }, patience)
    .toBe(0);
  expect(await gaps(), "once").toHaveLength(1);
});
