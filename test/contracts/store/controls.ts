/** What factories are told: with the step of the task or not at all, numbered, until it was obeyed or its attempt is over. */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { NewTaskControl } from "#core/control.ts";
import { standing } from "#core/control.ts";
import { advance } from "#core/task.ts";
import type { Task } from "#ports/tasks.ts";
import type { Bench } from "../store.contract.ts";
import { askCancel, atOnce, newTask, order, result, settle, taskIn, theTask } from "./samples.ts";

const line = (kind: string) => ({ kind, text: `${kind} it` });
const attempt = { task: "task_1", epoch: 1 };

export function controlCases(bench: Bench): void {
  const { store } = { store: new Proxy({} as Bench["store"], { get: (_, name) => Reflect.get(bench.store, name) }) };
  const direct = async (control: NewTaskControl, now = 400, seen?: Task) =>
    store.controls.direct(seen ?? (await theTask(bench)), control, line(control.do), now);
  const open = (obeyed: string[] = [], limit = 9, now = 900) => store.controls.exchange("desk", obeyed, limit, now);
  const kinds = async () => (await store.tasks.events("task_1")).map((event) => event.kind);

  it("marks a leased task for its end, once, and tells its factory", async () => {
    await taskIn(bench, "dispatched");
    expect(await askCancel(bench, 250)).toBeNull();
    await store.tasks.claim("task_1", 1, { factory: "desk", order: "order_1", leaseUntil: 1000 }, 300);
    const control = { id: "ctl_cancel", seq: 1, do: "cancel", ...attempt, reason: "not needed" };
    expect(await askCancel(bench, 350)).toEqual(control);
    expect(await askCancel(bench, 360, "ctl_twice"), "it is asked for already").toBeNull();
    expect(await theTask(bench)).toMatchObject({ state: "running", cancelRequested: "not needed" });
    expect(await open()).toEqual([control]);
    expect((await kinds()).filter((kind) => kind === "cancel_requested")).toHaveLength(1);
  });

  it("pauses and resumes a running task with a whole lease to be heard of", async () => {
    await taskIn(bench, "running");
    expect(await direct({ id: "ctl_0", do: "resume", ...attempt })).toBeNull();
    expect(await direct({ id: "ctl_1", do: "pause", ...attempt })).toMatchObject({ seq: 1, do: "pause" });
    expect(await theTask(bench)).toMatchObject({ state: "paused", leaseUntil: 1000, reason: expect.any(String) });
    expect(await direct({ id: "ctl_2", do: "pause", ...attempt })).toBeNull();
    expect(await direct({ id: "ctl_3", do: "resume", ...attempt }, 5000)).toMatchObject({ seq: 2, do: "resume" });
    expect(await theTask(bench)).toMatchObject({ state: "running", leaseUntil: 125_000 });
    expect((await open()).map(({ id }) => id)).toEqual(["ctl_1", "ctl_3"]);
    expect((await kinds()).slice(-2)).toEqual(["pause", "resume"]);
  });

  it("takes a result of a paused task", async () => {
    await taskIn(bench, "running");
    await direct({ id: "ctl_1", do: "pause", ...attempt });
    expect(await settle(bench, "succeed", "desk", result(), 500)).toBe("accepted");
    expect(await direct({ id: "ctl_2", do: "resume", ...attempt })).toBeNull();
    expect(await open()).toEqual([]);
  });

  it("adds what the owner says to the instruction, once under each id, and tells whoever works on it", async () => {
    const seen = await taskIn(bench, "running");
    const steer = { id: "steer_1", do: "steer" as const, ...attempt, text: "Use tabs." };
    const answers = await atOnce(8, () => direct(steer, 400, seen));
    expect(new Set(answers.map((answer) => answer?.seq))).toEqual(new Set([1]));
    expect((await theTask(bench)).instruction).toBe(`${newTask.instruction}\n\n[Added by the owner later:]\nUse tabs.`);
    expect(await open()).toEqual([{ ...steer, seq: 1 }]);
    expect((await kinds()).filter((kind) => kind === "steer")).toHaveLength(1);
    expect(await direct({ ...steer, id: "steer_2" }, 410, seen), "another instruction than was read").toBeNull();
    expect(await direct({ ...steer, id: "steer_2", text: "x".repeat(4000) })).toMatchObject({ seq: 2 });
  });

  it("is heard with the order where nobody has the task yet, and an order without it does not leave", async () => {
    const seen = await taskIn(bench, "queued");
    const steer = { id: "steer_1", do: "steer" as const, ...attempt, text: "Use tabs." };
    expect(await direct(steer, 150, seen)).toMatchObject({ do: "steer" });
    expect(await direct(steer, 160, seen), "said again").toMatchObject({ do: "steer" });
    expect(await store.tasks.dispatch("task_1", 1, order(), 200)).toBe(false);
    const { instruction } = await theTask(bench);
    expect(instruction.match(/Use tabs/g)).toHaveLength(1);
    expect(await store.tasks.dispatch("task_1", 1, { ...order(), instruction }, 200)).toBe(true);
    expect(await open()).toEqual([]);
  });

  it("leaves no trace where the task moved on", async () => {
    const seen = await taskIn(bench, "running");
    await settle(bench, "succeed", "desk", result(), 500);
    const before = await bench.snapshot();
    for (const wish of ["pause", "resume"] as const) expect(await direct({ id: "ctl_1", do: wish, ...attempt }, 510, seen)).toBeNull();
    expect(await direct({ id: "ctl_1", do: "steer", ...attempt, text: "Hm" }, 510, seen)).toBeNull();
    expect(await direct({ id: "ctl_1", do: "cancel", ...attempt, reason: "Hm" }, 510, seen)).toBeNull();
    expect(await bench.snapshot()).toEqual(before);
  });

  it("tells what was not obeyed, oldest first and bounded; each factory has its own numbers", async () => {
    for (let i = 1; i <= 5; i += 1) {
      expect(await store.controls.add("desk", { id: `ctl_${i}`, do: i % 2 ? "drain" : "undrain" }, i)).toMatchObject({ seq: i });
    }
    expect(await store.controls.add("den", { id: "ctl_x", do: "drain" }, 1)).toEqual({ id: "ctl_x", seq: 1, do: "drain" });
    expect(await store.controls.add("den", { id: "ctl_x", do: "drain" }, 2)).toMatchObject({ seq: 1 });
    expect((await open([], 3)).map(({ id }) => id)).toEqual(["ctl_1", "ctl_2", "ctl_3"]);
    expect((await open(["ctl_2", "ctl_x", "ctl_unknown"])).map(({ id }) => id)).toEqual(["ctl_1", "ctl_3", "ctl_4", "ctl_5"]);
    expect(await store.controls.exchange("den", [], 9, 1), "only its own factory can say so").toHaveLength(1);
    expect(await open(["ctl_1", "ctl_3", "ctl_4", "ctl_5"])).toEqual([]);
  });

  it("closes what is about an attempt that was given up", async () => {
    const from = await taskIn(bench, "running");
    await direct({ id: "ctl_1", do: "pause", ...attempt });
    expect(await open()).toHaveLength(1);
    const to = advance({ ...from, state: "paused" }, "return");
    if (!to) throw new Error("no such step");
    await store.tasks.requeue("return", await theTask(bench), to, { kind: "returned", text: "", code: "returned" }, 500);
    expect(await open()).toEqual([]);
    expect(await bench.sql("select obeyed_at from controls")).toEqual([{ obeyed_at: 900 }]);
  });

  it("says in the end what the task is, whoever pauses and resumes at once, and whoever hears it in whatever order", async () => {
    const wishes = fc.array(fc.array(fc.constantFrom("pause", "resume"), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 });
    let id = 0;
    await fc.assert(
      fc.asyncProperty(wishes, fc.infiniteStream(fc.nat()), async (rounds, luck) => {
        await bench.clear();
        await taskIn(bench, "running");
        for (const round of rounds) {
          const seen = await theTask(bench);
          await Promise.all(
            round.map((wish) => {
              id += 1;
              return direct({ id: `ctl_${id}`, do: wish, ...attempt } as NewTaskControl, 400, seen);
            }),
          );
        }
        const told = await open([], 64);
        const seqs = told.map(({ seq }) => seq);
        expect(seqs).toEqual(seqs.map((_, i) => i + 1));
        const heard = told.map((control) => ({ control, at: luck.next().value })).toSorted((a, b) => a.at - b.at);
        expect(standing(heard.map(({ control }) => control)).paused).toBe((await theTask(bench)).state === "paused");
      }),
      { numRuns: 25 },
    );
  });
}
