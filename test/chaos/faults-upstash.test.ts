/** Fault 16: what Upstash refuses, or nobody answers, met by a whole town: headquarters and branches wait, tell, and go on. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { faults } from "../../dev/upstash/faults.ts";
import { until } from "../e2e/until.ts";
import { openScene, type Scene } from "./scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await openScene({ hq: "node", bus: "upstash", branches: 1 });
});
afterAll(() => scene?.close());

test.each(["quota", "pendingLimit", "unauthorized", "html", "hang"] as const)("fault 16: %s: backoff, alarm, no loss", async (name) => {
  const { gateway } = scene.town;
  if (!gateway) throw new Error("the town has no gateway");
  const job = await scene.ask();
  const held = scene.hold(job);
  await held.call;
  // From here on nothing goes through: neither the result of this job nor the order of the next.
  gateway.play(faults[name], Number.POSITIVE_INFINITY);
  const { requests } = gateway.served;
  const since = performance.now();
  held.release();
  const next = await scene.ask();
  await scene.inState(next, "dispatched");
  await until("it is told at headquarters", async () => (await scene.incidents("bus_trouble")).length > 0);
  const seconds = (performance.now() - since) / 1000;
  // Each of the two waits between its tries, in the town's time.
  expect((gateway.served.requests - requests) / Math.max(1, seconds)).toBeLessThan(40);
  gateway.play(null);
  for (const one of [job, next]) expect(await scene.endOf(one)).toMatchObject({ state: "succeeded", epoch: 1, lost: 0 });
});
