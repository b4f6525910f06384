/** Questions to the owner: asked once, answered once from wherever, carried out over crashes, and told. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { questionKinds } from "#core/question.ts";
import { answerQuestion, settleQuestions } from "#factory/answer-owner.ts";
import { type Asking, askOwner, closeMoot, decisionOf, mayPassOn } from "#factory/ask-owner.ts";
import { cancelTask } from "#factory/cancel.ts";
import { delegate } from "#factory/delegate.ts";
import { deliverLetters } from "#factory/deliver.ts";
import { lifeUntil } from "../support/mortal.ts";
import { type HqBench, openHq, owner, startMs, wish } from "./headquarters.ts";

let b: HqBench;
beforeEach(async () => {
  b = await openHq();
});
afterEach(() => b.close());

/** About the held task t1-1-1, with a default that counts in an hour unless a test says otherwise. */
const asking = (changed: Partial<Asking> = {}): Asking => ({
  key: "the-question",
  kind: "hold",
  task: "t1-1-1",
  epoch: 1,
  chat: owner,
  what: ["Shall it wait?"],
  line: "asked whether it shall wait",
  options: [
    { key: "wait", label: "Wait" },
    { key: "wait-1h", label: "Wait at most 1 h" },
    { key: "cancel", label: "Cancel it" },
  ],
  otherwise: "wait",
  expiresAt: startMs + 3_600_000,
  ...changed,
});
/** A task that is held, and about which nobody is asked but by the test. */
async function held() {
  await b.store.tasks.create({ ...wish(), wanted: null }, { kind: "delegated", text: "" }, b.clock.now());
  await b.store.tasks.move("t1-1-1", 1, "hold", { kind: "held", text: "desk-1 is offline", code: "offline" }, b.clock.now());
}
async function ask(changed: Partial<Asking> = {}) {
  await held();
  return askOwner(b.hq, asking(changed));
}
const answer = (option: string, by = "Ann", via: "telegram" | "dashboard" | "command" = "dashboard", id = "q1") =>
  answerQuestion(b.hq, { id, option, by, via });
const decided = async (id = "q1") => (await b.store.questions.get(id))?.answer;
async function said() {
  for (let i = 0; i < 4; i += 1) {
    await deliverLetters(b.hq);
    await b.clock.advance(1000);
  }
  return b.chat.delivered;
}

describe("asking", () => {
  it("is one audible message with a button for each option, and a way to the task", async () => {
    expect(await ask()).toMatchObject({ id: "q1", answer: null, options: asking().options });
    const [message, ...rest] = await said();
    expect(rest).toEqual([]);
    expect(message?.body).toMatchObject({
      kind: "text",
      silent: false,
      content: { text: "Shall it wait?\nSimone @ HQ" },
      buttons: [
        [
          { label: "Wait", tap: "ask:q1:wait" },
          { label: "Wait at most 1 h", tap: "ask:q1:wait-1h" },
        ],
        [{ label: "Cancel it", tap: "ask:q1:cancel" }],
        [{ label: "Open", url: "https://hq.example/tasks/t1-1-1" }],
      ],
    });
    expect((await b.store.tasks.events("t1-1-1")).map(({ kind }) => kind)).toEqual(["delegated", "held", "asked"]);
  });

  it("again under the same key is the same question, said once", async () => {
    const first = await ask();
    const again = await Promise.all([1, 2, 3].map(() => askOwner(b.hq, asking({ what: ["Something else?"] }))));
    expect(again).toEqual([first, first, first]);
    expect(await said()).toHaveLength(1);
  });

  it("with an expiry and no default is refused: it could never be answered", async () => {
    await held();
    for (const otherwise of [null, "explode"]) {
      await expect(askOwner(b.hq, asking({ otherwise }))).rejects.toMatchObject({ code: "bad_input" });
    }
    expect(await b.store.questions.open({ limit: 9 })).toEqual([]);
  });

  it("has taps of at most 64 bytes, with the longest names too", async () => {
    await held();
    await b.store.set("question", "9999999998");
    await askOwner(b.hq, asking({ options: [{ key: `to-${"a".repeat(40)}`, label: "x" }], otherwise: null, expiresAt: null }));
    const [message] = await said();
    const taps = message?.body.kind === "text" ? message.body.buttons.flat().flatMap(({ tap }) => tap ?? []) : [];
    expect(taps).toEqual([`ask:q9999999999:to-${"a".repeat(40)}`]);
    for (const tap of taps) expect(tap.length).toBeLessThanOrEqual(64);
  });
});

