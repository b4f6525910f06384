import { expect, it } from "vitest";
import type { Progress } from "#core/envelope.ts";
import type { Bench } from "../store.contract.ts";
import { askCancel, newTask, order, taskIn, theTask } from "./samples.ts";

const step: Progress = { task: "task_1", epoch: 1, seq: 3, at: 42, kind: "step", persona: "Lisa", text: "reads parser.ts" };

export function storyCases(bench: Bench): void {
  it("adds what a factory tells once, with the factory's clock beside HQ's", async () => {
    await taskIn(bench, "running");
    await bench.store.tasks.progress("desk", [step], 500);
    const before = await bench.snapshot();
    await bench.store.tasks.progress("desk", [{ ...step, text: "said twice" }], 600);
    expect(await bench.snapshot()).toEqual(before);
    expect((await bench.store.tasks.events("task_1")).at(-1)).toEqual({
      at: 500,
      originAt: 42,
      epoch: 1,
      kind: "step",
      text: "reads parser.ts",
      factory: "desk",
      persona: "Lisa",
    });
    expect((await theTask(bench)).persona).toBe("Lisa");
  });

  it("takes many lines at once, and adds none twice", async () => {
    await taskIn(bench, "running");
    const told = [3, 4, 3, 5].map((seq) => ({ ...step, seq, text: `line ${seq}` }));
    await bench.store.tasks.progress("desk", told, 500);
    await bench.store.tasks.progress("desk", told.toReversed(), 600);
    await bench.store.tasks.progress("desk", [], 700);
    const steps = (await bench.store.tasks.events("task_1")).filter((event) => event.kind === "step");
    expect(steps.map((event) => event.text)).toEqual(["line 3", "line 4", "line 5"]);
  });

  it("takes the worker's name from work, not from who took the order in", async () => {
    await taskIn(bench, "running");
    await bench.store.tasks.progress("desk", [{ ...step, seq: 0, kind: "received", persona: "Homer" }], 500);
    expect((await theTask(bench)).persona).toBeNull();
    await bench.store.tasks.progress("desk", [{ ...step, seq: 1, kind: "started", persona: "Bart" }], 500);
    expect((await theTask(bench)).persona).toBe("Bart");
  });

  it("lets only those write who had the attempt", async () => {
    await taskIn(bench, "running");
    const before = await bench.snapshot();
    await bench.store.tasks.progress("other", [step], 500);
    await bench.store.tasks.progress("desk", [{ ...step, epoch: 2 }], 500);
    await bench.store.tasks.progress("desk", [{ ...step, task: "task_9" }], 500);
    await bench.store.tasks.note("task_9", 1, { kind: "note", text: "of nothing" }, 500);
    expect(await bench.snapshot()).toEqual(before);
  });

  it("keeps a late attempt's words, but not its name", async () => {
    await taskIn(bench, "running");
    await bench.store.tasks.move("task_1", 1, "hold", { kind: "held", text: "budget", code: "budget" }, 400);
    await bench.store.tasks.progress("desk", [step], 500);
    expect((await bench.store.tasks.events("task_1")).at(-1)).toMatchObject({ epoch: 1, text: "reads parser.ts" });
    expect((await theTask(bench)).persona).toBeNull();
  });

  it("tells the story in order", async () => {
    await taskIn(bench, "dispatched");
    await bench.store.tasks.note("task_1", 1, { kind: "note", text: "by hand", persona: "Simone", factory: "hq" }, 50);
    const story = await bench.store.tasks.events("task_1");
    expect(story.map((event) => [event.kind, event.persona, event.factory])).toEqual([
      ["delegated", null, null],
      ["dispatched", null, "desk"],
      ["note", "Simone", "hq"],
    ]);
    expect(await bench.store.tasks.events("task_9")).toEqual([]);
  });

  it("finds the task of a card, of its edits and of its completion", async () => {
    await taskIn(bench, "queued");
    await bench.store.tasks.create({ ...newTask, id: "task_2" }, { kind: "delegated", text: "" }, 100);
    const content = { text: "card", spans: [] };
    const keys = ["card:task_1", "done:task_2", "reply:turn_1"];
    await bench.store.letters.add(
      keys.map((key) => ({ key, chat: 7, body: { kind: "text", content, buttons: [], silent: true, replyTo: null } })),
      100,
    );
    for (const [i, key] of keys.entries()) await bench.store.letters.sent(key, 501 + i, 200);
    const found = async (chat: number, message: number) => (await bench.store.tasks.byCard(chat, message))?.id ?? null;
    expect(await Promise.all([found(7, 501), found(7, 502), found(7, 503), found(8, 501)])).toEqual(["task_1", "task_2", null, null]);
  });

  it("counts what a page could show, and nothing else", async () => {
    const { tasks, outbox, changeSeq } = bench.store;
    const raised = async (work: () => Promise<unknown>) => {
      const before = await changeSeq();
      await work();
      return (await changeSeq()) > before;
    };
    expect(await changeSeq()).toBe(0);
    expect(await raised(() => taskIn(bench, "queued"))).toBe(true);
    expect(await raised(() => tasks.dispatch("task_1", 1, order(), 200))).toBe(true);
    expect(await raised(() => tasks.dispatch("task_1", 1, order(), 200))).toBe(false);
    expect(await raised(() => tasks.claim("task_1", 1, { factory: "desk", order: "order_1", leaseUntil: 900 }, 300))).toBe(true);
    expect(await raised(() => tasks.renew("desk", [{ task: "task_1", epoch: 1, step: 2, cost: 3, tokens: 4 }], 950, 400))).toBe(true);
    expect(await raised(() => tasks.renew("desk", [{ task: "task_1", epoch: 2, step: 2, cost: 3, tokens: 4 }], 950, 400))).toBe(false);
    expect(await raised(() => tasks.progress("desk", [step], 500))).toBe(true);
    expect(await raised(() => askCancel(bench, 500))).toBe(true);
    expect(await raised(() => Promise.all([outbox.due(900, 10), tasks.list({ limit: 10 }), tasks.expired(0, [])]))).toBe(false);
  });
}
