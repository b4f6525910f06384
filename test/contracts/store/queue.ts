/** What goes first, against a model of the rule that is written down a second time. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TaskState } from "#core/task.ts";
import type { NewTask } from "#ports/tasks.ts";
import type { Bench } from "../store.contract.ts";
import { atOnce, count, delegated, newTask, result, settle, taskIn } from "./samples.ts";

const said = (code = "why") => ({ kind: "told", text: "because", code });
const free = { factory: "desk", places: 99, reason: "it is free", order: "sealed", orderId: "order_1", instruction: newTask.instruction };

export function queueCases(bench: Bench): void {
  const add = (id: string, changed: Partial<NewTask> = {}, now = 100, needs: string[] = []) =>
    bench.store.tasks.create({ ...newTask, id, ...changed }, delegated, now, needs);
  const ready = async (now = 1000, limit = 100) => (await bench.store.tasks.ready(now, limit)).map((task) => task.id);
  const end = (id: string, state: TaskState) => bench.sql("update tasks set state = ?, ended_at = 500 where id = ?", state, id);

  describe("what goes first", () => {
    it("is the urgent, then the due, then the old", async () => {
      await add("old");
      await add("low", { priority: -1 });
      await add("late", { deadline: 9000 });
      await add("soon", { deadline: 8000 });
      await add("high", { priority: 1 });
      await add("new", {}, 200);
      expect(await ready()).toEqual(["high", "soon", "late", "old", "new", "low"]);
      expect(await ready(1000, 2)).toEqual(["high", "soon"]);
    });

    it("is nothing whose time has not come or is over, or that somebody has", async () => {
      for (const [id, changed] of Object.entries({ later: { notBefore: 1001 }, over: { deadline: 1000 }, mine: {}, held: {} })) {
        await add(id, changed);
      }
      await bench.store.tasks.move("held", 1, "hold", said(), 200);
      await add("waits", {}, 100, ["mine"]);
      await add("gone");
      await bench.store.tasks.dispatch("gone", 1, free, 200);
      expect(await ready()).toEqual(["mine", "held"]);
      expect(await ready(999)).toEqual(["over", "mine", "held"]);
      expect(await ready(1001)).toEqual(["later", "mine", "held"]);
    });

    it("is nothing that needs what is not done, whatever its state says", async () => {
      await add("first");
      await add("second", {}, 100, ["first"]);
      await bench.sql("update tasks set state = 'queued' where id = 'second'");
      expect(await ready()).toEqual(["first"]);
      await end("first", "succeeded");
      expect(await ready()).toEqual(["second"]);
    });

    it("goes by turns among the chats, and counts what a chat has under way", async () => {
      for (let i = 0; i < 4; i += 1) await add(`a${i}`, { chat: 1 });
      for (let i = 0; i < 2; i += 1) await add(`b${i}`, { chat: 2 }, 200);
      expect(await ready()).toEqual(["a0", "b0", "a1", "b1", "a2", "a3"]);
      await bench.store.tasks.dispatch("a0", 1, free, 300);
      await bench.store.tasks.dispatch("a1", 1, { ...free, orderId: "order_2" }, 300);
      expect(await ready()).toEqual(["b0", "b1", "a2", "a3"]);
    });

    it("is, where chats are level, the one that was served longest ago, however many others are older", async () => {
      for (const chat of [1, 2]) for (let i = 0; i < 5; i += 1) await add(`${"_ab"[chat]}${i}`, { chat });
      await add("c0", { chat: 3 }, 900);
      const served: string[] = [];
      // Two places, of which one comes free at a time: nobody ever has nothing under way and a turn of its own to spare.
      const going: string[] = [];
      for (let now = 1000; served.length < 6; now += 10) {
        const [next] = await bench.store.tasks.ready(now, 100);
        if (!next) break;
        await bench.store.tasks.dispatch(next.id, 1, { ...free, orderId: next.id }, now);
        served.push(next.id);
        going.push(next.id);
        if (going.length === 2) await end(going.shift() ?? "", "succeeded");
      }
      expect(served.slice(0, 3).toSorted()).toEqual(["a0", "b0", "c0"]);
    });

    it("is not hidden by hundreds that wait for another machine, in whatever chat", async () => {
      for (let i = 0; i < 300; i += 1) await add(`off${String(i).padStart(3, "0")}`, { workspace: "elsewhere", priority: 1 }, 50);
      await add("can-go", { priority: -1 }, 900);
      const seen = await ready();
      expect(seen).toContain("can-go");
      expect(seen).toHaveLength(11);
    });

    it("is not put back by its chat's own tasks that can't go", async () => {
      for (let i = 0; i < 30; i += 1) await add(`off${i}`, { chat: 1, workspace: "elsewhere" }, 50);
      await bench.store.tasks.move("off7", 1, "hold", said("offline"), 60);
      await add("mine", { chat: 1 }, 100);
      for (let i = 0; i < 3; i += 1) await add(`b${i}`, { chat: 2 }, 200);
      const open = (await ready()).filter((id) => !id.startsWith("off"));
      expect(open).toEqual(["mine", "b0", "b1", "b2"]);
    });

    it("shows every route before many of one, the open ones first", async () => {
      for (let i = 0; i < 8; i += 1) {
        for (let j = 0; j < 4; j += 1) await add(`r${i}-${j}`, { workspace: `w${i}` });
      }
      await bench.sql("update tasks set state = 'held' where workspace in ('w0', 'w1', 'w2', 'w3')");
      const routes = async (limit: number) => new Set((await ready(1000, limit)).map((id) => id.slice(0, 2))).size;
      expect(await routes(8)).toBe(8);
      expect((await ready(1000, 4)).map((id) => id.slice(0, 2)).toSorted()).toEqual(["r4", "r5", "r6", "r7"]);
    });

    it("follows the model in every queue", async () => {
      const item = fc.record({
        chat: fc.integer({ min: 1, max: 3 }),
        priority: fc.constantFrom(-1, 0, 1),
        deadline: fc.constantFrom(null, 2000, 3000),
        createdAt: fc.integer({ min: 1, max: 5 }),
        state: fc.constantFrom<TaskState>("queued", "queued", "queued", "held", "running", "dispatched", "succeeded"),
        workspace: fc.constantFrom("shop", "bank"),
      });
      const served = fc.record({ 1: fc.constantFrom(0, 10, 20), 2: fc.constantFrom(0, 10, 20), 3: fc.constantFrom(0, 10, 20) });
      await fc.assert(
        fc.asyncProperty(fc.array(item, { maxLength: 14 }), served, async (items, servedAt) => {
          await bench.clear();
          const all = items.map((each, i) => ({ ...each, id: `t${String(i).padStart(2, "0")}`, line: i }));
          for (const { id, chat, priority, deadline, createdAt, workspace } of all) {
            await add(id, { chat, priority, deadline, workspace }, createdAt);
          }
          for (const { id, state } of all) await bench.sql("update tasks set state = ? where id = ?", state, id);
          for (const [chat, at] of Object.entries(servedAt)) await bench.store.set(`served:${chat}`, String(at));
          expect(await ready()).toEqual(modelOf(all, servedAt));
        }),
        { numRuns: 40 },
      );
    });
  });

  describe("fairness", () => {
    it("gives every chat its turn, whatever comes in and however long things take", async () => {
      const arrival = fc.record({ chat: fc.integer({ min: 1, max: 4 }), n: fc.integer({ min: 1, max: 4 }), urgent: fc.boolean() });
      await fc.assert(
        fc.asyncProperty(
          fc.array(arrival, { minLength: 1, maxLength: 8 }),
          fc.array(fc.nat(), { minLength: 30, maxLength: 30 }),
          fc.integer({ min: 1, max: 3 }),
          async (arrivals, ends, places) => {
            await bench.clear();
            const going: { id: string; chat: number }[] = [];
            const passed = new Map<number, number>();
            let made = 0;
            for (let round = 0; round < 30; round += 1) {
              const now = 1000 + round;
              const comes = arrivals[round];
              for (let i = 0; comes && i < comes.n; i += 1) {
                made += 1;
                await add(`t${made}`, { chat: comes.chat, priority: comes.urgent ? 1 : 0 }, now);
              }
              if (going.length === places) {
                const [over] = going.splice((ends[round] ?? 0) % going.length, 1);
                if (over) await end(over.id, "succeeded");
              }
              const line = await bench.store.tasks.ready(now, 100);
              const [next] = line;
              if (!next) continue;
              const rivals = new Set(line.filter((task) => task.priority === next.priority).map((task) => task.chat));
              const busy = (chat: number) => going.filter((task) => task.chat === chat).length;
              expect(busy(next.chat), "nobody among the most urgent has less under way").toBe(Math.min(...[...rivals].map(busy)));
              for (const chat of rivals) if (busy(chat) === 0) passed.set(chat, (passed.get(chat) ?? 0) + 1);
              passed.set(next.chat, 0);
              // A chat with nothing under way is passed over by each of the three others once at most.
              for (const chat of rivals) expect(passed.get(chat) ?? 0, `chat ${chat} waits`).toBeLessThanOrEqual(3);
              await bench.store.tasks.dispatch(next.id, 1, { ...free, orderId: next.id }, now);
              going.push({ id: next.id, chat: next.chat });
            }
          },
        ),
        { numRuns: 12 },
      );
    });
  });

  describe("places of a factory", () => {
    it("are never more taken than there are, however many give out at once", async () => {
      for (let i = 0; i < 8; i += 1) await add(`t${i}`);
      const answers = await atOnce(8, (i) => bench.store.tasks.dispatch(`t${i}`, 1, { ...free, places: 3, orderId: `order_${i}` }, 200));
      expect(count(answers, true)).toBe(3);
      expect(await bench.sql("select count(*) as n from outbox")).toEqual([{ n: 3 }]);
      expect(await bench.store.tasks.dispatch("t0", 1, { ...free, factory: "den", places: 0 }, 200), "no place at all").toBe(false);
    });

    it("are counted while a task is there, and free when it is not", async () => {
      await taskIn(bench, "running");
      await add("next");
      const one = { ...free, places: 1, orderId: "order_2" };
      const before = await bench.snapshot();
      expect(await bench.store.tasks.dispatch("next", 1, one, 400)).toBe(false);
      expect(await bench.snapshot()).toEqual(before);
      await settle(bench, "succeed", "desk", result(), 450);
      expect(await bench.store.tasks.dispatch("next", 1, one, 460)).toBe(true);
    });
  });
}

interface Item {
  id: string;
  line: number;
  chat: number;
  priority: number;
  deadline: number | null;
  createdAt: number;
  state: TaskState;
  workspace: string;
}

/** The order by the rule's words, without a window function. */
function modelOf(all: readonly Item[], served: Readonly<Record<number, number>>): string[] {
  const placed = (chat: number) => all.filter((t) => t.chat === chat && (t.state === "running" || t.state === "dispatched")).length;
  const stuck = (t: Item) => all.some((other) => other.workspace === t.workspace && other.state === "held");
  const due = (t: Item) => t.deadline ?? Number.MAX_SAFE_INTEGER;
  const own = (a: Item, b: Item) => b.priority - a.priority || due(a) - due(b) || a.createdAt - b.createdAt || a.line - b.line;
  const ready = all.filter((t) => t.state === "queued" || t.state === "held");
  const turn = (t: Item) => {
    const line = ready.filter((other) => other.chat === t.chat && stuck(other) === stuck(t)).toSorted(own);
    return placed(t.chat) + line.indexOf(t) + 1;
  };
  const fair = (a: Item, b: Item) =>
    b.priority - a.priority || turn(a) - turn(b) || (served[a.chat] ?? 0) - (served[b.chat] ?? 0) || own(a, b);
  const lanes = (t: Item) =>
    ready
      .filter((other) => other.workspace === t.workspace)
      .toSorted(fair)
      .indexOf(t);
  return ready
    .filter((t) => lanes(t) < 10)
    .toSorted(fair)
    .map((t) => t.id);
}