describe("an answer", () => {
  it("is carried out, takes the buttons away, and says who gave it from where", async () => {
    await ask();
    expect(await answer("cancel")).toEqual({ outcome: "answered", text: "It is cancelled: cancelled by Ann." });
    expect(await b.task()).toMatchObject({ state: "cancelled", reason: "cancelled by Ann" });
    const edit = (await said()).find(({ body }) => body.kind === "edit" && body.of === "ask:q1");
    expect(edit?.body).toMatchObject({ buttons: [] });
    expect(edit?.body.kind === "edit" && edit.body.content.text).toBe(
      "Shall it wait?\nCancel it, by Ann from the dashboard at 17:46 UTC\nIt is cancelled: cancelled by Ann.\nSimone @ HQ",
    );
    expect((await b.store.tasks.events("t1-1-1")).map(({ kind }) => kind)).toEqual([
      "delegated",
      "held",
      "asked",
      "cancelled",
      "decided",
      "told",
    ]);
  });

  it.each([
    ["telegram", "in the chat"],
    ["dashboard", "from the dashboard"],
    ["command", "from the command line"],
  ] as const)("by %s says that it came %s", async (via, words) => {
    await ask();
    await answer("wait", "Ann", via);
    expect(await answer("cancel", "Bob")).toEqual({ outcome: "late", text: `Already answered: Wait, by Ann ${words} at 17:46 UTC` });
  });

  it("32: that comes late changes nothing, and says what happened", async () => {
    await ask();
    await answer("wait");
    const before = await b.snapshot();
    await b.clock.advance(24 * 3_600_000);
    expect(await answer("cancel", "Bob", "telegram")).toMatchObject({
      outcome: "late",
      text: "Already answered: Wait, by Ann from the dashboard on 2030-03-17 at 17:46 UTC",
    });
    expect(await b.snapshot()).toEqual(before);
  });

  it("given again by the same hand is that answer", async () => {
    await ask();
    await answer("wait");
    expect(await answer("wait")).toMatchObject({ outcome: "answered", text: expect.stringMatching(/^Already answered: Wait, by Ann/) });
    expect(await answer("wait", "Bob")).toMatchObject({ outcome: "late" });
  });

  it.each([
    ["q9", "wait", "unknown", "There is no question q9."],
    ["q1", "explode", "no_option", "q1 has no such answer. There are: wait, wait-1h, cancel."],
  ])("to %s with %s is %s", async (id, option, outcome, text) => {
    await ask();
    const before = await b.snapshot();
    expect(await answer(option, "Ann", "telegram", id)).toEqual({ outcome, text });
    expect(await b.snapshot()).toEqual(before);
  });

  it("of forty at once, from everywhere, is one, and all are told which", async () => {
    await ask();
    const options = ["wait", "wait-1h", "cancel"];
    const ways = ["telegram", "dashboard", "command"] as const;
    const all = await Promise.all(
      Array.from({ length: 40 }, (_, i) => answer(options[i % 3] ?? "", `person ${i}`, ways[Math.floor(i / 3) % 3] ?? "command")),
    );
    const winners = all.flatMap(({ outcome }, i) => (outcome === "answered" ? [i] : []));
    expect(winners).toHaveLength(1);
    const [winner = -1] = winners;
    expect(await decided()).toMatchObject({ option: options[winner % 3], by: `person ${winner}`, applied: true });
    for (const [i, { text }] of all.entries())
      if (i !== winner) expect(text).toMatch(new RegExp(`^Already answered: .*, by person ${winner} `));
    const task = await b.task();
    expect([task.state, task.deadline !== null]).toEqual(winner % 3 === 2 ? ["cancelled", false] : ["held", winner % 3 === 1]);
    expect((await said()).filter(({ body }) => body.kind === "edit" && body.of === "ask:q1")).toHaveLength(1);
  });

  it.each(["before", "after"] as const)("counts and is carried out once, killed %s any of its calls", async (when) => {
    for (let last = 0; ; last += 1) {
      const id = `t${last}-1-1`;
      await b.store.tasks.create({ ...wish({ id }), wanted: null }, { kind: "delegated", text: "" }, b.clock.now());
      await b.store.tasks.move(id, 1, "hold", { kind: "held", text: "offline", code: "offline" }, b.clock.now());
      const question = await askOwner(
        b.hq,
        asking({ key: id, task: id, options: [{ key: "cancel", label: "Cancel it" }], otherwise: null, expiresAt: null }),
      );
      const life = lifeUntil(last, when);
      const dying = { ...b.hq, store: life.of(b.store), bus: life.of(b.bus) };
      await answerQuestion(dying, { id: question.id, option: "cancel", by: "Ann", via: "command" }).catch(() => undefined);
      const answered = await decided(question.id);
      await settleQuestions(b.hq);
      if (answered) {
        expect((await b.task(id)).state, `killed ${when} call ${last}`).toBe("cancelled");
        expect(await decided(question.id)).toMatchObject({ option: "cancel", applied: true });
        const story = (await b.store.tasks.events(id)).map(({ kind }) => kind);
        expect(story, `killed ${when} call ${last}`).toEqual(["delegated", "held", "asked", "cancelled", "decided"]);
        expect(await b.rows("select key from letters where key = ?", `ask:${question.id}:end`)).toHaveLength(1);
      } else expect((await b.task(id)).state).toBe("held");
      if (!life.dead) break;
      expect(last, "calls").toBeLessThan(30);
    }
  });

  it("survives a restart in between: the next one is told by the database alone", async () => {
    await ask();
    const restarted = { ...b.hq };
    expect(await answerQuestion(restarted, { id: "q1", option: "wait-1h", by: "Ann", via: "telegram" })).toMatchObject({
      outcome: "answered",
    });
    expect(await b.task()).toMatchObject({ state: "held", deadline: startMs + 3_600_000 });
  });
});

