/** No factory can take a task: it is held, the owner is asked once, and whatever comes first decides. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Question } from "#core/question.ts";
import { answerQuestion, settleQuestions } from "#factory/answer-owner.ts";
import { timeOf } from "#factory/ask-owner.ts";
import { delegate } from "#factory/delegate.ts";
import { deliverLetters } from "#factory/deliver.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import { expireOverdue } from "#factory/expire.ts";
import { askAboutHolds, decideHold } from "#factory/hold.ts";
import type { Letter } from "#ports/chat.ts";
import { lifeUntil } from "../support/mortal.ts";
import { type HqBench, openHq, wish } from "./headquarters.ts";

let b: HqBench;
beforeEach(async () => {
  b = await openHq();
});
afterEach(() => b.close());

const minute = 60_000;
const open = async () => (await b.store.questions.open({ limit: 50 })).map(({ id }) => id);
const answer = (option: string, id = "q1") => answerQuestion(b.hq, { id, option, by: "Ann", via: "telegram" });
const decided = async (id = "q1") => (await b.store.questions.get(id))?.answer;
const options = async (id = "q1") => (await b.store.questions.get(id))?.options.map(({ key }) => key);
const kinds = async (id = "t1-1-1") => (await b.store.tasks.events(id)).map(({ kind }) => kind);
/** Not heard of for so long that it counts as offline. */
const sleep = () => b.clock.advance(20 * minute);
const letterOf = ({ id, chat, content }: Question): Letter => ({
  key: `ask:${id}:end`,
  chat,
  body: { kind: "edit", of: `ask:${id}`, content, buttons: [] },
});
/** What the chat shows: the last text of each message that was sent, by the letter's key. */
async function shown() {
  for (let i = 0; i < 6; i += 1) {
    await deliverLetters(b.hq);
    await b.clock.advance(6000);
  }
  const rows = await b.rows("select key, body_json ->> '$.content.text' as text from letters where sent_at is not null");
  return Object.fromEntries(rows.map(({ key, text }) => [String(key), String(text)]));
}

