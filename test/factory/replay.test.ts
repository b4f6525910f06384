/** The owner has a task done again. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cancelTask } from "#factory/cancel.ts";
import { expireOverdue } from "#factory/expire.ts";
import { replay, replayAnswer } from "#factory/replay.ts";
import { startMs } from "./headquarters.ts";
import { minute, openQueue, type QueueBench } from "./queue-bench.ts";

let b: QueueBench;
beforeEach(async () => {
  b = await openQueue();
});
afterEach(() => b.close());

describe("a replay", () => {
  const again = async (id: string, update: number) => {
    const outcome = await replay(b.hq, { id, update: { id: update, receivedAt: b.clock.now() }, message: 77, name: "Alice" });
    return { outcome, answer: replayAnswer(id, outcome) };
  };

  it("is a new task with the same wishes, once for an update and once for a task", async () => {
    await b.ask("task1", { priority: 1, deadline: startMs + minute, requireVerified: true, workspace: "elsewhere" });
    await b.clock.advance(minute);
    await b.desk.beat();
    await expireOverdue(b.hq);
    await b.client.execute("update tasks set workspace = 'shop'");
    const first = await again("task1", 9);
    expect(first.answer).toBe("task1 is done again as t9-r, which is dispatched; its deadline has passed, so it has none now.");
    const { title, instruction, priority, requireVerified, limits } = await b.task("task1");
    expect(await b.task("t9-r")).toMatchObject({
      ...{ title, instruction, priority, requireVerified, limits, workspace: "shop", kind: "coder" },
      ...{ replayOf: "task1", message: 77, deadline: null, state: "dispatched", epoch: 1 },
    });
    expect((await again("task1", 9)).answer, "the same update").toBe(first.answer);
    expect((await again("task1", 10)).answer).toBe("task1 was done again already, as t9-r, which is dispatched.");
    expect(await b.store.tasks.list({ limit: 9 })).toHaveLength(2);
    expect((await b.kinds("task1")).filter((kind) => kind === "replayed")).toHaveLength(1);
    expect(await b.said("card:t9-r")).toContain("urgent · task1 again");
  });

  it("keeps a deadline that is to come", async () => {
    await b.ask("task1", { workspace: "elsewhere", deadline: startMs + minute });
    await cancelTask(b.hq, "task1", "no");
    await again("task1", 9);
    expect((await b.task("t9-r")).deadline).toBe(startMs + minute);
  });

  it("is refused for what is not there, is under way or is done", async () => {
    await b.ask("task1");
    expect((await again("task9", 9)).answer).toBe("There is no task task9. /tasks lists them.");
    expect((await again("task1", 9)).answer).toBe("task1 is dispatched: it is not over yet.");
    await b.claim("task1");
    await b.done("task1");
    expect((await again("task1", 9)).answer).toBe("task1 is done already.");
  });

  it("of a task that needed another waits for that one's replay", async () => {
    await b.ask("task1", { workspace: "elsewhere" });
    await b.ask("task2", { after: ["task1"] });
    await cancelTask(b.hq, "task1", "no");
    expect((await again("task2", 8)).answer).toBe("task2 needs task1, which is cancelled. Have that done again first.");
    await again("task1", 9);
    expect((await again("task2", 10)).answer).toBe("task2 is done again as t10-r, which is waiting.");
    expect(await b.store.tasks.needs("t10-r")).toEqual([{ id: "t9-r", state: "held" }]);
  });

  it("is offered on the completion of what ended badly, and only there", async () => {
    await b.ask("task1", { workspace: "elsewhere" });
    await cancelTask(b.hq, "task1", "no");
    await b.ask("task2");
    await b.claim("task2");
    await b.done("task2");
    const buttons = (
      await b.rows("select key, body_json ->> '$.buttons' as buttons from letters where key like 'done:%' order by key")
    ).map((row) => String(row.buttons));
    expect(buttons[0]).toContain('{"label":"Try again","tap":"replay:task1"}');
    expect(buttons[1]).not.toContain("replay:");
  });
});
