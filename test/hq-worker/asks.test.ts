/** Answering from the chat: by a button, by a command, in words through Simone; and from a page, with what follows from it. */
import { afterEach, describe, expect, it } from "vitest";
import type { Script, ScriptedReply } from "#adapters/llm/scripted.ts";
import { paths } from "#core/hq-api.ts";
import { questionKinds } from "#core/question.ts";
import { answerQuestion } from "#factory/answer-owner.ts";
import { delegate } from "#factory/delegate.ts";
import { deliverLetters } from "#factory/deliver.ts";
import { tick } from "../../hq-worker/tick.ts";
import { use } from "../factory/agent.ts";
import { wish } from "../factory/headquarters.ts";
import { quietBeat } from "../support/heartbeats.ts";
import { message, type Office, openOffice, tap } from "./office.ts";

let b: Office;
afterEach(() => b.close());

let updates = 0;
const next = () => (updates += 1);
/** A task that waits for desk-1, which sleeps; desk-2 is there. */
async function asked(options: { script?: Script } = {}) {
  b = await openOffice(options);
  const desk = await b.join("desk-1");
  await b.clock.advance(20 * 60_000);
  await b.join("desk-2");
  await delegate(b.hq, wish({ factory: "desk-1" }));
  return desk;
}
async function tapped(data: string) {
  const id = next();
  await b.webhook(tap(id, data));
  await b.work();
  return (await b.letters()).find(([key]) => key === `answer:${id}`)?.[1];
}
async function said(text: string, changed: Record<string, unknown> = {}) {
  const id = next();
  await b.webhook(message(id, text, changed));
  await b.work();
  return (await b.letters()).find(([key]) => key === `reply:${id}`)?.[1] ?? "";
}

describe("a button", () => {
  it("answers, and once pressed it is stale: whoever presses it is told what happened", async () => {
    await asked();
    expect(await tapped("ask:q1:wait-1h")).toMatch(/^It waits; unless it has begun by then, it expires at /);
    expect(await tapped("ask:q1:cancel")).toMatch(/^Already answered: Wait at most 1 h, by Alice in the chat at \d\d:\d\d UTC$/);
    expect((await b.task()).state).toBe("held");
    expect(await tapped("ask:q9:wait")).toBe("There is no question q9.");
    expect(await tapped("ask:q1")).toMatch(/^Already answered/);
    expect(await tapped("ask:")).toBe("There is no question .");
  });

  it("that gives the task to another sends the order at once, within the calls of one event", async () => {
    await asked();
    await b.webhook(tap(next(), "ask:q1:to-desk-2"));
    const used = await b.count(() => b.work());
    expect(used.sql + used.bus).toBeLessThanOrEqual(30);
    expect(await b.task()).toMatchObject({ state: "dispatched", factory: "desk-2" });
    expect(await b.rows("select factory from outbox where sent_at is not null")).toEqual([{ factory: "desk-2" }]);
  });
});

describe("a command", () => {
  it("lists what is asked, with what to type, and answers it", async () => {
    await asked();
    const list = await said("/questions");
    expect(list).toMatch(/^q1: Fix the tests – held: desk-1 is offline\n\/answer q1 wait – Wait without limit\n/);
    expect(list).toContain("/answer q1 to-desk-2 – Give it to desk-2");
    expect(await said("/answer")).toMatch(/^How\? \/answer <id> <option>\nq1: /);
    expect(await said("/answer q1 explode")).toMatch(/^q1 has no such answer\. There are: wait, wait-1h, wait-8h, to-desk-2, cancel\./);
    expect(await said("/answer Q1 Cancel")).toMatch(/^It is cancelled: cancelled by Alice\./);
    expect(await said("/answer q1 wait")).toMatch(/^Already answered: Cancel it, by Alice in the chat/);
    expect(await said("/questions")).toMatch(/^Nothing waits for your answer\./);
  });

  it("that was forwarded answers nothing", async () => {
    await asked();
    expect(await said("/answer q1 cancel", { forward_origin: { type: "hidden_user" } })).toContain("not carried out");
    expect((await b.task()).state).toBe("held");
  });
});

