/** What goes wrong in a factory at work costs nothing that its journal holds: only headquarters' word ends what is open. */
import { describe, expect, it } from "vitest";
import { UacError } from "#core/errors.ts";
import {
  again,
  attempt,
  atWork,
  b,
  drain,
  halt,
  isThinking,
  open,
  pending,
  quick,
  results,
  running,
  send,
  start,
  stepper,
  told,
  until,
  watchBeats,
} from "./at-work.ts";

atWork();

/** The journal's disk is full at the next call of this method, from `when` on, and not after it. */
function diskFull(method: "open" | "controls", when: () => boolean = () => true) {
  const real = b.journal[method] as () => Promise<never>;
  const fails = () => {
    if (!when()) return real();
    Object.assign(b.journal, { [method]: real });
    return Promise.reject(new UacError("store_unavailable", "the disk is full"));
  };
  Object.assign(b.journal, { [method]: fails });
}
const sleepers = () => (b.clock as { sleepers(): number } & typeof b.clock).sleepers();

/** Starts a factory whose model thinks about its one task until it is told to stop. */
async function thinking(env: Record<string, string> = {}) {
  await open({ model: "endless", env });
  const started = start();
  await send();
  await isThinking();
  return started;
}

describe("an error that is no word of headquarters'", () => {
  /** The factory was killed at work, and starts again. */
  async function killedAtWork() {
    await thinking();
    halt.abort();
    await running;
    await b.restart();
    again();
  }
  async function expectGoesOn() {
    expect(await b.journal.open()).toMatchObject([{ order: attempt, state: "running" }]);
    expect(await b.said(), "nobody was told of an end").toEqual([]);
    await b.restart();
    again();
    b.speak(quick);
    start();
    expect(await results(1)).toMatchObject([{ corr: "t1-1-1", body: { outcome: "succeeded" } }]);
  }

  it("while it clears up at its start leaves what is open to the next one", async () => {
    await killedAtWork();
    diskFull("open");
    await expect(start().ended).rejects.toMatchObject({ code: "store_unavailable" });
    await expectGoesOn();
  });

  it("while it drains does too", async () => {
    await killedAtWork();
    diskFull("open", () => b.lines.some((line) => line.includes("draining: no new work")));
    const { ended } = start();
    await until(() => b.lines.filter((line) => line.includes("is at work")).length === 2);
    drain.abort();
    await expect(ended).rejects.toMatchObject({ code: "store_unavailable" });
    await expectGoesOn();
  });
});

it("a factory that is retired while it drains goes at once, with all that it ran, and tells nobody", async () => {
  const { ended } = await thinking({ DRAIN_SECONDS: "3000" });
  drain.abort();
  await until(() => b.lines.some((line) => line.includes("draining: no new work")));
  b.branch.hq.heartbeat = () => Promise.reject(new UacError("forbidden", "retired"));
  await b.advance(30_000);
  await expect(ended).rejects.toMatchObject({ code: "forbidden" });
  expect(await b.journal.open()).toEqual([]);
  expect(await b.journal.unsent(9)).toEqual([]);
  expect((await b.said()).filter(({ kind }) => kind === "result")).toEqual([]);
});

it("a task that is paused outlives any number of restarts", async () => {
  const { script, step, end } = stepper();
  await open({ script });
  start();
  await send();
  await step();
  await told({ id: "ctl_1", seq: 1, do: "pause", ...attempt });
  await step();
  const bodies = watchBeats();
  /** A heartbeat from now on says it. */
  async function isPaused() {
    const before = bodies().length;
    await until(async () => {
      await b.advance(30_000);
      return JSON.stringify(bodies().slice(before)).includes('"paused":true');
    });
  }
  await isPaused();
  for (let restarts = 0; restarts < 5; restarts += 1) {
    halt.abort();
    await running;
    await b.restart();
    again();
    start();
    await isPaused();
  }
  await told({ id: "ctl_2", seq: 2, do: "resume", ...attempt });
  end();
  await step();
  expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded" } }]);
});

it("a control that was taken down, and broke off before it was heeded, is heeded when it comes again", async () => {
  await thinking();
  diskFull("controls");
  await told({ id: "ctl_1", seq: 1, do: "cancel", ...attempt, reason: "not needed" });
  await until(async () => {
    await b.advance(1000);
    return (await b.journal.find("t1-1-1", 1))?.state === "reported";
  });
  expect(await results(1)).toMatchObject([{ body: { outcome: "cancelled", reason: "not needed" } }]);
});

it("a report waits a second for the progress before it, and no longer", async () => {
  await open({ script: quick });
  const { publish } = b.bus;
  b.branch.bus = { ...b.bus, publish: (to, ...rest) => (to.channel === "ev" ? new Promise(() => undefined) : publish(to, ...rest)) };
  start();
  await until(() => sleepers() === 2);
  await send();
  await until(async () => (await b.journal.unsent(9)).length === 1);
  await until(() => sleepers() === 3);
  await b.advance(999);
  expect(await b.said()).toEqual([]);
  await b.advance(1);
  expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded" } }]);
});

it("an order that headquarters refuses is let go though the bus does not hear of it, and is acknowledged at the next start", async () => {
  await open();
  b.branch.hq.claim = () => Promise.reject(new UacError("conflict", "not yours"));
  b.bus.fail("ack", "before");
  start();
  await send();
  await until(() => b.state.closed.length > 0);
  expect(b.state.closed).toEqual(["uac/t1-1-1-1"]);
  expect(await b.journal.open()).toEqual([]);
  expect(b.lines.join("\n")).toContain("an order stays on the bus");
  halt.abort();
  await running;
  expect(await pending()).toHaveLength(1);
  await b.restart();
  again();
  start();
  await until(async () => (await pending()).length === 0);
  expect(b.llm.requests).toEqual([]);
});