describe("a task that no factory can take", () => {
  it("is held, and the owner is asked what shall become of it", async () => {
    await b.join();
    await sleep();
    const { task, question } = await delegate(b.hq, wish());
    expect(task).toMatchObject({ state: "held", code: "offline" });
    expect(question).toMatchObject({ kind: "hold", task: "t1-1-1", otherwise: null, expiresAt: null });
    expect(await options()).toEqual(["wait", "wait-1h", "wait-8h", "cancel"]);
    expect((await shown())["ask:q1"]).toMatch(
      /^Fix the tests – held: desk-1 is offline\nWhat shall become of it\?.*if you say nothing, it waits\./,
    );
  });

  it.each([
    ["nobody has joined", {}, "no_factory"],
    ["nobody has the workspace", { workspace: "garage" }, "no_workspace"],
    ["nobody is called that", { factory: "desk-9" }, "no_factory"],
  ] as const)("is asked about where %s", async (_, changed, code) => {
    if (code !== "no_factory" || "factory" in changed) await b.join();
    const { task, question } = await delegate(b.hq, wish(changed));
    expect([task.code, question?.id]).toEqual([code, "q1"]);
  });

  it("is asked about where nobody has the VP for it", async () => {
    const desk = await b.join();
    await b.join("desk-1", { capabilities: { ...desk.facts.capabilities, coder: false } });
    expect((await delegate(b.hq, wish())).task).toMatchObject({ state: "held", code: "no_capability" });
    expect(await open()).toEqual(["q1"]);
  });

  it("is not asked about while the fleet is only busy", async () => {
    await b.join();
    for (const id of ["t1-1-1", "t2-1-1", "t3-1-1"]) expect((await delegate(b.hq, wish({ id }))).question).toBeNull();
    await b.clock.advance(2 * minute);
    await askAboutHolds(b.hq);
    expect(await open()).toEqual([]);
  });

  it("is asked about once, however often it is delegated, routed and swept", async () => {
    for (let i = 0; i < 3; i += 1) {
      expect((await delegate(b.hq, wish())).question?.id).toBe("q1");
      await b.clock.advance(2 * minute);
      await Promise.all([dispatchAll(b.hq), askAboutHolds(b.hq), askAboutHolds(b.hq)]);
    }
    expect(await open()).toEqual(["q1"]);
    expect((await kinds()).filter((kind) => kind === "asked")).toHaveLength(1);
    await answer("wait");
    await askAboutHolds(b.hq);
    expect(await open(), "an answer ends it").toEqual([]);
  });

  it("is asked about again when it is held again", async () => {
    const desk = await b.join();
    await sleep();
    await delegate(b.hq, wish());
    await desk.beat();
    await dispatchAll(b.hq);
    await b.store.tasks.requeue(
      "return",
      await b.task(),
      { state: "queued", epoch: 2, lost: 0, failed: 0 },
      { kind: "released", text: "given back", code: "" },
      b.clock.now(),
    );
    await sleep();
    await dispatchAll(b.hq);
    expect(await open(), "a factory that is only started again is back within a minute").toEqual([]);
    await askAboutHolds(b.hq);
    expect(await open()).toEqual([]);
    await b.clock.advance(minute);
    await askAboutHolds(b.hq);
    expect(await open()).toEqual(["q2"]);
    expect(await b.store.questions.get("q2")).toMatchObject({ epoch: 2 });
  });

  it("is asked about by the tick, where whoever held it died before asking", async () => {
    for (let last = 0; ; last += 1) {
      const id = `t${last}-1-1`;
      const life = lifeUntil(last, "after");
      await delegate({ ...b.hq, store: life.of(b.store) }, wish({ id, workspace: id })).catch(() => undefined);
      await dispatchAll(b.hq);
      await b.clock.advance(2 * minute);
      await askAboutHolds(b.hq);
      const [task] = await b.store.tasks.list({ states: ["held"], limit: 1 });
      expect(await b.store.tasks.list({ states: ["queued"], limit: 1 })).toEqual([]);
      expect((await b.store.questions.open({ task: task?.id ?? "", limit: 9 })).length, `killed after call ${last}`).toBe(1);
      const letters = await b.rows("select key from letters where key like 'ask:%'");
      expect(letters).toHaveLength(last + 1);
      if (!life.dead) break;
      expect(last).toBeLessThan(20);
    }
  });

  it("makes no more noise than twenty questions in a chat", async () => {
    for (let i = 0; i < 40; i += 1) {
      await b.store.tasks.create(
        { ...wish({ id: `t${i}-1-1`, workspace: `shop-${i}` }), wanted: null },
        { kind: "delegated", text: "" },
        b.clock.now(),
      );
    }
    for (let i = 0; i < 12; i += 1) {
      await dispatchAll(b.hq);
      await b.clock.advance(minute);
      await askAboutHolds(b.hq);
    }
    expect((await open()).length).toBe(20);
    await answer("cancel");
    await askAboutHolds(b.hq);
    expect((await open()).length, "the next is asked").toBe(20);
  });
});

