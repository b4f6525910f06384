/** What HQ tells a factory at work, by bus and by heartbeat: obeyed once, in HQ's order, over kills too. */
import { describe, expect, it } from "vitest";
import { manualClock } from "#adapters/clock/manual.ts";
import { UacError } from "#core/errors.ts";
import { hqClock } from "../../branch-agent/hq-clock.ts";
import {
  again,
  answers,
  attempt,
  atWork,
  b,
  beats,
  drain,
  halt,
  isRunning,
  open,
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
import { orderOf } from "./branch.ts";
import { startMs } from "./headquarters.ts";

atWork();

const transcript = () => b.journal.transcript("t1-1-1", 1).load();
const heard = async () => (await transcript()).flatMap((entry) => (entry.type === "user" && entry.control ? [entry.control] : []));
const moment = () => new Promise((resolve) => setTimeout(resolve, 30));

describe.each(["bus", "heartbeat", "both"] as const)("a control by %s", (way) => {
  it("cancel ends the task, and is said to be obeyed", async () => {
    await open({ model: "endless" });
    const bodies = watchBeats();
    start();
    await send();
    await isRunning();
    await told({ id: "ctl_1", seq: 1, do: "cancel", ...attempt, reason: "not needed" }, way);
    expect(await results(1)).toMatchObject([{ body: { outcome: "cancelled", reason: "not needed" } }]);
    await until(async () => {
      await b.advance(30_000);
      return bodies().some((body) => JSON.stringify(body.obeyed) === '["ctl_1"]');
    });
    await until(async () => {
      await b.advance(30_000);
      return JSON.stringify(bodies().at(-1)?.obeyed) === "[]";
    });
  });

  it("steer is heard once, between two steps", async () => {
    const { script, step, end } = stepper();
    await open({ script });
    start();
    await send();
    await step();
    await told({ id: "steer_1", seq: 1, do: "steer", ...attempt, text: "Use tabs." }, way);
    await step();
    await until(async () => (await heard()).length > 0);
    await step();
    end();
    await step();
    expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded" } }]);
    expect(await heard()).toEqual(["steer_1"]);
    expect(JSON.stringify(await transcript())).toContain("[The owner says, while you work:]\\nUse tabs.");
  });

  it("pause stops after the step that runs, with the clock; resume lets it go on", async () => {
    const { script, step, waits, end } = stepper();
    await open({ script });
    const bodies = watchBeats();
    start();
    await send({ limits: { ...orderOf().limits, wallS: 300 } });
    await step();
    await told({ id: "ctl_1", seq: 1, do: "pause", ...attempt }, way);
    await step();
    await until(async () => {
      await b.advance(30_000);
      return JSON.stringify(bodies().at(-1)?.running).includes('"paused":true');
    });
    // Longer than its wall time: it stands still.
    await b.advance(600_000);
    expect(waits()).toBe(false);
    await told({ id: "ctl_2", seq: 2, do: "resume", ...attempt }, way);
    end();
    await step();
    const said = await results(1);
    expect(said).toMatchObject([{ body: { outcome: "succeeded" } }]);
    const walls = said.map(({ body }) => (body as { receipt: { wallMs: number } }).receipt.wallMs);
    expect(walls[0]).toBeLessThan(300_000);
  });
});

describe("controls", () => {
  it("that come in another order than HQ gave them are obeyed as in that order", async () => {
    const { script, step, end } = stepper();
    await open({ script });
    start();
    await send();
    await step();
    await told({ id: "ctl_2", seq: 2, do: "resume", ...attempt });
    await told({ id: "ctl_1", seq: 1, do: "pause", ...attempt }, "heartbeat");
    await step();
    end();
    await step();
    expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded" } }]);
  });

  it("reach a task whose order is here and was not begun, and one whose order comes later", async () => {
    const { script, step, end } = stepper();
    await open({ script });
    start();
    await send();
    await step();
    await send({ task: "t2-1-1" });
    await until(async () => (await b.journal.find("t2-1-1", 1))?.state === "accepted");
    await told({ id: "steer_2", seq: 1, do: "steer", task: "t2-1-1", epoch: 1, text: "For the second." });
    await told({ id: "steer_3", seq: 2, do: "steer", task: "t3-1-1", epoch: 1, text: "For the third." });
    end();
    await step();
    await step();
    await send({ task: "t3-1-1" });
    await step();
    await results(3);
    for (const [task, text] of [
      ["t2-1-1", "For the second."],
      ["t3-1-1", "For the third."],
    ] as const) {
      expect((await b.journal.transcript(task, 1).load())[1]).toMatchObject({ type: "user", text: expect.stringContaining(text) });
    }
  });

  it("that come when the work is over are told to have come too late", async () => {
    await open({ script: quick });
    const { commit } = b.branch.workspaces;
    b.branch.workspaces.commit = async (...args) => {
      await b.journal.obey({ id: "steer_1", seq: 1, do: "steer", ...attempt, text: "Use tabs." }, 1);
      return commit(...args);
    };
    start();
    await send();
    expect(await results(1)).toMatchObject([{ body: { summary: expect.stringContaining("came too late to be heard: Use tabs.") } }]);
  });

  it("to end a paused task end it", async () => {
    const { script, step } = stepper();
    await open({ script });
    start();
    await send();
    await step();
    await told({ id: "ctl_1", seq: 1, do: "pause", ...attempt });
    await step();
    await until(async () => (await b.journal.get("still:t1-1-1:1")) !== null);
    await told({ id: "ctl_2", seq: 2, do: "cancel", ...attempt, reason: "not needed" });
    expect(await results(1)).toMatchObject([{ body: { outcome: "cancelled" } }]);
  });

  it("count over a kill: a paused task stays paused, its time stands still, and what was said is heard once", async () => {
    const { script, step, waits, end } = stepper();
    await open({ script });
    start();
    await send({ limits: { ...orderOf().limits, wallS: 300 } });
    await step();
    await told({ id: "ctl_1", seq: 1, do: "pause", ...attempt });
    await told({ id: "steer_1", seq: 2, do: "steer", ...attempt, text: "Use tabs." });
    await step();
    await until(async () => (await b.journal.get("still:t1-1-1:1")) !== null);
    halt.abort();
    await running;
    await b.restart();
    await b.advance(1_000_000);
    again();
    const bodies = watchBeats();
    start();
    await until(async () => {
      await b.advance(30_000);
      return JSON.stringify(bodies().at(-1)?.running).includes('"paused":true');
    });
    expect(waits()).toBe(false);
    await told({ id: "ctl_3", seq: 3, do: "resume", ...attempt });
    end();
    await step();
    expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded" } }]);
    expect(await heard()).toEqual(["steer_1"]);
  });

  it("count over a kill between the journal and the deed: what was to end ends, and leaves no worktree", async () => {
    await open({ model: "endless" });
    start();
    await send();
    await isRunning();
    halt.abort();
    await running;
    await b.journal.obey({ id: "ctl_1", seq: 1, do: "cancel", ...attempt, reason: "not needed" }, 1);
    await b.restart();
    again();
    start();
    expect(await results(1)).toMatchObject([{ body: { outcome: "cancelled", reason: "not needed" } }]);
    await until(() => b.state.closed.length > 0);
    expect(b.state.closed).toEqual(["uac/t1-1-1-1"]);
  });

  it("that HQ did not write are let go, and the next is read", async () => {
    await open({ model: "endless" });
    start();
    await send();
    await isRunning();
    await b.bus.publish({ factory: "desk-1", channel: "ctl" }, "not.a.control");
    await told({ id: "ctl_1", seq: 1, do: "cancel", ...attempt, reason: "not needed" });
    await results(1);
    expect(b.lines.join("\n")).toContain("a control was refused");
  });

  it("that the journal can't take down are not lost: they are read again", async () => {
    await open({ model: "endless" });
    start();
    await send();
    await isRunning();
    const { obey } = b.branch.journal;
    let failed = false;
    b.branch.journal.obey = (...args) => {
      if (failed) return obey(...args);
      failed = true;
      return Promise.reject(new UacError("store_unavailable", "the disk is full"));
    };
    await told({ id: "ctl_1", seq: 1, do: "cancel", ...attempt, reason: "not needed" });
    expect(await results(1)).toMatchObject([{ body: { outcome: "cancelled" } }]);
  });
});

it("the line after which nothing more is told is rung for too", async () => {
  const { script, step } = stepper();
  await open({ script });
  let rings = 0;
  b.branch.hq.ring = async () => {
    rings += 1;
  };
  start();
  await send();
  await step();
  await told({ id: "ctl_1", seq: 1, do: "pause", ...attempt });
  await step();
  await until(async () => (await b.journal.get("still:t1-1-1:1")) !== null);
  const before = rings;
  await moment();
  await b.advance(3000);
  await until(() => rings > before);
  const after = rings;
  await b.advance(60_000);
  expect(rings, "and for nothing else").toBe(after);
});

describe("the owner's word on the factory", () => {
  it("drain ends what runs, gives back what was not begun, and takes nothing on until undrain", async () => {
    const { script, step, end } = stepper();
    await open({ script });
    start();
    await send();
    await step();
    await send({ task: "t2-1-1" });
    await until(async () => (await b.journal.find("t2-1-1", 1))?.state === "accepted");
    await told({ id: "ctl_1", seq: 1, do: "drain" });
    expect(await results(1)).toMatchObject([{ corr: "t2-1-1", body: { outcome: "released" } }]);
    await send({ task: "t3-1-1" });
    expect(await results(2)).toMatchObject([{}, { corr: "t3-1-1", body: { outcome: "released" } }]);
    end();
    await step();
    expect(await results(3)).toMatchObject([{}, {}, { corr: "t1-1-1", body: { outcome: "succeeded" } }]);
    await told({ id: "ctl_2", seq: 2, do: "undrain" });
    await send({ task: "t4-1-1" });
    await step();
    expect((await results(4))[3]).toMatchObject({ corr: "t4-1-1", body: { outcome: "succeeded" } });
  });

  it("drain that is older than an undrain counts no more", async () => {
    await open();
    start();
    await told({ id: "ctl_2", seq: 2, do: "undrain" });
    await told({ id: "ctl_1", seq: 1, do: "drain" });
    await until(async () => (await b.journal.obeyed(9)).length === 2);
    await send();
    expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded" } }]);
  });

  it("undrain is heard of a heartbeat, though the clock was set back since the drain", async () => {
    const own = manualClock(startMs);
    const clock = hqClock(own);
    await open({ clock });
    b.advance = own.advance;
    start();
    await told({ id: "ctl_1", seq: 1, do: "drain" });
    await until(() => b.lines.some((line) => line.includes("begin nothing new")));
    clock.follow(startMs - 5 * 3_600_000);
    answers([{ status: "active" }]);
    await until(async () => {
      await b.advance(5000);
      return b.lines.some((line) => line.includes("begin work again"));
    });
  });

  it("drain gives back what waits for HQ to answer its claim", async () => {
    await open();
    b.branch.hq.claim = () => Promise.reject(new UacError("hq_unreachable", "away"));
    start();
    await send();
    await until(async () => (await b.journal.open()).length === 1);
    await told({ id: "ctl_1", seq: 1, do: "drain" });
    expect(await results(1)).toMatchObject([{ body: { outcome: "released" } }]);
  });

  it("is known to a factory that starts, from its first heartbeat", async () => {
    await open();
    answers([{ status: "draining" }]);
    start();
    await until(() => beats.length === 0);
    await send();
    expect(await results(1)).toMatchObject([{ body: { outcome: "released" } }]);
  });

  it("revoke ends everything at once and tells nobody", async () => {
    await open({ model: "endless" });
    const { ended } = start();
    await send();
    await isRunning();
    b.branch.hq.heartbeat = () => Promise.reject(new UacError("forbidden", "retired"));
    await told({ id: "ctl_1", seq: 1, do: "revoke", reason: "Desk was retired" });
    await expect(ended).rejects.toMatchObject({ code: "forbidden", message: "Desk was retired" });
    expect(await b.journal.open()).toEqual([]);
    expect(await b.journal.unsent(9)).toEqual([]);
    expect((await b.said()).filter(({ kind }) => kind === "result")).toEqual([]);
    expect(b.state.closed).toEqual(["uac/t1-1-1-1"]);
  });

  it("revoke is believed where HQ can't be asked", async () => {
    await open();
    const { ended } = start();
    await until(() => b.lines.some((line) => line.includes("is at work")));
    b.branch.hq.heartbeat = () => new Promise(() => undefined);
    await told({ id: "ctl_1", seq: 1, do: "revoke", reason: "Desk was retired" });
    const over = expect(ended).rejects.toMatchObject({ code: "forbidden" });
    await until(() => b.lines.some((line) => line.includes('"do":"revoke"')));
    await moment();
    await b.advance(3000);
    await over;
  });

  it("is asked for at once by a factory that the bus refuses", async () => {
    await open({ model: "endless" });
    const { ended } = start();
    await send();
    await isRunning();
    const over = expect(ended).rejects.toMatchObject({ code: "forbidden" });
    b.branch.hq.heartbeat = () => Promise.reject(new UacError("forbidden", "retired"));
    b.branch.bus.read = () => Promise.reject(new UacError("bus_denied", "no such user"));
    // No heartbeat is due; what waits at the bus is told by whatever ends its wait.
    await told({ id: "ctl_1", seq: 1, do: "undrain" });
    await over;
    expect(await b.journal.open()).toEqual([]);
  });

  it("revoke from before it joined again ends nothing", async () => {
    await open();
    start();
    await told({ id: "ctl_1", seq: 1, do: "revoke", reason: "Desk was retired" });
    await until(() => b.lines.some((line) => line.includes('"do":"revoke"')));
    await b.advance(10_000);
    await send();
    expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded" } }]);
  });
});

it("a drain of the process gives back what was accepted and not begun, and leaves what is paused to the next start", async () => {
  const { script, step } = stepper();
  await open({ script });
  const { ended } = start();
  await send();
  await step();
  await told({ id: "ctl_1", seq: 1, do: "pause", ...attempt });
  await step();
  await until(async () => (await b.journal.get("still:t1-1-1:1")) !== null);
  await send({ task: "t2-1-1" });
  await until(async () => (await b.journal.find("t2-1-1", 1))?.state === "accepted");
  drain.abort();
  await ended;
  expect(await results(1)).toMatchObject([{ corr: "t2-1-1", body: { outcome: "released" } }]);
  expect(await b.journal.open()).toMatchObject([{ order: { task: "t1-1-1" }, state: "running" }]);
});
