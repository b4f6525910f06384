/** Having the owner asked about a finished branch: by a tap, a command, in words through Simone, from a page. Nothing is done before the answer. */
import { afterEach, describe, expect, it } from "vitest";
import type { Script } from "#adapters/llm/scripted.ts";
import { askFollowUp } from "#factory/ask-follow-up.ts";
import { delegate } from "#factory/delegate.ts";
import { dashboardApp } from "../../dashboard/app.tsx";
import { dashboardDb } from "../../dashboard/db.ts";
import { sha256 } from "../../dashboard/gate.ts";
import { receipt } from "../contracts/store/samples.ts";
import { use } from "../factory/agent.ts";
import { resultOf, settleResult, wish } from "../factory/headquarters.ts";
import { message, type Office, openOffice, tap } from "./office.ts";

let b: Office;
afterEach(() => b.close());

const remote = "https://git.example/owner/shop.git";
const finished = { ...receipt, branch: "uac/t1-1-1-1", prospects: { into: "main", remote, can: ["merge", "push", "discard"] as const } };

/** A task that desk-1 finished, with a branch. */
async function open(script: Script = []) {
  b = await openOffice({ script });
  await b.join("desk-1");
  await delegate(b.hq, wish());
  await b.client.execute("update tasks set state = 'running', lease_until = 99999999999999");
  await settleResult(
    b.hq,
    "desk-1",
    resultOf({ receipt: { ...finished, prospects: { ...finished.prospects, can: [...finished.prospects.can] } } }),
  );
}
let updates = 0;
async function heard(update: (id: number) => unknown, key: string) {
  updates += 1;
  await b.webhook(update(updates));
  await b.work();
  return (await b.letters()).find(([name]) => name === `${key}:${updates}`)?.[1] ?? "";
}
const tapped = (data: string) => heard((id) => tap(id, data), "answer");
const said = (text: string, changed: Record<string, unknown> = {}) => heard((id) => message(id, text, changed), "reply");
const asked = async () => (await b.store.questions.open({ limit: 9 })).map(({ id, kind, task }) => [id, kind, task]);
const tasks = async () => (await b.store.tasks.list({ limit: 9 })).map(({ id }) => id);