describe("the owner's decision", () => {
  const named = async () => {
    await b.join("desk-1");
    await sleep();
    const other = await b.join("desk-2");
    await delegate(b.hq, wish({ factory: "desk-1" }));
    return other;
  };

  it("offers what is there and able, by name, and headquarters if it has hands", async () => {
    await b.join("desk-1");
    await b.join("asleep");
    await sleep();
    await b.join("garage", { workspaces: ["garage"] });
    for (const id of ["desk-2", "desk-3", "desk-4", "desk-5"]) await b.join(id);
    const vps = await b.join("vps");
    await b.client.execute({ sql: "update factories set role = 'headquarters' where id = ?", args: [vps.id] });
    await delegate(b.hq, wish({ factory: "desk-1" }));
    expect((await b.store.questions.get("q1"))?.options.map(({ key, label }) => `${key}: ${label}`)).toEqual([
      "wait: Wait without limit",
      "wait-1h: Wait at most 1 h",
      "wait-8h: Wait at most 8 h",
      "to-desk-2: Give it to desk-2",
      "to-desk-3: Give it to desk-3",
      "to-desk-4: Give it to desk-4",
      "to-vps: Give it to headquarters (vps)",
      "cancel: Cancel it",
    ]);
  });

  it("wait: it waits for ever, and nothing expires", async () => {
    await named();
    expect(await answer("wait")).toEqual({ outcome: "answered", text: "It waits. Now: desk-1 is offline." });
    await b.clock.advance(400 * 24 * 60 * minute);
    expect(await b.task()).toMatchObject({ state: "held", deadline: null });
  });

  it("wait at most: the deadline is counted from the answer, also where it is carried out later", async () => {
    await named();
    const at = b.clock.now();
    await b.store.questions.answer("q1", { option: "wait-8h", by: "Ann", via: "telegram" }, at);
    await b.clock.advance(5 * minute);
    await settleQuestions(b.hq);
    expect((await b.task()).deadline).toBe(at + 8 * 60 * minute);
    expect((await shown())["ask:q1:end"]).toContain("unless it has begun by then, it expires on 2030-03-18 at 02:06 UTC");
  });

  it.each([
    ["an earlier deadline stays", 2 * 60 * minute, 2 * 60 * minute],
    ["a later one is brought forward", 20 * 60 * minute, 8 * 60 * minute],
  ])("wait at most: %s, and the owner is told which counts", async (_, left, after) => {
    await b.join();
    await sleep();
    const now = b.clock.now();
    await delegate(b.hq, wish({ deadline: now + left }));
    const said = await answer("wait-8h");
    expect(await b.task()).toMatchObject({ state: "held", deadline: now + after });
    expect(said.text).toContain(`unless it has begun by then, it expires ${timeOf(now + after, now)}. Now: desk-1 is offline.`);
    await b.clock.advance(after - 1);
    await expireOverdue(b.hq);
    expect((await b.task()).state).toBe("held");
    await b.clock.advance(2);
    await expireOverdue(b.hq);
    expect((await b.task()).state).toBe("expired");
  });

  it("wait at most, carried out when another attempt waits: that one gets no deadline, and none is promised", async () => {
    await named();
    await b.store.questions.answer("q1", { option: "wait-8h", by: "Ann", via: "telegram" }, b.clock.now());
    await b.client.execute("update tasks set epoch = 2, state = 'queued', reason = 'given back; it is tried again'");
    await settleQuestions(b.hq);
    expect(await b.task()).toMatchObject({ state: "queued", epoch: 2, deadline: null });
    const said = (await shown())["ask:q1:end"];
    expect(said).toContain("It waits. Now: given back; it is tried again.");
    expect(said).not.toContain("expires");
  });

  it("another factory: it goes there at once, with an order on the bus, and the card says so", async () => {
    const desk = await named();
    expect(await answer("to-desk-2")).toEqual({ outcome: "answered", text: "desk-2 has it." });
    expect(await b.task()).toMatchObject({ state: "dispatched", factory: "desk-2", wanted: "desk-2" });
    expect(await desk.orders()).toHaveLength(1);
    expect(await kinds()).toEqual(["delegated", "held", "asked", "released", "dispatched", "published", "decided"]);
    expect((await shown())["card-edit:t1-1-1"]).toContain("@ desk-2");
  });

  it("another factory that is busy: it waits its turn there", async () => {
    await named();
    for (const id of ["t2-1-1", "t3-1-1"]) await delegate(b.hq, wish({ id, factory: "desk-2" }));
    expect(await answer("to-desk-2")).toMatchObject({ text: "It waits. Now: it is for desk-2 now." });
    expect(await b.task()).toMatchObject({ state: "queued", wanted: "desk-2" });
  });

  it("another factory that has gone meanwhile: it is held for that one, and asked about again", async () => {
    await named();
    await sleep();
    expect(await answer("to-desk-2")).toMatchObject({ outcome: "answered", text: "It waits. Now: desk-2 is offline." });
    expect(await b.task()).toMatchObject({ state: "held", wanted: "desk-2", reason: "desk-2 is offline" });
    await b.clock.advance(minute);
    await askAboutHolds(b.hq);
    expect(await open()).toEqual(["q2"]);
  });

  it("cancel: it is over", async () => {
    await named();
    await answer("cancel");
    expect(await b.task()).toMatchObject({ state: "cancelled", reason: "cancelled by Ann" });
    expect((await shown())["done:t1-1-1"]).toContain("🚫 cancelled");
  });

  /** As when a factory was there for a moment, with no slot free. */
  const heldAgain = async () => {
    await b.store.tasks.move("t1-1-1", 1, "release", { kind: "released", text: "there for a moment", code: "" }, b.clock.now());
    await dispatchAll(b.hq);
    expect(await b.task()).toMatchObject({ state: "held", epoch: 1 });
    await b.clock.advance(minute);
    await askAboutHolds(b.hq);
  };

  it("is carried out before the owner is asked about the next hold", async () => {
    await named();
    await b.store.questions.answer("q1", { option: "wait-1h", by: "Ann", via: "telegram" }, b.clock.now());
    await heldAgain();
    expect(await open()).toEqual([]);
    await settleQuestions(b.hq);
    await askAboutHolds(b.hq);
    expect(await open()).toEqual(["q2"]);
    expect((await b.task()).deadline).not.toBeNull();
  });

  it.each(["wait-1h", "to-desk-2", "cancel"])(
    "on the last question stands, however late an answer %s to an earlier one is",
    async (late) => {
      await named();
      const { question } = await b.store.questions.answer("q1", { option: late, by: "Ann", via: "telegram" }, b.clock.now());
      if (!question) throw new Error("unreachable");
      // Carried out by one event, while another that had begun with it stands still.
      await b.store.questions.applied("q1", { letter: letterOf(question), line: "" }, b.clock.now());
      await heldAgain();
      await answer("wait", "q2");
      const before = await b.task();
      expect(await decideHold(b.hq, question)).toMatch(/^The task was held anew meanwhile/);
      const blind = { ...b.hq, store: { ...b.store, questions: { ...b.store.questions, current: async () => true } } };
      if (late !== "cancel") await decideHold(blind, question);
      expect(await b.task()).toEqual(before);
    },
  );

  it("on an earlier question is none any more, once it was asked about anew", async () => {
    await named();
    await heldAgain();
    expect(await open()).toEqual(["q1", "q2"]);
    expect(await answer("cancel")).toEqual({
      outcome: "late",
      text: "Nothing to decide any more: settled by itself: it was asked about anew",
    });
    expect(await b.task()).toMatchObject({ state: "held" });
    expect(await open()).toEqual(["q2"]);
    await answer("cancel", "q2");
    expect(await b.task()).toMatchObject({ state: "cancelled" });
  });

  it.each(["before", "after"] as const)("to give it to another is carried out once, killed %s any of its calls", async (when) => {
    await b.join("desk-1");
    await sleep();
    const desk = await b.join("desk-2", { slots: 64 });
    for (let last = 0; ; last += 1) {
      const id = `t${last}-1-1`;
      const { question } = await delegate(b.hq, wish({ id, factory: "desk-1" }));
      const life = lifeUntil(last, when);
      const dying = { ...b.hq, store: life.of(b.store), bus: life.of(b.bus) };
      await answerQuestion(dying, { id: question?.id ?? "", option: "to-desk-2", by: "Ann", via: "telegram" }).catch(() => undefined);
      const answered = await decided(question?.id);
      await settleQuestions(b.hq);
      await dispatchAll(b.hq);
      if (answered) {
        expect(await decided(question?.id), `killed ${when} call ${last}`).toMatchObject({ option: "to-desk-2", applied: true });
        expect(await b.task(id), `killed ${when} call ${last}`).toMatchObject({ state: "dispatched", factory: "desk-2", epoch: 1 });
        expect((await kinds(id)).filter((kind) => kind === "decided" || kind === "dispatched")).toHaveLength(2);
      } else expect((await b.task(id)).state).toBe("held");
      await b.store.tasks.move(id, 1, "cancel", { kind: "cancelled", text: "", code: "" }, b.clock.now());
      await settleQuestions(b.hq);
      if (!life.dead) break;
      expect(last, "calls").toBeLessThan(40);
    }
    await b.clock.advance(6000);
    await dispatchAll(b.hq);
    const orders = await desk.orders();
    expect(new Set(orders.map(({ id }) => id)).size, "one order for each task").toBe(new Set(orders.map(({ body }) => body.task)).size);
    expect(await open()).toEqual([]);
  });
});

