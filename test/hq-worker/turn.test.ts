import { afterEach, describe, expect, it } from "vitest";
import type { Script, ScriptedReply } from "#adapters/llm/scripted.ts";
import { UacError } from "#core/errors.ts";
import { grantClaim } from "#factory/claim.ts";
import { delegate } from "#factory/delegate.ts";
import { deliverLetters } from "#factory/deliver.ts";
import { tick } from "../../hq-worker/tick.ts";
import { workChat } from "../../hq-worker/turn.ts";
import { use } from "../factory/agent.ts";
import { owner, resultOf, settleResult, startMs, wish } from "../factory/headquarters.ts";
import { lifeUntil } from "../support/mortal.ts";
import { digest, message, type Office, openOffice, tap } from "./office.ts";

let b: Office;
afterEach(() => b.close());

const fix = { title: "Fix the tests", instruction: "They fail.", kind: "coder" };
/** Simone hands the work on, and says so. What she says next follows from what she said. */
const handsOn: Script = ({ messages }) => {
  const last = messages.at(-1)?.content.at(-1);
  return last?.type === "tool_result" ? `She has it: ${last.content}` : { tools: [use("delegate", fix)] };
};
const next = () => workChat(b.hq, digest, owner);
const replies = async () => (await b.letters()).filter(([key]) => key.startsWith("reply:"));

describe("the desk", () => {
  it("works a chat's messages off one by one, oldest first, one in each event", async () => {
    b = await openOffice({ script: ({ messages }) => `You said: ${JSON.stringify(messages.at(-1)?.content)}` });
    await b.webhook(message(2, "second"));
    await b.webhook(message(1, "first"));
    expect(await next()).toBe(b.clock.now());
    expect(await replies()).toHaveLength(1);
    expect(await b.work()).toBe(1);
    expect((await replies()).map(([, text]) => text)).toEqual([expect.stringContaining("first"), expect.stringContaining("second")]);
    expect(await next()).toBeNull();
  });

  it("shows that a message was seen before the model is asked", async () => {
    b = await openOffice({
      script: () => {
        expect(b.chat.delivered).toMatchObject([{ body: { kind: "react", message: 11 } }]);
        return "Hello.";
      },
    });
    await b.webhook(message(1, "Hello"));
    await b.work();
    expect(await replies()).toHaveLength(1);
  });

  it("is not kept from its work by a chat that is away", async () => {
    b = await openOffice({ script: ["Hello."] });
    b.hq.store.letters.take = () => Promise.reject(new Error("away"));
    await b.webhook(message(1, "Hello"));
    await b.work();
    expect(await replies()).toHaveLength(1);
  });

  it("comes again later and later for a turn that breaks off, and leaves it after five", async () => {
    const away = new UacError("store_unavailable", "away");
    b = await openOffice({ script: ["Hello."] });
    const broken = { ...b.hq, store: { ...b.store, spending: { ...b.store.spending, settle: () => Promise.reject(away) } } };
    await b.webhook(message(1, "poison"));
    await b.webhook(message(2, "/help"));
    const waits = [];
    for (let i = 0; i < 8; i += 1) {
      b.llm.requests.length = 0;
      waits.push(((await workChat(broken, digest, owner)) ?? 0) - b.clock.now());
    }
    expect(waits).toEqual([2, 4, 8, 16, 32, 64, 128, 256].map((seconds) => seconds * 1000));
    await workChat(broken, digest, owner);
    expect(await b.letters()).toEqual([["poison:1", expect.stringContaining("I broke off at this message 8 times")]]);
    expect(await b.rows("select id, outcome from inbound_updates where finished_at is not null")).toEqual([{ id: 1, outcome: "poison" }]);
    await b.work();
    expect((await replies()).map(([key]) => key)).toEqual(["reply:2"]);
  });
});

it("a message that is left shows the task that it had made, and names it", async () => {
  const away = new UacError("store_unavailable", "away");
  b = await openOffice({ script: handsOn });
  await b.join();
  const add: typeof b.store.letters.add = (letters, now) =>
    letters.some(({ key }) => key.startsWith("card:")) ? Promise.reject(away) : b.store.letters.add(letters, now);
  const broken = { ...b.hq, store: { ...b.store, letters: { ...b.store.letters, add } } };
  await b.webhook(message(1, "Fix the tests"));
  for (let i = 0; i < 8; i += 1) await workChat(broken, digest, owner);
  const [task] = await b.store.tasks.list({ chat: owner, limit: 5 });
  expect(await b.letters()).toEqual([]);
  await b.work();
  expect(await b.letters()).toEqual([
    [`card:${task?.id}`, expect.anything()],
    ["poison:1", expect.stringContaining(`What it had begun by then goes on: ${task?.id}.`)],
  ]);
});