describe("Simone", () => {
  const results = () =>
    b.llm.requests
      .flatMap(({ messages }) => messages.at(-1)?.content ?? [])
      .flatMap((block) => (block.type === "tool_result" ? [block] : []));

  it("is told that the owner was asked, when nobody can take what she delegates", async () => {
    const script: ScriptedReply[] = [
      { tools: [use("delegate", { title: "Fix it", instruction: "Fix it.", kind: "coder" })] },
      "I asked you.",
    ];
    b = await openOffice({ script });
    await said("Fix it");
    expect(results()[0]?.content).toMatch(
      /is held: no factory is enrolled\. The owner was asked with buttons what shall become of it, question q1: wait \(Wait without limit\), /,
    );
  });

  it("passes on what the owner says in words", async () => {
    await asked({
      script: [{ tools: [use("questions", {})] }, { tools: [use("answer", { id: "q1", option: "to-desk-2" })] }, "desk-2 has it."],
    });
    expect(await said("Send it to desk-2 then")).toContain("desk-2 has it.");
    expect(results().map(({ content }) => content)).toEqual([expect.stringContaining("q1: Fix the tests"), "desk-2 has it."]);
    expect((await b.store.questions.get("q1"))?.answer).toMatchObject({ by: "Alice through Simone", via: "telegram", applied: true });
    expect(await b.task()).toMatchObject({ state: "dispatched", factory: "desk-2" });
  });

  it.each<[string, { id: string; option: string }, RegExp]>([
    ["a question that nobody asked", { id: "q9", option: "wait" }, /^This chat was not asked q9/],
    ["an option that is none", { id: "q1", option: "explode" }, /^q1 has no such answer/],
  ])("can't answer %s", async (_, input, text) => {
    await asked({ script: [{ tools: [use("answer", input)] }, "I could not."] });
    await said("Do something");
    expect(results()[0]).toMatchObject({ isError: true, content: expect.stringMatching(text) });
    expect((await b.task()).state).toBe("held");
  });

  it("can't answer what another chat was asked, nor what is answered by hand", async () => {
    await asked({
      script: [
        { tools: [use("answer", { id: "q1", option: "cancel" })] },
        "No.",
        { tools: [use("answer", { id: "q1", option: "cancel" })] },
        "No.",
      ],
    });
    await b.client.execute("update questions set chat = 5");
    await said("Cancel it");
    await b.client.execute({ sql: "update questions set chat = (select chat from tasks)", args: [] });
    const kind = questionKinds.hold as { byHand: boolean };
    kind.byHand = true;
    try {
      await said("Cancel it");
    } finally {
      kind.byHand = false;
    }
    expect(results().map(({ content }) => content)).toEqual([
      "This chat was not asked q1. See the tool questions.",
      "The owner answers q1 by hand: by its buttons, or /answer.",
    ]);
    expect((await b.task()).state).toBe("held");
  });

  it("has no tool at all for what was forwarded", async () => {
    await asked({ script: ["Nice."] });
    await said("Answer q1 with cancel", { forward_origin: { type: "hidden_user" } });
    expect(b.llm.requests[0]?.tools).toEqual([]);
  });
});

it("an answer from a page has its consequences said and handed out after the response", async () => {
  await asked();
  await deliverLetters(b.hq);
  const answer = () => answerQuestion(b.hq, { id: "q1", option: "cancel", by: "the owner", via: "dashboard" });
  b.context.dashboard = {
    async fetch(request) {
      expect(new URL(request.url).pathname).toBe("/asks/q1");
      const { outcome } = await answer();
      return new Response(null, { status: outcome === "answered" ? 303 : 409 });
    },
  };
  expect((await b.request("/asks/q1", { method: "POST" })).status).toBe(303);
  await b.settled();
  expect(b.chat.texts().join("\n")).toContain("🚫 cancelled");
  expect(b.rings.at(-1), "what is due later has its wake-up").toEqual([expect.any(Number), expect.any(Number)]);
});

it("a heartbeat has the waking desktop given its task, the question closed and the card edited, without a tick", async () => {
  const desk = await asked();
  await tick(b.context);
  b.chat.delivered.length = 0;
  await b.clock.advance(10_000);
  await b.post(paths.heartbeat, await desk.sealed("heartbeat", quietBeat(desk.facts)));
  await b.settled();
  expect(await b.task()).toMatchObject({ state: "dispatched", factory: "desk-1" });
  expect((await b.store.questions.get("q1"))?.answer).toMatchObject({ via: "event", by: "desk-1 has it now" });
  expect(b.chat.texts()).toEqual([expect.stringContaining("📨 sent to the factory")]);
  expect(b.rings.at(-1)?.[1], "the question's own message follows").toBeLessThanOrEqual(b.clock.now() + 5000);

  const idle = await b.count(async () => {
    await b.post(paths.heartbeat, await desk.sealed("heartbeat", quietBeat(desk.facts)));
    await b.settled();
  });
  expect(idle.letters, "nothing new is said").toBe(0);
});

it("the tick asks about what has been held for a minute, and lets a default count", async () => {
  b = await openOffice();
  await b.store.tasks.create({ ...wish(), wanted: null }, { kind: "delegated", text: "" }, b.clock.now());
  await tick(b.context);
  expect((await b.task()).state).toBe("held");
  expect(await b.store.questions.open({ limit: 9 })).toEqual([]);
  await b.clock.advance(60_000);
  await tick(b.context);
  expect(await b.store.questions.open({ limit: 9 })).toMatchObject([{ id: "q1", task: "t1-1-1" }]);
  await b.client.execute(`update questions set otherwise = 'cancel', expires_at = ${b.clock.now() + 1}`);
  await b.clock.advance(60_000);
  await tick(b.context);
  expect(await b.task()).toMatchObject({ state: "cancelled" });
});

it("a task that waits at most an hour expires after it; one about which nobody decided takes its question along", async () => {
  await asked();
  await delegate(b.hq, wish({ id: "t2-1-1", factory: "desk-1", deadline: b.clock.now() + 30 * 60_000 }));
  expect((await b.store.questions.get("q2"))?.content.text).toContain("It expires ");
  await tapped("ask:q1:wait-1h");
  for (let minute = 0; minute < 59; minute += 1) await b.clock.advance(60_000);
  await tick(b.context);
  expect([(await b.task()).state, (await b.task("t2-1-1")).state]).toEqual(["held", "expired"]);
  expect((await b.store.questions.get("q2"))?.answer).toMatchObject({
    via: "event",
    by: expect.stringMatching(/^it is expired: It had not begun by/),
  });
  await b.clock.advance(60_000);
  await tick(b.context);
  expect((await b.task()).state).toBe("expired");
});
