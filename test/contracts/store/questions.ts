import fc from "fast-check";
import { expect, it } from "vitest";
import type { NewQuestion } from "#core/question.ts";
import type { HoldCode } from "#core/routing.ts";
import type { Letter } from "#ports/chat.ts";
import type { Bench } from "../store.contract.ts";
import { atOnce, order, taskIn } from "./samples.ts";

const asked: NewQuestion = {
  id: "q1",
  key: "hold:task_1:1",
  kind: "hold",
  task: "task_1",
  epoch: 1,
  chat: 7,
  content: { text: "Wait 'here'? ä", spans: [{ type: "bold", offset: 0, length: 4 }] },
  options: [
    { key: "wait", label: "Wait" },
    { key: "cancel", label: "Cancel it" },
  ],
  otherwise: "wait",
  expiresAt: 1000,
};
const question = (changed: Partial<NewQuestion> = {}): NewQuestion => ({ ...asked, ...changed });
const letter = (key: string, kind: "text" | "edit" = "text"): Letter => {
  const content = { text: key, spans: [] };
  const body =
    kind === "text"
      ? { kind, content, buttons: [], silent: false, replyTo: null }
      : { kind, of: key.replace(":end", ""), content, buttons: [] };
  return { key, chat: 7, body };
};
const told = (key = "ask:q1", kind: "text" | "edit" = "text") => ({ letter: letter(key, kind), line: `told by ${key}` });
const toldEnd = told("ask:q1:end", "edit");
const byAnn = { by: "Ann", via: "telegram" } as const;