it("a turn that takes many events is no poison", async () => {
  b = await openOffice({ script: (_, call) => (call < 11 ? { tools: [use("fleet", {}), use("task", { id: `t${call}` })] } : "Done.") });
  await b.webhook(message(1, "Look"));
  let events = 0;
  for (let again: number | null = 0; again !== null; events += 1) {
    const { sql, letters, model } = b.counts;
    b.limits.calls = sql + letters + model + 32;
    again = await next();
    expect(events).toBeLessThan(30);
  }
  expect(events).toBeGreaterThan(6);
  expect(await b.letters()).toEqual([["reply:1", "Done.\nSimone @ HQ"]]);
});

describe("delegating", () => {
  it("is one task, one card and one answer, wherever the turn is killed", async () => {
    b = await openOffice({ script: handsOn });
    await b.join();
    for (let id = 1, most = 0; most < 60; id += 1) {
      await b.webhook(message(id, "Fix the tests"));
      const life = lifeUntil(most, "before");
      await workChat({ ...b.hq, store: life.of(b.store) }, digest, owner).catch(() => undefined);
      const died = life.dead;
      await b.work();
      expect(
        (await b.store.tasks.list({ chat: owner, limit: 100 })).filter((task) => task.id.startsWith(`t${id}-`)),
        `killed at ${most}`,
      ).toHaveLength(1);
      const letters = (await b.letters()).map(([key]) => key);
      expect(
        letters.filter((key) => key.startsWith(`card:t${id}-`)),
        `killed at ${most}`,
      ).toHaveLength(1);
      expect(
        letters.filter((key) => key === `reply:${id}`),
        `killed at ${most}`,
      ).toHaveLength(1);
      for (const { id: task, epoch } of await b.store.tasks.list({ states: ["dispatched", "queued", "held"], limit: 50 })) {
        await b.store.tasks.move(task, epoch, "cancel", { kind: "cancelled", text: "", code: "" }, b.clock.now());
      }
      if (!died) return;
      most += 3;
    }
    throw new Error("the turn never came to its end");
  }, 60_000);

  it("names the task after the call: short enough to type", async () => {
    b = await openOffice({ script: handsOn });
    await b.join();
    await b.webhook(message(7, "Fix the tests"));
    await b.work();
    expect(await b.task("t7-1-1")).toMatchObject({ title: "Fix the tests", workspace: "shop", message: 17, kind: "coder" });
    expect((await replies())[0]?.[1]).toContain("Task t7-1-1 is dispatched at desk-1");
  });

  it("to a workspace that nobody has is told to the model, and makes no task", async () => {
    const script: ScriptedReply[] = [{ tools: [use("delegate", { ...fix, workspace: "garage" })] }, "There is none."];
    b = await openOffice({ script });
    await b.join();
    await b.webhook(message(1, "Fix it"));
    await b.work();
    expect(b.llm.requests[1]?.messages.at(-1)?.content[0]).toMatchObject({
      isError: true,
      content: "There is no workspace garage. There are: shop.",
    });
    expect(await b.store.tasks.list({ limit: 9 })).toEqual([]);
  });
});

