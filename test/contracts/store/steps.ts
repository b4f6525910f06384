import { expect, it } from "vitest";
import type { Follow } from "#core/follow-up.ts";
import { advance, type TaskEvent, taskEvents, taskStates } from "#core/task.ts";
import type { Bench } from "../store.contract.ts";
import { atOnce, count, delegated, newTask, order, result, settle, taskIn, theTask } from "./samples.ts";

const ownMethod: readonly TaskEvent[] = ["dispatch", "claim", "lose", "return", "retry"];
const said = { kind: "told", text: "because", code: "why" };

export function stepCases(bench: Bench): void {
  it("creates a task once, with its first event", async () => {
    const answers = await atOnce(5, () => bench.store.tasks.create(newTask, delegated, 100));
    expect(count(answers, true)).toBe(1);
    expect(await theTask(bench)).toEqual({
      ...newTask,
      state: "queued",
      epoch: 1,
      lost: 0,
      failed: 0,
      factory: null,
      persona: null,
      reason: "asked for",
      code: "",
      summary: "",
      receipt: null,
      leaseUntil: null,
      step: 0,
      cancelRequested: null,
      claimedAt: null,
      createdAt: 100,
      updatedAt: 100,
      endedAt: null,
    });
    expect(await bench.store.tasks.events("task_1")).toEqual([
      { ...delegated, at: 100, originAt: null, epoch: 1, factory: null, persona: null },
    ]);
    expect(await bench.store.tasks.get("task_2")).toBeNull();
  });

  it.each(taskEvents.filter((event) => !ownMethod.includes(event)))("moves by %s exactly as the table says", async (event) => {
    await taskIn(bench, "running");
    for (const state of taskStates) {
      await bench.sql("update tasks set state = ?, epoch = 5, ended_at = null", state);
      const before = await bench.snapshot();
      const next = advance({ state, epoch: 5, lost: 0, failed: 0 }, event);
      expect(await bench.store.tasks.move("task_1", 4, event, said, 400), "another epoch").toBe(false);
      expect(await bench.store.tasks.move("task_1", 5, event, said, 400)).toBe(next !== null);
      const after = await theTask(bench);
      if (next) expect(after).toMatchObject({ ...next, code: "why", reason: "because", updatedAt: 400 });
      else expect(await bench.snapshot()).toEqual(before);
    }
  });

  it.each(ownMethod)("does not %s a task by a plain move", async (event) => {
    await taskIn(bench, "queued");
    await expect(bench.store.tasks.move("task_1", 1, event, said, 400)).rejects.toMatchObject({ code: "illegal_transition" });
  });

  it("ends a task with its time, and lets go of the lease", async () => {
    await taskIn(bench, "running");
    await bench.store.tasks.move("task_1", 1, "cancel", said, 400);
    expect(await theTask(bench)).toMatchObject({ state: "cancelled", endedAt: 400, leaseUntil: null, factory: "desk" });
    expect(await bench.sql("select ended_at, outcome, reason from attempts")).toEqual([
      { ended_at: 400, outcome: "cancelled", reason: "because" },
    ]);
  });

  it("keeps the lease while a factory asks or pauses", async () => {
    await taskIn(bench, "running");
    await bench.store.tasks.move("task_1", 1, "ask", said, 400);
    expect(await theTask(bench)).toMatchObject({ state: "awaiting_approval", leaseUntil: 1000, factory: "desk" });
    expect(await bench.sql("select ended_at from attempts")).toEqual([{ ended_at: null }]);
  });

  it("takes a held task from its factory: the next attempt is another epoch", async () => {
    await taskIn(bench, "running");
    expect(await bench.store.tasks.move("task_1", 1, "hold", { ...said, code: "budget" }, 400)).toBe(true);
    expect(await theTask(bench)).toMatchObject({ state: "held", epoch: 2, factory: null, leaseUntil: null, code: "budget" });
    for (const event of ["succeed", "fail", "cancel"] as const) {
      expect(await settle(bench, event, "desk", result(), 450)).toBe("stale");
    }
    expect(await bench.store.tasks.move("task_1", 2, "release", said, 500)).toBe(true);
    expect(await bench.store.tasks.dispatch("task_1", 2, order(2), 600)).toBe(true);
    expect(await bench.sql("select epoch, outcome from attempts order by epoch")).toEqual([
      { epoch: 1, outcome: "held" },
      { epoch: 2, outcome: null },
    ]);
  });

  it("withdraws an order that did not leave yet", async () => {
    await taskIn(bench, "dispatched");
    expect(await bench.store.outbox.due(500, 10)).toHaveLength(1);
    await bench.store.tasks.move("task_1", 1, "cancel", said, 400);
    expect(await bench.store.outbox.due(500, 10)).toEqual([]);
  });

  it("requeues a lost task once, as another epoch", async () => {
    const from = await taskIn(bench, "running");
    const to = advance(from, "lose");
    if (!to) throw new Error("a running task can be lost");
    const lost = { kind: "lost", text: "desk is silent", code: "lost" };
    const answers = await atOnce(40, () => bench.store.tasks.requeue("lose", from, to, lost, 2000));
    expect(count(answers, true)).toBe(1);
    expect(await theTask(bench)).toMatchObject({
      state: "queued",
      epoch: 2,
      lost: 1,
      failed: 0,
      factory: null,
      persona: null,
      leaseUntil: null,
    });
    expect(await bench.sql("select outcome, ended_at from attempts")).toEqual([{ outcome: "lost", ended_at: 2000 }]);
    expect((await bench.store.tasks.events("task_1")).map((event) => event.kind)).toEqual(["delegated", "dispatched", "claimed", "lost"]);
  });

  it("does not lose a task whose lease was renewed since it was read", async () => {
    const from = await taskIn(bench, "running");
    await bench.store.tasks.renew("desk", [{ task: "task_1", epoch: 1, step: 1, cost: 1, tokens: 1 }], 5000, 900);
    const to = advance(from, "lose");
    const before = await bench.snapshot();
    expect(to && (await bench.store.tasks.requeue("lose", from, to, said, 2000))).toBe(false);
    expect(await bench.snapshot()).toEqual(before);
    const back = advance(from, "return");
    expect(back && (await bench.store.tasks.requeue("return", from, back, said, 2000)), "what is given back comes back").toBe(true);
    expect(await theTask(bench)).toMatchObject({ state: "queued", epoch: 2, lost: 0, failed: 0 });
  });

  it("buries a task at the limit", async () => {
    const from = await taskIn(bench, "running");
    const to = advance(from, "lose", { maxLost: 1, maxFailed: 1 });
    expect(to && (await bench.store.tasks.requeue("lose", from, to, said, 2000))).toBe(true);
    expect(await theTask(bench)).toMatchObject({ state: "dead", epoch: 1, lost: 1, endedAt: 2000, reason: "because" });
  });

  it("does not requeue into anything but a new attempt or an end", async () => {
    const from = await taskIn(bench, "running");
    const refused = bench.store.tasks.requeue("lose", from, { ...from, state: "queued", lost: 1 }, said, 2000);
    await expect(refused).rejects.toMatchObject({ code: "illegal_transition" });
  });

  it("finds the tasks that ended and have no letter of a kind", async () => {
    for (const [i, id] of ["task_a", "task_b", "task_c", "task_d"].entries()) {
      await bench.store.tasks.create({ ...newTask, id }, delegated, 100);
      if (i < 3) await bench.store.tasks.move(id, 1, "cancel", said, 400 - i);
    }
    const content = { text: "over", spans: [] };
    const body = { kind: "text" as const, content, buttons: [], silent: false, replyTo: null };
    await bench.store.letters.add(
      ["done:task_b", "card:task_a"].map((key) => ({ key, chat: 1, body })),
      400,
    );
    const found = async (since: number, limit = 9) => (await bench.store.tasks.withoutLetter("done:", since, limit)).map((task) => task.id);
    expect(await found(0)).toEqual(["task_c", "task_a"]);
    expect(await found(0, 1)).toEqual(["task_c"]);
    expect(await found(399)).toEqual(["task_a"]);
    expect(await found(401)).toEqual([]);
  });

  it("keeps what a task is a follow-up of, and finds those that were done", async () => {
    const follow = (of: string): Follow => ({
      ...{ do: "merge", of, epoch: 1, branch: `uac/${of}-1`, head: "b".repeat(40), into: "main", remote: null, says: null },
      approved: "a".repeat(64),
    });
    for (const [id, of] of Object.entries({ task_m: "task_a", task_n: "task_a", task_o: "task_b", task_p: "task_c" })) {
      await bench.store.tasks.create({ ...newTask, id, follow: follow(of) }, delegated, 100);
    }
    expect((await bench.store.tasks.get("task_m"))?.follow).toEqual(follow("task_a"));
    await bench.sql("update tasks set state = 'succeeded', ended_at = 400 where id in ('task_n', 'task_p')");
    await bench.sql("update tasks set state = 'succeeded', ended_at = 300 where id = 'task_m'");
    const found = async (...of: string[]) => (await bench.store.tasks.followUps(of)).map(({ id }) => id);
    expect(await found("task_a", "task_b")).toEqual(["task_m", "task_n"]);
    expect(await found("task_b")).toEqual([]);
    expect(await found()).toEqual([]);
  });

  it("lists what is asked for, newest or oldest first", async () => {
    for (const [i, id] of ["task_a", "task_b", "task_c"].entries()) {
      await bench.store.tasks.create({ ...newTask, id, chat: i < 2 ? 1 : 2 }, delegated, 100);
    }
    await bench.store.tasks.dispatch("task_a", 1, order(), 200);
    const ids = async (filter: Omit<Parameters<Bench["store"]["tasks"]["list"]>[0], "limit">, limit = 10) =>
      (await bench.store.tasks.list({ ...filter, limit })).map((task) => task.id);
    expect(await ids({})).toEqual(["task_c", "task_b", "task_a"]);
    expect(await ids({}, 2)).toEqual(["task_c", "task_b"]);
    expect(await ids({ states: ["queued", "held"], chat: 1 })).toEqual(["task_b"]);
    expect(await ids({ factory: "desk" })).toEqual(["task_a"]);
    expect(await ids({ states: [] })).toEqual([]);
    expect(await ids({ oldestFirst: true }, 2)).toEqual(["task_a", "task_b"]);
  });
}