export function questionCases(bench: Bench): void {
  const { ask, get, open, answer, expire, close, applied, due } = {
    ask: (changed: Partial<NewQuestion> = {}, now = 150, say = told()) => bench.store.questions.ask(question(changed), say, now),
    get: (id = "q1") => bench.store.questions.get(id),
    open: (filter: { chat?: number; task?: string } = {}) => bench.store.questions.open({ ...filter, limit: 10 }),
    answer: (option: string, now = 200, id = "q1") => bench.store.questions.answer(id, { ...byAnn, option }, now),
    expire: (now: number) => bench.store.questions.expire("q1", now),
    close: (now = 300) => bench.store.questions.close("q1", "desk is back", toldEnd.letter, now),
    applied: (now = 300) => bench.store.questions.applied("q1", toldEnd, now),
    due: async (now = 400) => (await bench.store.questions.due(now, 10)).map(({ id }) => id),
  };
  const letters = async () => (await bench.sql("select key from letters order by id")).map((row) => row.key);
  const story = async () =>
    (await bench.sql("select kind, text from task_events where kind <> 'delegated' order by id")).map((row) => row.kind);
  const move = (event: "hold" | "release" | "cancel", epoch = 1, now = 140) =>
    bench.store.tasks.move("task_1", epoch, event, { kind: event === "hold" ? "held" : event, text: "", code: "offline" }, now);
  const held = async () => {
    await taskIn(bench, "queued");
    await move("hold");
  };

  it("keeps a question whole, and tells of it in the same batch", async () => {
    await held();
    expect(await ask()).toEqual({ ...asked, createdAt: 150, answer: null });
    expect(await get()).toEqual({ ...asked, createdAt: 150, answer: null });
    expect(await letters()).toEqual(["ask:q1"]);
    expect(await story()).toEqual(["held", "asked"]);
    expect(await get("q2")).toBeNull();
  });

  it("asks once a key, also at once, and tells nothing of the others", async () => {
    await held();
    const all = await atOnce(20, (i) => ask({ id: `q${i + 1}` }, 150, told(`ask:q${i + 1}`)));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    expect(await letters()).toEqual([`ask:${all[0]?.id}`]);
    expect(await story()).toEqual(["held", "asked"]);
  });

  it("refuses an id that another question has", async () => {
    await ask({ task: null, epoch: null });
    const before = await bench.snapshot();
    await expect(ask({ key: "another" })).rejects.toMatchObject({ code: "conflict" });
    expect(await bench.snapshot()).toEqual(before);
  });

  it("lists those that wait for an answer, of a chat or a task, oldest first", async () => {
    await ask({ task: null, epoch: null, key: "a", id: "q3" }, 300, told("ask:q3"));
    await ask({ task: null, epoch: null, key: "b", id: "q2", chat: 8 }, 200, told("ask:q2"));
    await ask({ task: "task_9", key: "c", id: "q1" }, 100);
    const ids = async (filter = {}) => (await open(filter)).map(({ id }) => id);
    expect(await ids()).toEqual(["q1", "q2", "q3"]);
    expect(await ids({ chat: 7 })).toEqual(["q1", "q3"]);
    expect(await ids({ task: "task_9" })).toEqual(["q1"]);
    await answer("wait", 400, "q2");
    await answer("wait", 400, "q3");
    expect(await ids()).toEqual(["q1", "q2", "q3"].filter((id) => id === "q1"));
  });

  it("takes one answer of forty at once", async () => {
    await held();
    await ask();
    const all = await atOnce(40, (i) =>
      bench.store.questions.answer(
        "q1",
        { option: i % 2 ? "wait" : "cancel", by: `person ${i}`, via: i % 3 ? "telegram" : "dashboard" },
        200,
      ),
    );
    const winners = all.flatMap(({ won }, i) => (won ? [i] : []));
    expect(winners).toHaveLength(1);
    const expected = { option: Number(winners[0]) % 2 ? "wait" : "cancel", by: `person ${winners[0]}`, at: 200, applied: false };
    for (const { question: seen } of all) expect(seen?.answer).toMatchObject(expected);
  });

  it.each<[string, () => Promise<{ won: boolean }>]>([
    ["an option that it has not", () => answer("explode")],
    ["an option that only looks like one", () => answer("%")],
    ["what comes at the end of its time", () => answer("wait", 1000)],
    ["an expiry before its time", () => expire(999)],
  ])("does not take %s", async (_, wrongly) => {
    await held();
    await ask();
    const before = await bench.snapshot();
    expect(await wrongly()).toMatchObject({ won: false, question: { answer: null } });
    expect(await bench.snapshot()).toEqual(before);
    expect((await answer("cancel", 999)).won).toBe(true);
  });

  it("knows no question that is not there", async () => {
    expect(await answer("wait", 200, "q9")).toEqual({ won: false, question: null });
  });

  it("takes none once its task has gone on, nor the default", async () => {
    await held();
    await ask();
    await move("release");
    expect((await answer("wait")).won).toBe(false);
    expect((await expire(2000)).won).toBe(false);
    expect(await due()).toEqual(["q1"]);
    await move("hold", 1, 210);
    expect((await answer("wait", 220)).won, "it stands where it stood").toBe(true);
  });

  it("takes none for an attempt before this one", async () => {
    await taskIn(bench, "running");
    await move("hold");
    await ask({ epoch: 1 });
    expect((await answer("wait")).won).toBe(false);
    expect((await bench.store.tasks.get("task_1"))?.epoch).toBe(2);
  });

  it("lets the default count when its time is over, once", async () => {
    await held();
    await ask();
    expect(await due(999)).toEqual([]);
    expect(await due(1000)).toEqual(["q1"]);
    const all = await atOnce(10, () => expire(1000));
    expect(all.filter(({ won }) => won)).toHaveLength(1);
    expect((await get())?.answer).toEqual({ option: "wait", at: 1000, by: "", via: "expiry", applied: false });
    expect((await answer("cancel", 500)).won).toBe(false);
  });

  it("has nothing expire that has no default", async () => {
    await ask({ task: null, epoch: null, otherwise: null });
    expect([await due(5000), (await expire(5000)).won]).toEqual([[], false]);
  });

  it("is carried out once, and told once, in the chat and in the story", async () => {
    await held();
    await ask();
    expect(await applied(), "nobody has answered").toBe(false);
    await answer("wait");
    expect(await due()).toEqual(["q1"]);
    expect((await atOnce(10, () => applied())).filter(Boolean)).toHaveLength(1);
    expect(await due()).toEqual([]);
    expect((await get())?.answer?.applied).toBe(true);
    expect(await letters()).toEqual(["ask:q1", "ask:q1:end"]);
    expect(await story()).toEqual(["held", "asked", "decided"]);
  });

  it("about no task is told in the chat alone", async () => {
    await ask({ task: null, epoch: null });
    await answer("wait");
    expect(await applied()).toBe(true);
    expect(await letters()).toEqual(["ask:q1", "ask:q1:end"]);
    expect(await story()).toEqual([]);
  });

  it("settles itself once, unless somebody answered before", async () => {
    await held();
    await ask();
    expect((await atOnce(10, () => close())).filter(Boolean)).toHaveLength(1);
    expect((await get())?.answer).toEqual({ option: null, at: 300, by: "desk is back", via: "event", applied: true });
    expect((await answer("wait")).won).toBe(false);
    expect([await open(), await due()]).toEqual([[], []]);
    expect(await letters()).toEqual(["ask:q1", "ask:q1:end"]);
  });

  it("ends one way, whatever comes at once", async () => {
    const calls = { wait: () => answer("wait"), cancel: () => answer("cancel"), close: () => close(), expire: () => expire(1000) };
    const names = Object.keys(calls) as (keyof typeof calls)[];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...names, "release" as const), { minLength: 2, maxLength: 8 }), async (order) => {
        await bench.clear();
        await held();
        await ask();
        const results = await Promise.all(order.map((name) => (name === "release" ? move("release", 1, 160) : calls[name]())));
        const wins = results.filter((result, i) => order[i] !== "release" && (typeof result === "boolean" ? result : result.won));
        expect(wins.length).toBeLessThanOrEqual(1);
        expect((await get())?.answer !== null).toBe(wins.length === 1);
        if (!order.includes("release")) expect(wins).toHaveLength(1);
      }),
      { numRuns: 30 },
    );
  });

  it("leaves what a later version asked alone", async () => {
    await ask({ task: null, epoch: null });
    await bench.sql("update questions set kind = 'of-tomorrow'");
    expect([await get(), await open(), await due(5000), (await answer("wait")).won]).toEqual([null, [], [], false]);
  });

  const codes: HoldCode[] = ["offline"];
  const unasked = (changed: { heldBefore?: number; task?: string; mostOpen?: number; codes?: HoldCode[] } = {}) =>
    bench.store.questions.unasked({ codes, heldBefore: 500, mostOpen: 5, limit: 10, ...changed });

  it("finds the held tasks whose owner was not asked, once for each hold", async () => {
    await held();
    const [first] = await unasked();
    expect(first).toMatchObject({ task: "task_1", key: expect.stringMatching(/^hold:task_1:\d+$/) });
    expect(await unasked({ heldBefore: 139 }), "not held for long").toEqual([]);
    expect(await unasked({ codes: ["no_factory"] }), "for another reason").toEqual([]);
    expect(await unasked({ task: "task_2" })).toEqual([]);
    expect(await unasked({ task: "task_1" })).toEqual([first]);
    await ask({ key: first?.key ?? "" });
    expect(await unasked()).toEqual([]);
    await answer("wait");
    await applied();
    expect(await unasked(), "an answer is no new hold").toEqual([]);
    await move("release", 1, 210);
    expect(await unasked()).toEqual([]);
    await move("hold", 1, 220);
    const [second] = await unasked();
    expect(second?.key).toMatch(/^hold:task_1:\d+$/);
    expect(second?.key).not.toBe(first?.key);
  });

  it("finds none in a chat that is asked much already", async () => {
    await held();
    await ask({ key: "a", task: null, epoch: null });
    await ask({ key: "b", id: "q2", task: null, epoch: null }, 150, told("ask:q2"));
    expect(await unasked({ mostOpen: 2 })).toEqual([]);
    expect(await unasked({ mostOpen: 3 })).toHaveLength(1);
    await answer("wait");
    expect(await unasked({ mostOpen: 2 })).toHaveLength(1);
  });

  it("finds none whose last answer is not carried out yet", async () => {
    await held();
    await ask({ key: "of an earlier hold" });
    await answer("wait");
    expect(await unasked()).toEqual([]);
    await applied();
    expect(await unasked()).toHaveLength(1);
  });

  it("takes no answer to what was asked anew, and says which is the last", async () => {
    await held();
    await ask();
    expect(await bench.store.questions.current("q1")).toBe(true);
    await ask({ id: "q2", key: "held again", otherwise: null, expiresAt: null }, 150, told("ask:q2"));
    await ask({ id: "q3", key: "about nothing", task: null, epoch: null }, 150, told("ask:q3"));
    await ask({ id: "q4", key: "about nothing either", task: null, epoch: null }, 150, told("ask:q4"));
    const current = async (...ids: string[]) => Promise.all(ids.map((id) => bench.store.questions.current(id)));
    expect(await current("q1", "q2", "q3", "q4", "q9")).toEqual([false, true, true, true, false]);
    expect([await answer("wait"), await expire(1000)]).toMatchObject([{ won: false }, { won: false }]);
    expect(await due(160)).toEqual(["q1"]);
    expect(await answer("wait", 200, "q2")).toMatchObject({ won: true });
    expect(await answer("wait", 200, "q3")).toMatchObject({ won: true });
  });

  it("changes the wishes for a task that nobody has, and only if they are others", async () => {
    const { tasks } = bench.store;
    const change = (wishes: { wanted?: string | null; deadline?: number | null }, epoch = 1, by = "q1") =>
      tasks.change("task_1", epoch, wishes, by, 500);
    await taskIn(bench, "queued");
    await ask();
    expect(await change({ wanted: "desk", deadline: 900 })).toBe(true);
    expect(await tasks.get("task_1")).toMatchObject({ wanted: "desk", deadline: 900, updatedAt: 500 });
    const before = await bench.snapshot();
    expect([await change({ wanted: "desk", deadline: 900 }), await change({}), await change({ wanted: null }, 2)]).toEqual([
      false,
      false,
      false,
    ]);
    expect(await bench.snapshot()).toEqual(before);
    expect(await change({ deadline: null })).toBe(true);
    await move("hold");
    await ask({ id: "q2", key: "about something else", task: "task_9" }, 150, told("ask:q2"));
    expect(await change({ wanted: null })).toBe(true);
    await ask({ id: "q3", key: "held again" }, 150, told("ask:q3"));
    expect([await change({ wanted: "stale" }), await change({ wanted: "unknown" }, 1, "q9")]).toEqual([false, false]);
    expect(await change({ wanted: "desk" }, 1, "q3")).toBe(true);
    await move("release");
    await tasks.dispatch("task_1", 1, order(), 600);
    expect(await change({ wanted: "other" }, 1, "q3")).toBe(false);
    expect((await tasks.get("task_1"))?.wanted).toBe("desk");
  });
}