describe("commands", () => {
  const say = async (text: string, changed: Record<string, unknown> = {}) => {
    const id = b.counts.sql + 1;
    await b.webhook(message(id, text, changed));
    await b.work();
    return (await b.letters()).find(([key]) => key === `reply:${id}`)?.[1] ?? "";
  };

  it("are answered by rule, without a model", async () => {
    b = await openOffice();
    await b.join();
    await delegate(b.hq, wish());
    expect(await say("/help")).toContain("/enrol –");
    expect(await say("/start")).toContain("/enrol –");
    expect(await say("/status")).toMatch(/desk-1 \(desk-1\): online.*t1-1-1: dispatched at desk-1/s);
    expect(await say("/fleet@simone_bot")).toContain("busy 1/1");
    expect(await say("/tasks")).toContain("t1-1-1: dispatched");
    expect(await say("/task t1-1-1")).toContain("delegated: Simone delegated");
    expect(await say("/task")).toContain("Which task?");
    expect(await say("/task t9")).toContain("There is no task t9");
    expect(await say("/cost")).toContain("Nothing was spent this month, today included: $0.00.");
    expect(await say("/cancel")).toContain("Which task?");
    expect(await say("/cancel t9")).toContain("There is no task t9");
    expect(await say("/CANCEL t1-1-1")).toContain("t1-1-1 is cancelled");
    expect(await say("/cancel t1-1-1")).toContain("is over already");
    expect(await say("/constructor")).toContain("There is no /constructor");
    expect(await say("/ hello")).toContain("That is no command");
    expect(b.llm.requests).toEqual([]);
  });

  it("do a task again that ended badly, and list what was given up", async () => {
    b = await openOffice();
    await b.join();
    await delegate(b.hq, wish());
    expect(await say("/dead")).toContain("There are no dead letters.");
    expect(await say("/replay")).toContain("Which task?");
    expect(await say("/replay t9")).toContain("There is no task t9");
    expect(await say("/replay t1-1-1")).toContain("it is not over yet");
    await b.client.execute("update tasks set state = 'dead', reason = 'given up after 3 lost attempts', ended_at = 1");
    await b.store.incident({ kind: "dead_letter", factory: "desk-1", text: "an entry was refused", digest: "a" }, b.clock.now());
    await b.store.incident({ kind: "unsettled", factory: "desk-1", text: "another matter", digest: "b" }, b.clock.now());
    const dead = await say("/dead");
    expect(dead).toContain("t1-1-1: Fix the tests – given up after 3 lost attempts\n/replay <id> does one again.\n");
    expect(dead).toContain("2030-03-17 17:46 UTC: an entry was refused");
    expect(dead).not.toContain("another matter");
    const answer = await say("/replay t1-1-1");
    expect(answer).toMatch(/t1-1-1 is done again as t\d+-r, which is dispatched/);
    expect(await say("/replay t1-1-1")).toContain("was done again already");
  });

  it("that were forwarded do nothing", async () => {
    b = await openOffice();
    await delegate(b.hq, wish());
    expect(await say("/cancel t1-1-1", { forward_origin: { type: "hidden_user" } })).toContain("not carried out");
    expect((await b.task()).state).toBe("held");
  });

  it("make a code for a machine, known by its hash alone", async () => {
    b = await openOffice();
    const text = await say("/enrol desk-1 Bob's $(touch x) desk");
    const code = /enrol (\S+)$/m.exec(text)?.[1] ?? "";
    expect(text).toContain("FACTORY_NAME='Bob'\\''s $(touch x) desk'");
    expect(await b.rows("select hash, factory, name, role from join_codes")).toEqual([
      { hash: await digest.hash(code), factory: "desk-1", name: "Bob's $(touch x) desk", role: "branch" },
    ]);
    expect(await say("/enrol_hq desk-2")).toContain("FACTORY_ROLE=headquarters FACTORY_ID=desk-2");
    expect(await say("/enrol Desk")).toContain("lower-case letters");
    expect(await say(`/enrol desk-3 ${"x".repeat(65)}`)).toContain("at most 64");
    expect(await b.rows("select factory from join_codes")).toHaveLength(2);
  });

  it("send a link that works once to the chat, and never to the model", async () => {
    b = await openOffice({ script: [{ tools: [use("view", {})] }, "Sent."] });
    await b.webhook(message(1, "Show me"));
    await b.work();
    const [link] = await b.rows("select body_json ->> '$.buttons[0][0].url' as url from letters where key = 'view:1'");
    const token = new URL(String(link?.url)).searchParams.get("t") ?? "";
    expect(JSON.stringify(b.llm.requests)).not.toContain(token);
    const session = { hash: "session", expiresAt: b.clock.now() + 1000 };
    expect(await b.store.access.redeemLogin(await digest.hash(token), session, b.clock.now())).toBe(true);
    expect(await b.store.access.redeemLogin(await digest.hash(token), session, b.clock.now())).toBe(false);
  });
});

