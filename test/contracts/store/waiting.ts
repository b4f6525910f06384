/** What waits, and for what: a deadline, other tasks, another attempt, the owner who has it done again. */
import { describe, expect, it } from "vitest";
import { advance, type TaskState } from "#core/task.ts";
import type { NewTask } from "#ports/tasks.ts";
import type { Bench } from "../store.contract.ts";
import { askCancel, atOnce, count, delegated, newTask, receipt, result, settle, taskIn, theTask } from "./samples.ts";

const said = (code = "why") => ({ kind: "told", text: "because", code });

export function waitingCases(bench: Bench): void {
  const add = (id: string, changed: Partial<NewTask> = {}, now = 100, needs: string[] = []) =>
    bench.store.tasks.create({ ...newTask, id, ...changed }, delegated, now, needs);
  const end = (id: string, state: TaskState) => bench.sql("update tasks set state = ?, ended_at = 500 where id = ?", state, id);

  describe("deadlines", () => {
    it("are over for what has not begun, the longest overdue first", async () => {
      const states: TaskState[] = [
        "queued",
        "waiting",
        "held",
        "dispatched",
        "running",
        "paused",
        "awaiting_approval",
        "succeeded",
        "dead",
      ];
      for (const [i, state] of states.entries()) {
        await add(`t-${state}`, { deadline: 1000 - i });
        await bench.sql("update tasks set state = ? where id = ?", state, `t-${state}`);
      }
      await add("later", { deadline: 1001 });
      await add("never");
      const over = async (now: number, limit = 9) => (await bench.store.tasks.overdue(now, limit)).map((task) => task.id);
      expect(await over(1000)).toEqual(["t-dispatched", "t-held", "t-waiting", "t-queued"]);
      expect(await over(1000, 2)).toEqual(["t-dispatched", "t-held"]);
      expect(await over(990)).toEqual([]);
    });

    it("let no claim through once they are over, and take none away", async () => {
      const claim = { factory: "desk", order: "order_1", leaseUntil: 5000 };
      await taskIn(bench, "dispatched");
      await bench.sql("update tasks set deadline = 1000");
      expect(await bench.store.tasks.claim("task_1", 1, claim, 1000)).toBe("refused");
      expect(await bench.store.tasks.claim("task_1", 1, claim, 999)).toBe("claimed");
      expect(await bench.store.tasks.claim("task_1", 1, claim, 2000)).toBe("resumed");
      expect((await theTask(bench)).claimedAt).toBe(999);
    });

    it("end a dispatched task with its attempt", async () => {
      await taskIn(bench, "dispatched");
      expect(await bench.store.tasks.move("task_1", 1, "expire", said("deadline"), 400)).toBe(true);
      expect(await bench.sql("select outcome, ended_at from attempts")).toEqual([{ outcome: "expired", ended_at: 400 }]);
      expect(await bench.store.outbox.due(9999, 9)).toEqual([]);
    });
  });

  describe("needs", () => {
    it("make a task wait from its creation, once", async () => {
      await add("a");
      await add("b");
      const answers = await atOnce(4, () => add("c", {}, 200, ["a", "b", "a"]));
      expect(count(answers, true)).toBe(1);
      const kinds = (await bench.store.tasks.events("c")).map(({ kind, text }) => [kind, text]);
      expect(kinds).toEqual([
        ["delegated", "asked for"],
        ["waiting", "waits for a, b, a"],
      ]);
      expect(await bench.store.tasks.get("c")).toMatchObject({ state: "waiting", code: "waiting", epoch: 1 });
      expect(await bench.store.tasks.needs("c")).toEqual([
        { id: "a", state: "queued" },
        { id: "b", state: "queued" },
      ]);
      expect(await bench.store.tasks.needs("a")).toEqual([]);
    });

    it("that have all succeeded make nothing wait", async () => {
      await add("a");
      await end("a", "succeeded");
      await add("b", {}, 200, ["a"]);
      expect((await bench.store.tasks.get("b"))?.state).toBe("queued");
      expect((await bench.store.tasks.events("b")).map(({ kind }) => kind)).toEqual(["delegated"]);
    });

    it("that are met, or never will be, are found: of one task, or of all", async () => {
      for (const id of ["a", "b", "c"]) await add(id);
      await add("on-a", {}, 200, ["a"]);
      await add("on-ab", {}, 201, ["a", "b"]);
      await add("on-c", {}, 202, ["c"]);
      const found = async (need: string | null, limit = 9) =>
        (await bench.store.tasks.unblocked(need === null ? null : [need, "nobody"], limit)).map(({ task, broken }) => [task.id, broken]);
      expect(await found(null)).toEqual([]);
      await end("a", "succeeded");
      expect(await found("a")).toEqual([["on-a", null]]);
      await end("b", "cancelled");
      await end("c", "succeeded");
      expect(await found("b")).toEqual([["on-ab", { id: "b", state: "cancelled" }]]);
      expect(await found(null)).toEqual([
        ["on-a", null],
        ["on-ab", { id: "b", state: "cancelled" }],
        ["on-c", null],
      ]);
      expect(await found(null, 1)).toHaveLength(1);
      await bench.store.tasks.move("on-a", 1, "release", said(), 300);
      expect(await found("a")).toEqual([["on-ab", { id: "b", state: "cancelled" }]]);
    });

    it("are known or not", async () => {
      await add("a");
      expect(await bench.store.tasks.known(["a", "z"])).toEqual([{ id: "a", state: "queued" }]);
      expect(await bench.store.tasks.known([])).toEqual([]);
    });
  });

  describe("a replay", () => {
    it("is one for each task, however many ask", async () => {
      await add("a");
      const answers = await atOnce(4, (i) => add(`again-${i}`, { replayOf: "a" }));
      expect(count(answers, true)).toBe(1);
      expect((await bench.store.tasks.replayOf("a"))?.id).toBe(`again-${answers.indexOf(true)}`);
      expect(await bench.store.tasks.replayOf("again-0")).toBeNull();
    });
  });

  describe("a failed attempt", () => {
    const failed = result({ outcome: "failed", code: "model_unreachable", reason: "nobody answers" });
    const again = { notBefore: 9000, text: "tried again in 40 s" };

    it("is followed by another, once, not before its time", async () => {
      const from = await taskIn(bench, "running");
      const to = advance(from, "retry");
      if (!to) throw new Error("a running task can be tried again");
      const answers = await atOnce(20, () => bench.store.tasks.retry(from, to, failed, again, 500));
      expect(count(answers, true)).toBe(1);
      expect(await theTask(bench)).toMatchObject({
        ...{ state: "queued", epoch: 2, failed: 1, lost: 0, factory: null, leaseUntil: null },
        ...{ notBefore: 9000, reason: again.text, code: "model_unreachable", receipt: null, endedAt: null },
      });
      expect(await bench.sql("select outcome, reason, persona, ended_at from attempts")).toEqual([
        { outcome: "failed", reason: "nobody answers", persona: "Lisa", ended_at: 500 },
      ]);
      expect((await bench.store.tasks.events("task_1")).filter(({ kind }) => kind === "retried")).toHaveLength(1);
      expect(await bench.store.tasks.ready(8999, 9)).toEqual([]);
      expect(await bench.store.tasks.ready(9000, 9)).toHaveLength(1);
      expect(await settle(bench, "fail", "desk", failed, 600), "it has been said").toBe("stale");
    });

    it("that was the last ends the task, and its result stays", async () => {
      const from = await taskIn(bench, "running");
      const to = advance(from, "retry", { maxLost: 1, maxFailed: 1 });
      expect(to && (await bench.store.tasks.retry(from, to, failed, { notBefore: null, text: "given up" }, 500))).toBe(true);
      expect(await theTask(bench)).toMatchObject({
        ...{ state: "dead", epoch: 1, failed: 1, factory: "desk", persona: "Lisa", reason: "given up", endedAt: 500 },
        ...{ receipt, summary: failed.summary, step: receipt.steps, leaseUntil: null },
      });
    });

    it("leaves no trace where the owner asked for the end, or somebody was faster", async () => {
      const from = await taskIn(bench, "running");
      const to = advance(from, "retry");
      if (!to) throw new Error("a running task can be tried again");
      await askCancel(bench, 400);
      const before = await bench.snapshot();
      expect(await bench.store.tasks.retry(from, to, failed, again, 500)).toBe(false);
      expect(await bench.store.tasks.retry({ ...from, factory: "den" }, to, failed, again, 500)).toBe(false);
      expect(await bench.store.tasks.retry({ ...from, epoch: 2 }, to, failed, again, 500)).toBe(false);
      expect(await bench.snapshot()).toEqual(before);
    });
  });
}