it("a tap asks, and the answer to the question's own button makes the task, within the calls of an event", async () => {
  await open();
  expect(await tapped("follow:merge:t1-1-1")).toBe("I asked you to confirm it: q1.");
  expect([await asked(), await tasks()]).toEqual([[["q1", "follow", "t1-1-1"]], ["t1-1-1"]]);
  await b.webhook(tap(99, "ask:q1:yes"));
  const used = await b.count(() => b.work());
  expect(used.sql + used.bus).toBeLessThanOrEqual(35);
  expect((await tasks()).toSorted()).toEqual(["q1-merge", "t1-1-1"]);
  expect(await tapped("follow:explode:t1-1-1")).toBe("This button is not known any more.");
  expect(await tapped("follow:pr:t1-1-1")).toMatch(/^That can't be done with t1-1-1 at desk-1; what can: \/merge, \/push, \/discard/);
});

it.each(["merge", "push", "discard"])("/%s asks; forwarded it does not", async (name) => {
  await open();
  expect(await said(`/${name}`)).toContain(`Which task? /${name} <id>`);
  expect(await said(`/${name} t9-1-1`)).toMatch(/^There is no task t9-1-1/);
  expect(await said(`/${name} t1-1-1`, { forward_origin: { type: "hidden_user" } })).toContain("not carried out");
  expect(await asked()).toEqual([]);
  expect(await said(`/${name} t1-1-1`)).toMatch(/^I asked you to confirm it: q1\./);
  expect([await asked(), await tasks()]).toEqual([[["q1", "follow", "t1-1-1"]], ["t1-1-1"]]);
});

describe("Simone", () => {
  const results = () =>
    b.llm.requests
      .flatMap(({ messages }) => messages.at(-1)?.content ?? [])
      .flatMap((block) => (block.type === "tool_result" ? [block] : []));

  it("asks in the owner's name, and can't answer for the owner", async () => {
    await open([
      { tools: [use("follow_up", { id: "t1-1-1", do: "merge" })] },
      { tools: [use("answer", { id: "q1", option: "yes" })] },
      "I asked you.",
    ]);
    await b.client.execute("update letters set message = 77, sent_at = 1 where key = 'done:t1-1-1'");
    await said("Merge it", { reply_to_message: { message_id: 77, date: 1, chat: { id: 1, type: "private" } } });
    expect(JSON.stringify(b.llm.requests[0]?.messages)).toContain("In reply to the card of task t1-1-1");
    expect(results().map(({ content }) => content)).toEqual([
      "The owner was asked with buttons, question q1. Nothing is done until the answer.",
      "The owner answers q1 by hand: by its buttons, or /answer.",
    ]);
    expect(await tasks()).toEqual(["t1-1-1"]);
  });

  it("is told why where nobody is asked", async () => {
    await open([{ tools: [use("follow_up", { id: "t1-1-1", do: "pr" })] }, "It can't be done."]);
    await said("Open a pull request");
    expect(results()[0]).toMatchObject({ isError: true, content: expect.stringContaining("what can: /merge") });
  });
});

it("nobody listens at a follow-up", async () => {
  await open();
  await tapped("follow:merge:t1-1-1");
  await tapped("ask:q1:yes");
  expect(await said("/steer q1-merge Hurry")).toContain("q1-merge is done as you approved it, by rule");
});

describe("the task's page", () => {
  const cookie = "__Host-uac=session-of-the-tests";
  async function pages(hqUrl: string | null = null) {
    await open();
    await b.store.access.addLogin("login", b.clock.now() + 1000);
    await b.store.access.redeemLogin(
      "login",
      { hash: await sha256("session-of-the-tests"), expiresAt: b.clock.now() + 1e12 },
      b.clock.now(),
    );
    const followUp = (task: string, deed: "merge" | "push" | "pr" | "discard") => askFollowUp(b.hq, { task, do: deed, key: "page-1" });
    b.context.dashboard = dashboardApp({
      db: dashboardDb(b.client),
      access: b.store.access,
      clock: b.clock,
      hqUrl,
      ...(hqUrl === null && { followUp }),
    });
  }
  const text = async (path: string) => (await b.request(path, { headers: { cookie } })).text();
  const post = (
    body: Record<string, string>,
    headers: Record<string, string> = { "sec-fetch-site": "same-origin" },
    path = "/tasks/t1-1-1/follow-up",
  ) => b.request(path, { method: "POST", body: new URLSearchParams(body), headers: { cookie, ...headers } });

  it("has a form that asks, leads to the question, and has it said in the chat", async () => {
    await pages();
    const page = await text("/tasks/t1-1-1");
    for (const deed of ["merge", "push", "discard"]) expect(page).toContain(`name="do" value="${deed}"`);
    expect(page).not.toContain('value="pr"');
    const response = await post({ do: "merge" });
    expect([response.status, response.headers.get("location")]).toEqual([303, "/asks/q1"]);
    await b.settled();
    expect(b.chat.texts().join("\n")).toContain("Merge t1-1-1 into main?");
    expect(await text("/asks/q1")).toContain('name="option" value="yes"');
    expect(await tasks()).toEqual(["t1-1-1"]);
  });

  it("refuses a form of another site, without a session, for what can't be done, and on a copy", async () => {
    await pages();
    expect((await post({ do: "merge" }, { "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await post({ do: "merge" }, { cookie: "__Host-uac=none", "sec-fetch-site": "same-origin" })).status).toBe(401);
    expect((await post({ do: "explode" })).status).toBe(404);
    expect((await post({ do: "pr" })).status).toBe(409);
    expect(await asked()).toEqual([]);
    b.close();
    await pages("https://hq.example");
    expect(await text("/tasks/t1-1-1")).not.toContain('name="do"');
    expect((await post({ do: "merge" })).status).toBe(403);
  });

  it("says what became of the branch, and the follow-up's own page what was observed", async () => {
    await pages();
    await tapped("follow:merge:t1-1-1");
    await tapped("ask:q1:yes");
    await b.client.execute("update tasks set state = 'running' where id = 'q1-merge'");
    const followed = {
      do: "merge",
      already: false,
      ref: "refs/heads/main",
      head: "e".repeat(40),
      answer: "<b>remote</b>",
      url: null,
    } as const;
    const why = "main is at eeeeeeeeeeee now";
    await settleResult(
      b.hq,
      "desk-1",
      resultOf({ task: "q1-merge", reason: why, receipt: { ...receipt, why, branch: null, prospects: null, followed } }),
    );
    const page = await text("/tasks/t1-1-1");
    expect(page).toContain(why);
    expect(page).toContain('href="/tasks/q1-merge"');
    expect(page).not.toContain('name="do" value="merge"');
    const own = await text("/tasks/q1-merge");
    for (const shown of ["follow-up of", 'href="/tasks/t1-1-1"', "refs/heads/main", "e".repeat(40), "&lt;b&gt;remote"])
      expect(own).toContain(shown);
  });
});