describe("a reply to a task's card", () => {
  const reply = (id: number, text: string, to: number, changed = {}) =>
    message(id, text, { reply_to_message: { message_id: to }, ...changed });
  /** A task at work, with its card in the chat; resolves to the card's message. */
  async function atWork() {
    const desk = await b.join();
    await delegate(b.hq, wish());
    const [order] = await desk.orders();
    await grantClaim(b.hq, await desk.factory(), { task: "t1-1-1", epoch: 1, order: order?.id ?? "" });
    await b.client.execute("update tasks set persona = 'Lisa'");
    await deliverLetters(b.hq);
    const [card] = await b.rows("select message from letters where key = 'card:t1-1-1'");
    return { desk, card: Number(card?.message) };
  }
  const controls = async () => (await b.rows("select id, control_json ->> '$.text' as text from controls")).map(({ text }) => text);

  it("is passed on to whoever works on it, without a model", async () => {
    b = await openOffice();
    const { card } = await atWork();
    await b.webhook(reply(21, "Use tabs.", card));
    await b.work();
    expect(await replies()).toEqual([["reply:21", "Passed on to Lisa @ desk-1.\nSimone @ HQ"]]);
    expect(await controls()).toEqual(["Use tabs."]);
    expect(b.llm.requests).toEqual([]);
  });

  it.each(["before", "after"] as const)("is passed on once, wherever the turn is killed: %s the call", async (when) => {
    b = await openOffice();
    const { card } = await atWork();
    let killed = true;
    for (let id = 21, most = 0; killed; id += 1, most += 1) {
      await b.webhook(reply(id, `Word ${id}`, card));
      const life = lifeUntil(most, when);
      await workChat({ ...b.hq, store: life.of(b.store), bus: life.of(b.hq.bus) }, digest, owner).catch(() => undefined);
      killed = life.dead;
      await b.work();
      expect(
        (await controls()).filter((text) => text === `Word ${id}`),
        `killed at ${most}`,
      ).toHaveLength(1);
      expect((await b.task()).instruction.split(`Word ${id}`), `killed at ${most}`).toHaveLength(2);
    }
  });

  it("to a task that nobody has yet is added to what is to be done", async () => {
    b = await openOffice();
    await delegate(b.hq, wish());
    await deliverLetters(b.hq);
    const [card] = await b.rows("select message from letters where key = 'card:t1-1-1'");
    await b.webhook(reply(21, "Use tabs.", Number(card?.message)));
    await b.work();
    expect((await replies())[0]?.[1]).toContain("I added it to what is to be done");
    expect((await b.task()).instruction).toContain("Use tabs.");
  });

  it("to one that is over is answered by Simone, who is told which task it is", async () => {
    b = await openOffice({ script: ["It used spaces."] });
    const { card } = await atWork();
    await settleResult(b.hq, "desk-1", resultOf({ summary: "Fixed it with spaces." }));
    await b.webhook(reply(21, "What did it use?", card));
    await b.work();
    expect((await replies())[0]?.[1]).toContain("It used spaces.");
    const asked = JSON.stringify(b.llm.requests[0]?.messages.at(-1));
    expect(asked).toContain("task t1-1-1");
    expect(asked).toContain("Fixed it with spaces.");
    expect(asked).toContain("What did it use?");
  });

  it("is a message like any other where it is forwarded, or replies to something else", async () => {
    b = await openOffice({ script: () => "Hm." });
    const { card } = await atWork();
    await b.webhook(reply(21, "Use tabs.", card, { forward_origin: { type: "user" } }));
    await b.webhook(reply(22, "Use tabs.", 9999));
    await b.work();
    expect(await controls()).toEqual([]);
    expect(await replies()).toHaveLength(2);
  });
});

describe("taps", () => {
  const tapped = async (data: string) => {
    const id = b.counts.sql + 1;
    await b.webhook(tap(id, data));
    await b.work();
    return (await b.letters()).find(([key]) => key === `answer:${id}`)?.[1];
  };

  it("do what the button says, and answer with what happened", async () => {
    b = await openOffice();
    await b.join();
    await delegate(b.hq, wish());
    expect(await tapped("log:t1-1-1")).toBe("Sent.");
    expect((await b.letters()).at(-2)?.[1]).toContain("delegated: Simone delegated");
    expect(await tapped("pause:t1-1-1")).toBe("Nobody works on t1-1-1 now, so there is nothing to pause.");
    await b.client.execute("update tasks set state = 'running', lease_until = 1");
    expect(await tapped("pause:t1-1-1")).toBe("t1-1-1 is paused; it stops after the step that runs.");
    expect((await b.task()).reason).toContain("paused by Alice");
    expect(await tapped("resume:t1-1-1")).toBe("t1-1-1 goes on.");
    await b.client.execute("update tasks set state = 'dispatched', lease_until = null");
    expect(await tapped("stop:t1-1-1")).toBe("Cancelled.");
    expect(await tapped("stop:t1-1-1")).toBe("It is over already.");
    expect((await b.task()).reason).toBe("Alice stopped it");
    expect(await tapped("replay:t1-1-1")).toMatch(/^t1-1-1 is done again as t\d+-r, which is dispatched\.$/);
    expect(await tapped("replay:t1-1-1"), "a stale button").toMatch(/^t1-1-1 was done again already, as t\d+-r, which is dispatched\.$/);
    expect(await tapped("replay:nothing")).toContain("There is no task nothing");
    expect(await tapped("join:y:desk-1:nonsense")).toContain("asked again with another key");
    expect(await tapped("join:y:desk-9:nonsense")).toContain("There is no factory desk-9");
    expect(await tapped("approve:everything")).toBe("This button is not known any more.");
    expect(await tapped("")).toBe("This button is not known any more.");
  });
});