describe("a question that nobody answers", () => {
  it("has its default count, and says so", async () => {
    await ask();
    await b.clock.advance(3_599_000);
    await settleQuestions(b.hq);
    expect(await decided()).toBeNull();
    await b.clock.advance(1000);
    await Promise.all([settleQuestions(b.hq), settleQuestions(b.hq)]);
    expect(await decided()).toMatchObject({ option: "wait", via: "expiry", applied: true });
    expect((await said()).map(({ body }) => "content" in body && body.content.text).at(-1)).toContain("nobody answered in time, so: Wait");
    expect(await answer("cancel")).toEqual({ outcome: "late", text: "Already answered: nobody answered in time, so: Wait" });
  });

  it("is expired by the late answer itself, where no tick has come by", async () => {
    await ask();
    await b.clock.advance(3_600_000);
    expect(await answer("cancel")).toMatchObject({ outcome: "late", text: expect.stringContaining("nobody answered in time") });
    expect((await b.task()).state).toBe("held");
  });

  it("stays for ever without an expiry", async () => {
    await ask({ expiresAt: null });
    await b.clock.advance(365 * 24 * 3_600_000);
    await settleQuestions(b.hq);
    expect((await b.store.questions.open({ limit: 9 })).map(({ id }) => id)).toEqual(["q1"]);
  });
});

describe("a question that settles itself", () => {
  it("ends when its task does: a late tap is told why", async () => {
    await ask();
    await cancelTask(b.hq, "t1-1-1", "no longer needed");
    expect(await decided()).toMatchObject({ option: null, via: "event", by: "it is cancelled: no longer needed", applied: true });
    expect(await answer("wait")).toEqual({
      outcome: "late",
      text: "Nothing to decide any more: settled by itself: it is cancelled: no longer needed",
    });
    const edits = (await said()).filter(({ body }) => body.kind === "edit" && body.of === "ask:q1");
    expect(edits.map(({ body }) => body.kind === "edit" && body.buttons)).toEqual([[]]);
  });

  it("is found by the tick, or by the tap, where whoever ended its task died", async () => {
    await ask();
    await b.store.tasks.move("t1-1-1", 1, "expire", { kind: "expired", text: "its time is over", code: "expired" }, b.clock.now());
    expect(await answer("cancel")).toMatchObject({ outcome: "late", text: expect.stringContaining("it is expired: its time is over") });

    await askOwner(b.hq, asking({ key: "another" }));
    await settleQuestions(b.hq);
    expect(await decided("q2")).toMatchObject({ via: "event", by: "it is expired: its time is over" });
  });

  it("ends with a task that is not there any more", async () => {
    await ask();
    await b.client.execute("delete from tasks");
    await settleQuestions(b.hq);
    expect(await decided()).toMatchObject({ via: "event", by: "its task is not there any more" });
  });

  it("is left alone while its task stands where it stood", async () => {
    const question = await ask();
    await closeMoot(b.hq, await b.task());
    expect(await decided()).toBeNull();
    expect(decisionOf(question, b.clock.now())).toBeNull();
  });
});

it("one that can't be settled keeps none of the others from it", async () => {
  await b.join();
  await delegate(b.hq, wish({ workspace: "elsewhere" }));
  await delegate(b.hq, wish({ id: "t2-1-1", workspace: "elsewhere" }));
  for (const id of ["q1", "q2"]) await b.store.questions.answer(id, { option: "wait-1h", by: "Ann", via: "command" }, b.clock.now());
  const change: typeof b.store.tasks.change = (id, ...rest) =>
    id === "t1-1-1" ? Promise.reject(new Error("broken")) : b.store.tasks.change(id, ...rest);
  await settleQuestions({ ...b.hq, store: { ...b.store, tasks: { ...b.store.tasks, change } } });
  expect([(await decided("q1"))?.applied, (await decided("q2"))?.applied]).toEqual([false, true]);
  await settleQuestions(b.hq);
  expect((await decided("q1"))?.applied).toBe(true);
});

it("may be passed on by a model only where its kind allows that", async () => {
  const question = await ask();
  expect(mayPassOn(question)).toBe(true);
  const kind = questionKinds.hold as { byHand: boolean };
  kind.byHand = true;
  try {
    expect(mayPassOn(question)).toBe(false);
  } finally {
    kind.byHand = false;
  }
});
