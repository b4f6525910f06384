/** What the end of a task means for those that wait for it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cancelTask } from "#factory/cancel.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import { moveWaiting } from "#factory/ended.ts";
import { expireOverdue } from "#factory/expire.ts";
import { requeue } from "#factory/recover.ts";
import { settle } from "../contracts/store/samples.ts";
import { resultOf, startMs } from "./headquarters.ts";
import { minute, openQueue, type QueueBench } from "./queue-bench.ts";

let b: QueueBench;
beforeEach(async () => {
  b = await openQueue();
});
afterEach(() => b.close());

describe("a task that needs others", () => {
  it("waits until all have succeeded, then goes", async () => {
    await b.ask("task1");
    await b.ask("task2");
    const { task, route } = await b.ask("task3", { after: ["task1", "task2"] });
    expect([task.state, route]).toEqual(["waiting", null]);
    expect(await b.said("card:task3")).toContain("⏳ waiting\nwaits for task1, task2\n");
    await b.claim("task1");
    await b.done("task1");
    expect(await b.states("task3")).toEqual(["waiting"]);
    await b.client.execute("update tasks set state = 'running' where id = 'task2'");
    await b.done("task2");
    expect(await b.states("task3")).toEqual(["queued"]);
    await dispatchAll(b.hq);
    expect(await b.states("task3")).toEqual(["dispatched"]);
    expect(await b.kinds("task3")).toEqual(["delegated", "waiting", "released", "dispatched", "published"]);
  });

  it("fails when one ends otherwise, with all that waits for it in turn, and each is told once", async () => {
    await b.ask("task1", { workspace: "elsewhere" });
    await b.ask("task2", { after: ["task1"] });
    await b.ask("task3", { after: ["task2"] });
    await b.ask("task4", { after: ["task3", "task2"] });
    await cancelTask(b.hq, "task1", "not needed");
    expect(await b.states("task1", "task2", "task3", "task4")).toEqual(["cancelled", "failed", "failed", "failed"]);
    expect(await b.task("task2")).toMatchObject({ code: "dependency", reason: "it needed task1, which is cancelled" });
    expect((await b.told()).toSorted()).toEqual(["task1", "task2", "task3", "task4"]);
    const before = await b.snapshot();
    await moveWaiting(b.hq, null);
    expect(await b.snapshot()).toEqual(before);
  });

  it.each(["expired", "dead", "failed"] as const)("fails when one is %s", async (state) => {
    await b.ask("task1", { deadline: startMs + minute });
    await b.ask("task2", { after: ["task1"] });
    if (state !== "expired") await b.claim("task1");
    if (state === "failed") await b.done("task1", { outcome: "failed", code: "gave_up" });
    if (state === "dead") {
      await b.client.execute("update tasks set lost = 2 where id = 'task1'");
      await requeue(b.hq, await b.task("task1"), "lose", "gone", "lost");
    }
    await b.clock.advance(minute);
    await expireOverdue(b.hq);
    expect(await b.states("task1", "task2")).toEqual([state, "failed"]);
  });

  it("goes on by the tick where what ended the other was killed before it could say so", async () => {
    for (const id of ["task1", "task2"]) await b.ask(id);
    await b.ask("task3", { after: ["task1"] });
    await b.ask("task4", { after: ["task2"] });
    await b.claim("task1");
    await settle(b, "succeed", "desk-1", resultOf({ task: "task1" }), b.clock.now());
    await b.store.tasks.move("task2", 1, "cancel", { kind: "cancelled", text: "no", code: "cancelled" }, b.clock.now());
    expect(await b.states("task3", "task4")).toEqual(["waiting", "waiting"]);
    await Promise.all([moveWaiting(b.hq, null), moveWaiting(b.hq, null)]);
    expect(await b.states("task3", "task4")).toEqual(["queued", "failed"]);
    expect((await b.kinds("task3")).filter((kind) => kind === "released")).toHaveLength(1);
  });

  it("is refused where one is not there or will never be done; said twice it is one task all the same", async () => {
    await expect(b.ask("task1", { after: ["task9", "task8"] })).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining("task9, task8"),
    });
    await b.ask("task2", { workspace: "elsewhere" });
    await b.ask("task3", { after: ["task2"] });
    await cancelTask(b.hq, "task2", "no");
    await expect(b.ask("task4", { after: ["task2"] })).rejects.toMatchObject({ code: "conflict" });
    expect((await b.ask("task3", { after: ["task2"] })).task.state).toBe("failed");
    await expect(b.ask("task5", { after: ["task5"] }), "itself").rejects.toMatchObject({ code: "not_found" });
    expect((await b.store.tasks.list({ limit: 9 })).length).toBe(2);
  });

  it("of many goes on in turns, within the calls of an event", async () => {
    await b.ask("task0", { workspace: "elsewhere" });
    for (let i = 1; i <= 20; i += 1) await b.ask(`task${i}`, { after: [`task${i - 1}`] });
    b.limits.calls = b.counts.sql + b.counts.bus + 45;
    const used = await b.count(() => cancelTask(b.hq, "task0", "no"));
    expect(used.sql).toBeLessThanOrEqual(45 - 8);
    for (let i = 0; i < 20; i += 1) {
      b.limits.calls = b.counts.sql + b.counts.bus + 45;
      await moveWaiting(b.hq, null);
    }
    expect((await b.store.tasks.list({ states: ["failed"], limit: 30 })).length).toBe(20);
  });
});