describe("a desktop that wakes", () => {
  it("gets the held task; the question is closed by itself, and the card says so", async () => {
    const desk = await b.join();
    await sleep();
    await delegate(b.hq, wish());
    await desk.beat();
    expect(await dispatchAll(b.hq)).toBe(1);
    expect(await b.task()).toMatchObject({ state: "dispatched", factory: "desk-1" });
    expect(await decided()).toMatchObject({ option: null, via: "event", by: "desk-1 has it now", applied: true });
    const texts = await shown();
    expect(texts["ask:q1:end"]).toBe("Fix the tests – held: desk-1 is offline\nNothing to decide any more: desk-1 has it now\nSimone @ HQ");
    expect(texts["card-edit:t1-1-1"]).toContain("📨 sent to the factory");
    expect(await answer("cancel")).toEqual({ outcome: "late", text: "Nothing to decide any more: settled by itself: desk-1 has it now" });
    expect((await b.task()).state, "a stale button does nothing").toBe("dispatched");
  });

  it("with all its slots taken has it queue, and the question is closed too", async () => {
    const desk = await b.join();
    for (const id of ["t8-1-1", "t9-1-1"]) await delegate(b.hq, wish({ id }));
    await sleep();
    await delegate(b.hq, wish());
    await desk.beat();
    await dispatchAll(b.hq);
    expect((await b.task()).state).toBe("queued");
    expect((await decided())?.by).toBe("it is in the queue again: desk-1 has no free slot");
  });

  it.each(["wait", "wait-1h", "cancel", "to-desk-2"])("and an answer %s at once end in one outcome", async (option) => {
    for (let i = 0; i < 12; i += 1) {
      const [id, question] = [`t${i}-1-1`, `q${i + 1}`];
      const desk = await b.join("desk-1", { slots: 64 });
      await sleep();
      await b.join("desk-2", { slots: 64 });
      await delegate(b.hq, wish({ id, factory: "desk-1" }));
      await desk.beat();
      const wake = () => dispatchAll(b.hq);
      const both = i % 2 ? [wake(), answer(option, question), wake()] : [answer(option, question), wake(), answer(option, question)];
      await Promise.all(both);
      await settleQuestions(b.hq);
      await dispatchAll(b.hq);
      const [task, end] = [await b.task(id), await decided(question)];
      const how = `${end?.via} ${end?.option}: ${task.state} at ${task.factory}, deadline ${task.deadline}`;
      expect(end?.applied, how).toBe(true);
      if (end?.via === "event") expect([task.state, task.factory, task.deadline], how).toEqual(["dispatched", "desk-1", null]);
      else if (option === "cancel") expect(task.state, how).toBe("cancelled");
      else expect([task.state, option === "to-desk-2" || task.factory === "desk-1"], how).toEqual(["dispatched", true]);
      const ends = await b.rows("select outcome from attempts where task = ? and ended_at is null", id);
      expect(ends.length, how).toBe(task.state === "dispatched" ? 1 : 0);
    }
  });
});