describe("the minute tick", () => {
  it("expires what is overdue, and moves on what waited for it", async () => {
    b = await openOffice();
    await delegate(b.hq, wish({ id: "t1-1-1", deadline: startMs + 60_000 }));
    await delegate(b.hq, wish({ id: "t2-1-1", after: ["t1-1-1"] }));
    await delegate(b.hq, wish({ id: "t3-1-1" }));
    await delegate(b.hq, wish({ id: "t4-1-1", after: ["t3-1-1"] }));
    await b.client.execute("update tasks set state = 'succeeded' where id = 't3-1-1'");
    await b.clock.advance(60_000);
    await tick(b.context);
    const states = await b.rows("select id || ' ' || state as line from tasks order by id");
    expect(states.map((row) => row.line)).toEqual(["t1-1-1 expired", "t2-1-1 failed", "t3-1-1 succeeded", "t4-1-1 held"]);
  });

  it("settles, recovers, hands out, tells, and wakes who was forgotten", async () => {
    b = await openOffice();
    await tick(b.context);
    const desk = await b.join();
    await delegate(b.hq, wish({ id: "t1-1-1" }));
    await b.client.execute("update tasks set state = 'running', lease_until = 1");
    await delegate(b.hq, wish({ id: "t2-1-1", workspace: "elsewhere" }));
    await b.store.tasks.move("t2-1-1", 1, "cancel", { kind: "cancelled", text: "over", code: "" }, b.clock.now());
    await b.webhook(message(1, "Hello"));
    b.rings.length = 0;
    await b.clock.advance(60_000);
    await desk.beat();
    await tick(b.context);
    expect(await b.task("t1-1-1")).toMatchObject({ state: "dispatched", epoch: 2 });
    expect((await b.letters()).map(([key]) => key)).toContain("done:t2-1-1");
    expect(b.chat.texts().length).toBeGreaterThan(0);
    expect(b.rings).toContainEqual([owner, undefined]);
  });

  it("recovers nothing while the bus can't be read: results may lie there", async () => {
    b = await openOffice();
    await b.join();
    await tick(b.context);
    await delegate(b.hq, wish());
    await b.client.execute("update tasks set state = 'running', lease_until = 1");
    for (let i = 0; i < 4; i += 1) {
      await b.clock.advance(60_000);
      b.bus.fail("read", "before");
      await tick(b.context);
    }
    expect(await b.task()).toMatchObject({ state: "running", epoch: 1 });
    expect(b.lines.join("\n")).toContain("could not read the bus and recover");
    const alarms = () => b.rows("select kind, text from incidents");
    expect(await alarms(), "one a day").toEqual([{ kind: "bus_trouble", text: "headquarters can't use the bus: the bus is away" }]);
    await tick(b.context);
    expect((await b.task()).state, "the outage does not count").toBe("running");
  });

  it("goes on past what fails", async () => {
    b = await openOffice();
    await b.webhook(message(1, "Hello"));
    await b.clock.advance(60_000);
    b.rings.length = 0;
    const broken = { ...b.store, letters: { ...b.store.letters, take: () => Promise.reject(new Error("broken")) } };
    await tick({ ...b.context, hq: { ...b.hq, store: broken } });
    expect(b.rings).toContainEqual([owner, undefined]);
  });

  it("with too much to do stays within the calls of one event, and ends in the next ones", async () => {
    b = await openOffice();
    const desk = await b.join("desk-1", { slots: 40 });
    for (let i = 0; i < 25; i += 1) await delegate(b.hq, wish({ id: `t${i}-1-1` }));
    for (let i = 0; i < 5; i += 1) await tick(b.context);
    await b.client.execute("update tasks set state = 'running', lease_until = 99999999999999");
    for (let i = 0; i < 25; i += 1) await desk.say("result", resultOf({ task: `t${i}-1-1` }));
    for (let i = 0; i < 40; i += 1) {
      const { sql, bus, letters } = b.counts;
      b.limits.calls = sql + bus + letters + 50;
      const used = await b.count(() => tick(b.context));
      expect(used.sql + used.bus + used.letters).toBeLessThanOrEqual(50);
      await b.clock.advance(60_000);
    }
    expect(await b.store.tasks.list({ states: ["succeeded"], limit: 50 })).toHaveLength(25);
    expect(await b.rows("select key from letters where sent_at is null")).toEqual([]);
  }, 60_000);
});
