/** Failed attempts that are tried again, and those that are not. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backoffMs } from "#core/retry.ts";
import { cancelTask } from "#factory/cancel.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import { drain } from "#factory/drain.ts";
import { requeue } from "#factory/recover.ts";
import { resultOf, settleResult, startMs } from "./headquarters.ts";
import { minute, openQueue, type QueueBench } from "./queue-bench.ts";

let b: QueueBench;
beforeEach(async () => {
  b = await openQueue();
});
afterEach(() => b.close());

describe("a failure of the hour", () => {
  const unreachable = { outcome: "failed" as const, code: "model_unreachable", reason: "the model could not be reached" };

  it("is tried again later, and the card says when and why", async () => {
    await b.ask("task1");
    await b.claim("task1");
    await b.done("task1", unreachable);
    const wait = backoffMs("task1", 1, 1);
    expect(await b.task("task1")).toMatchObject({ state: "queued", epoch: 2, failed: 1, notBefore: startMs + wait });
    const seconds = Math.round(wait / 1000);
    expect(await b.said("card-edit:task1")).toContain(
      `⏳ queued · attempt 2\ntried again in ${seconds} s (attempt 2 of 3): the model could not be reached`,
    );
    expect(await b.told()).toEqual([]);
    await dispatchAll(b.hq);
    expect(await b.states("task1")).toEqual(["queued"]);
    await b.clock.advance(wait);
    await b.desk.beat();
    await dispatchAll(b.hq);
    expect(await b.states("task1")).toEqual(["dispatched"]);
    await b.claim("task1", 2);
    await b.done("task1", { epoch: 2 });
    expect(await b.states("task1")).toEqual(["succeeded"]);
    expect(await b.told()).toEqual(["task1"]);
  });

  it("is tried three times, then the task is dead with the last result", async () => {
    await b.ask("task1");
    for (let epoch = 1; epoch <= 3; epoch += 1) {
      await b.claim("task1", epoch);
      await b.done("task1", { ...unreachable, epoch, summary: `try ${epoch}` });
      await b.clock.advance(5 * minute);
      await b.desk.beat();
      await dispatchAll(b.hq);
    }
    expect(await b.task("task1")).toMatchObject({ state: "dead", failed: 3, epoch: 3, summary: "try 3", code: "model_unreachable" });
    expect((await b.task("task1")).reason).toBe("given up after 3 failed attempts; the last: the model could not be reached");
    expect(await b.told()).toEqual(["task1"]);
    expect(await b.kinds("task1")).toEqual([
      ...["delegated", "dispatched", "published", "claimed", "retried", "dispatched", "published", "claimed", "retried"],
      ...["dispatched", "published", "claimed", "dead"],
    ]);
  });

  it.each(["gave_up", "regressed", "not_verified", "cost_limit", "stuck", "poison"])("%s is none: it ends the task", async (code) => {
    await b.ask("task1");
    await b.claim("task1");
    await b.done("task1", { ...unreachable, code });
    expect(await b.task("task1")).toMatchObject({ state: "failed", epoch: 1, failed: 0 });
  });

  it("said twice, or read by two at once, is one more attempt", async () => {
    await b.ask("task1");
    await b.claim("task1");
    for (let i = 0; i < 2; i += 1) await b.desk.say("result", resultOf({ task: "task1", ...unreachable }));
    await Promise.all([drain(b.hq), drain(b.hq), drain(b.hq)]);
    expect(await b.task("task1")).toMatchObject({ state: "queued", epoch: 2, failed: 1 });
    expect((await b.kinds("task1")).filter((kind) => kind === "retried")).toHaveLength(1);
  });

  it("ends the task where the owner asked for its end, before or meanwhile", async () => {
    for (const id of ["task1", "task2"]) {
      await b.ask(id);
      await b.claim(id);
    }
    await cancelTask(b.hq, "task1", "not needed");
    await b.done("task1", unreachable);
    const late = { ...b.store.tasks };
    const meanwhile = {
      ...b.hq,
      store: {
        ...b.store,
        tasks: {
          ...late,
          async retry(...args: Parameters<typeof late.retry>) {
            await cancelTask(b.hq, "task2", "not needed");
            return late.retry(...args);
          },
        },
      },
    };
    await settleResult(meanwhile, "desk-1", resultOf({ task: "task2", ...unreachable }));
    expect(await b.states("task1", "task2")).toEqual(["failed", "failed"]);
    expect(await b.told()).toEqual(["task1", "task2"]);
  });

  it("ends it too where its deadline leaves no time, and says that", async () => {
    await b.ask("task1", { deadline: startMs + minute / 2 });
    await b.claim("task1");
    await b.done("task1", unreachable);
    expect(await b.task("task1")).toMatchObject({ state: "failed", failed: 0 });
    expect((await b.task("task1")).reason).toBe("the model could not be reached; no time is left before its deadline to try again");
  });

  it("of an attempt that was lost meanwhile changes nothing", async () => {
    await b.ask("task1");
    await b.claim("task1");
    await requeue(b.hq, await b.task("task1"), "lose", "gone", "lost");
    await b.done("task1", unreachable);
    expect(await b.task("task1")).toMatchObject({ state: "queued", epoch: 2, lost: 1, failed: 0, notBefore: null });
  });
});
