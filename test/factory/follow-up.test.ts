/** What becomes of a finished branch: the owner is asked, the answer is bound to what was shown, and the factory does that or nothing. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Order } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import type { Follow, FollowDo, Plan } from "#core/follow-up.ts";
import type { OpsToken } from "#core/ops-token.ts";
import type { Receipt } from "#core/receipt.ts";
import { answerQuestion, settleQuestions } from "#factory/answer-owner.ts";
import { digestOf } from "#factory/approval.ts";
import { askFollowUp } from "#factory/ask-follow-up.ts";
import { releasing } from "#factory/conclude.ts";
import { delegate } from "#factory/delegate.ts";
import { deliverLetters } from "#factory/deliver.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import { replay, replayAnswer } from "#factory/replay.ts";
import { work } from "#factory/work.ts";
import { receipt } from "../contracts/store/samples.ts";
import { lifeUntil } from "../support/mortal.ts";
import { type BranchBench, branchSecret, openBranch, orderOf } from "./branch.ts";
import { type Desk, type HqBench, openHq, resultOf, settleResult, wish } from "./headquarters.ts";

const head = "b".repeat(40);
const remote = "https://git.example/owner/shop.git";
const finished: Receipt = {
  ...receipt,
  head,
  branch: "uac/t1-1-1-1",
  prospects: { into: "main", remote, can: ["merge", "push", "pr", "discard"] },
};

describe("at headquarters", () => {
  let b: HqBench;
  let desk: Desk;
  beforeEach(async () => {
    b = await openHq();
    desk = await b.join();
  });
  afterEach(() => b.close());

  /** A task that ended like this, told in the chat. */
  async function ended(outcome: "succeeded" | "failed" = "succeeded", changed: Partial<Receipt> = {}, id = "t1-1-1") {
    await delegate(b.hq, wish({ id }));
    await deliver();
    await b.client.execute({ sql: "update tasks set state = 'running', lease_until = 99999999999999 where id = ?", args: [id] });
    await settleResult(b.hq, "desk-1", resultOf({ task: id, outcome, receipt: { ...finished, ...changed } }));
    await deliver();
  }
  async function deliver() {
    for (let i = 0; i < 4; i += 1) await deliverLetters(b.hq);
  }
  let wishes = 0;
  const ask = (deed: FollowDo, task = "t1-1-1") => {
    wishes += 1;
    return askFollowUp(b.hq, { do: deed, task, key: `u${wishes}` });
  };
  const answer = (option: string, id = "q1") => answerQuestion(b.hq, { id, option, by: "Ann", via: "telegram" });
  const taps = () => b.chat.delivered.flatMap(({ body }) => ("buttons" in body ? body.buttons.flat() : [])).flatMap(({ tap }) => tap ?? []);

  it("a completion offers what the factory said can be done; a failed one can only be discarded or done again", async () => {
    await ended();
    expect(taps().filter((tap) => tap.startsWith("follow:"))).toEqual(
      ["merge", "push", "pr", "discard"].map((deed) => `follow:${deed}:t1-1-1`),
    );
    b.chat.delivered.length = 0;
    await ended("failed", {}, "t2-1-1");
    expect(taps().filter((tap) => /^(follow|replay):/.test(tap))).toEqual(["follow:discard:t2-1-1", "replay:t2-1-1"]);
    b.chat.delivered.length = 0;
    await ended("succeeded", { branch: null, head: null, prospects: null }, "t3-1-1");
    expect(taps().filter((tap) => tap.startsWith("follow:"))).toEqual([]);
  });

  it.each<[FollowDo, RegExp[]]>([
    ["merge", [/^Merge t1-1-1 into main\? – Fix the tests\n/, /\ninto main\n/]],
    ["push", [/\nremote https:\/\/git\.example\/owner\/shop\.git\n/, new RegExp(`git push ${remote} ${head}:refs/heads/uac/t1-1-1-1`)]],
    ["pr", [/^Open a pull request for t1-1-1\?/, /gh pr create --head=uac\/t1-1-1-1 --base=main/, /\ntitle Fix the tests\n/]],
    ["discard", [/^Discard t1-1-1\?/, new RegExp(`git update-ref -d refs/heads/uac/t1-1-1-1 ${head}`)]],
  ])("the owner is shown exactly what %s will run", async (deed, shown) => {
    await ended();
    const { question } = await ask(deed);
    const text = question?.content.text ?? "";
    for (const part of [
      ...shown,
      /repository shop at desk-1\nbranch uac\/t1-1-1-1\n/,
      new RegExp(`\ncommit ${head}\n`),
      /parser\.ts \| 5/,
      /\nverified: the tests pass\n/,
    ]) {
      expect(text).toMatch(part);
    }
    expect(question).toMatchObject({ kind: "follow", otherwise: "no", expiresAt: b.clock.now() + 600_000 });
    expect(await b.store.tasks.list({ limit: 9 })).toHaveLength(1);
  });

  it("yes makes one task of it, for the factory that has the commit, with an order bound to what was shown", async () => {
    await ended();
    await ask("push");
    expect(await answer("yes")).toEqual({ outcome: "answered", text: "It is a task of its own, q1-push, which is dispatched at desk-1." });
    expect((await answer("yes")).outcome).toBe("answered");
    expect((await answer("no")).outcome).toBe("late");
    const [order, ...more] = (await desk.orders()).filter(({ body }) => body.follow !== null);
    expect(more).toEqual([]);
    const plan: Plan = { do: "push", factory: "desk-1", workspace: "shop", branch: "uac/t1-1-1-1", head, into: "main", remote, says: null };
    const { factory: _, workspace: __, ...follow } = plan;
    expect(order?.body).toMatchObject({ task: "q1-push", epoch: 1, kind: null, workspace: "shop" });
    expect(order?.body.follow).toEqual({ ...follow, of: "t1-1-1", epoch: 1, approved: await digestOf(plan) });
  });

  it("no, silence and an answer that comes too late do nothing", async () => {
    await ended();
    await ask("merge");
    expect((await answer("no")).text).toBe("Nothing was done.");
    await ask("merge");
    await b.clock.advance(600_000);
    expect((await answer("yes", "q2")).text).toMatch(/^Already answered: nobody answered in time, so: No/);
    await settleQuestions(b.hq);
    expect(await b.store.tasks.list({ limit: 9 })).toHaveLength(1);
  });

  it("the same wish twice is one question; another about the same branch takes its place", async () => {
    await ended();
    expect([(await ask("merge")).question?.id, (await ask("merge")).question?.id]).toEqual(["q1", "q1"]);
    await ask("discard");
    expect((await answer("yes")).text).toMatch(/^Nothing to decide any more: .*asked about anew/);
    expect((await b.store.tasks.list({ limit: 9 })).map(({ id }) => id)).toEqual(["t1-1-1"]);
  });

  it("an answer means nothing for what was not shown", async () => {
    await ended();
    await ask("merge");
    const other = JSON.stringify({ ...finished, head: "c".repeat(40) });
    await b.client.execute({ sql: "update tasks set receipt_json = ? where id = 't1-1-1'", args: [other] });
    expect((await answer("yes")).text).toBe("It would not be what you were shown any more, so nothing was done. Ask again.");
    expect(await b.store.tasks.list({ limit: 9 })).toHaveLength(1);
  });

  it.each<[string, () => Promise<unknown>, FollowDo, RegExp]>([
    ["no such task", async () => {}, "merge", /^There is no task t1-1-1/],
    ["one that runs", () => delegate(b.hq, wish()), "merge", /is dispatched: it is not over yet/],
    ["no branch", () => ended("succeeded", { branch: null, head: null }), "merge", /left no branch/],
    ["a failed one", () => ended("failed"), "push", /is failed: its branch can only be discarded/],
    [
      "what the factory can't",
      () => ended("succeeded", { prospects: { into: null, remote: null, can: ["discard"] } }),
      "pr",
      /what can: \/discard/,
    ],
  ])("nobody is asked about %s, and is told why", async (_, prepare, deed, why) => {
    await prepare();
    expect(await ask(deed)).toEqual({ text: expect.stringMatching(why), question: null });
  });

  it("a factory that sleeps is waited for, and no other is offered; a budget that is used up holds nothing", async () => {
    await ended();
    await ask("merge");
    await b.join("desk-2");
    await b.clock.advance(300_000);
    await b.client.execute(`update factories set last_heartbeat_at = ${b.clock.now()} where id = 'desk-2'`);
    expect((await answer("yes")).text).toMatch(/q1-merge, which is held: desk-1 is offline/);
    const held = await b.store.questions.open({ task: "q1-merge", limit: 2 });
    expect(held[0]?.options.map(({ key }) => key)).toEqual(["wait", "wait-1h", "wait-8h", "cancel"]);
    await desk.beat();
    await dispatchAll(b.hq);
    expect(await b.task("q1-merge")).toMatchObject({ state: "dispatched", factory: "desk-1" });
  });

  it("when it is done the completion of the work says so, and offers it no more", async () => {
    await ended();
    await ask("merge");
    await answer("yes");
    await b.client.execute("update tasks set state = 'running' where id = 'q1-merge'");
    b.chat.delivered.length = 0;
    const why = "main is at bbbbbbbbbbbb now and has bbbbbbbbbbbb";
    const followed = { do: "merge", already: false, ref: "refs/heads/main", head, answer: "", url: null } as const;
    await settleResult(
      b.hq,
      "desk-1",
      resultOf({ task: "q1-merge", reason: why, receipt: { ...finished, why, branch: null, prospects: null, followed } }),
    );
    await deliver();
    const edits = b.chat.delivered.flatMap(({ body }) => (body.kind === "edit" ? [body] : []));
    const completion = edits.find(({ of }) => of === "done:t1-1-1");
    expect(completion?.content.text).toContain(`\n➜ ${why} (q1-merge)`);
    expect(completion?.buttons.flat().map(({ label }) => label)).toEqual(["Push", "Open PR", "Discard", "Open"]);
    expect(b.chat.texts().join("\n")).toMatch(/✅ done: Merge t1-1-1: Fix the tests\n/);
  });

  it("one that failed is not done again unasked", async () => {
    await ended();
    await ask("merge");
    await answer("yes");
    await b.client.execute("update tasks set state = 'running' where id = 'q1-merge'");
    b.chat.delivered.length = 0;
    await settleResult(b.hq, "desk-1", resultOf({ task: "q1-merge", outcome: "failed", code: "refused", reason: "a conflict" }));
    await deliver();
    expect(taps().filter((tap) => /^(follow|replay):/.test(tap))).toEqual(["follow:merge:t1-1-1"]);
    const again = await replay(b.hq, { id: "q1-merge", update: { id: 9, receivedAt: 1 }, message: 1, name: "Ann" });
    expect(replayAnswer("q1-merge", again)).toContain("/merge t1-1-1 has you asked again");
    expect(await b.store.tasks.list({ limit: 9 })).toHaveLength(2);
  });

  it.each(["before", "after"] as const)(
    "a headquarters killed %s any call between yes and the order makes one task of it",
    async (when) => {
      await b.client.execute("update factories set facts_json = json_set(facts_json, '$.slots', 60)");
      let last = 0;
      for (let died = true; died; last += 1) {
        const id = `t${last + 1}-1-1`;
        await ended("succeeded", {}, id);
        const { question } = await ask("merge", id);
        const life = lifeUntil(last, when);
        const hq = { ...b.hq, store: life.of(b.store), bus: life.of(b.hq.bus) };
        await answerQuestion(hq, { id: question?.id ?? "", option: "yes", by: "Ann", via: "telegram" }).catch(() => undefined);
        died = life.dead;
        if (died) await answer("yes", question?.id);
        await settleQuestions(b.hq);
        await dispatchAll(b.hq);
        const where = `killed ${when} call ${last}`;
        expect(await b.task(`${question?.id}-merge`), where).toMatchObject({ state: "dispatched", follow: { of: id } });
        expect(await b.rows("select count(*) as n from tasks where follow_json ->> '$.of' = ?", id), where).toEqual([{ n: 1 }]);
        expect((await b.store.questions.get(question?.id ?? ""))?.answer?.applied, where).toBe(true);
      }
      expect(last).toBeGreaterThan(8);
    },
    60_000,
  );

  it("keeps to the calls of an event", async () => {
    await ended();
    await ask("merge");
    const used = await b.count(() => answer("yes"));
    expect(used.sql + used.bus).toBeLessThanOrEqual(20);
  });
});

describe("at the factory", () => {
  let b: BranchBench;
  beforeEach(async () => {
    b = await openBranch();
  });
  afterEach(() => b.close());

  async function follow(changed: Partial<Follow> = {}): Promise<Follow> {
    const part = { do: "push", branch: "uac/t1-1-1-1", head, into: "main", remote, says: null, ...changed } as const;
    const approved = await digestOf({ ...part, factory: "desk-1", workspace: "shop" });
    return { of: "t1-1-1", epoch: 1, approved, ...part, ...changed };
  }
  const all: OpsToken["act"] = ["read", "write", "exec", "commit", "push"];
  async function done(
    part: Follow,
    { act = all, order = {}, signal }: { act?: OpsToken["act"]; order?: Partial<Order>; signal?: AbortSignal } = {},
  ) {
    const body = orderOf({ task: "q1-push", kind: null, follow: part, ...order });
    const attempt = { order: body, orderId: "env_1", entryId: "1", state: "running" as const, starts: 1 };
    const token = b.token({ tsk: "q1-push", act });
    return work(
      b.branch,
      attempt,
      { token, signal: signal ?? new AbortController().signal, news: () => new Promise<void>(() => {}) },
      () => {},
    );
  }

  it("does what was approved, without a model or a worktree, and says what was observed", async () => {
    const outcome = await done(await follow());
    expect(outcome).toMatchObject({ outcome: "succeeded", code: "followed_up", persona: "Homer" });
    expect(outcome.reason).toBe(`${remote} has uac/t1-1-1-1 at bbbbbbbbbbbb now`);
    expect(outcome.receipt).toMatchObject({ steps: 0, approvals: [(await follow()).approved], followed: { do: "push", already: false } });
    expect(JSON.stringify(outcome)).not.toContain(branchSecret);
    expect([b.llm.requests, b.state.commits, b.state.commands, b.state.closed]).toEqual([[], 0, [], []]);
  });

  it.each<[string, Partial<Follow>]>([
    ["another thing to do", { do: "pr" }],
    ["another commit", { head: "c".repeat(40) }],
    ["another target", { into: "release" }],
    ["another text", { says: { title: "x", body: "y" } }],
    ["no approval at all", { approved: "0".repeat(64) }],
  ])("does nothing for %s than was approved", async (_, changed) => {
    const outcome = await done({ ...(await follow()), ...changed });
    expect(outcome).toMatchObject({ outcome: "failed", code: "refused", reason: expect.stringContaining("What was approved is not what") });
    expect(b.state.followed).toEqual([]);
  });

  it("29, 31: does nothing for another workspace, factory, branch or remote", async () => {
    const part = await follow();
    expect((await done(part, { order: { workspace: "garage" } })).code).toBe("refused");
    expect((await done(part, { order: { workspace: null } })).code).toBe("refused");
    expect((await done(await follow({ branch: "uac/t9-1-1-1" }))).reason).toBe("uac/t9-1-1-1 is not the branch of t1-1-1.");
    b.state.remote = "https://git.example/thief/shop.git";
    expect((await done(part)).reason).toContain("The remote is https://git.example/thief/shop.git now");
    b.branch.self = "desk-2";
    expect((await done(await follow({ do: "merge", remote: null }))).code).toBe("refused");
    expect(b.state.followed).toEqual([]);
  });

  it.each<[FollowDo, OpsToken["act"], string]>([
    ["push", ["read", "write", "exec", "commit"], "ENABLE_PUSH"],
    ["pr", ["commit"], "ENABLE_PUSH"],
    ["merge", ["push"], "ENABLE_GIT"],
    ["discard", [], "ENABLE_GIT"],
  ])("may be forbidden to %s by a parameter", async (deed, act, flag) => {
    expect((await done(await follow({ do: deed }), { act })).reason).toContain(`${flag} is off there`);
    expect(b.state.followed).toEqual([]);
  });

  it("says why it could not be done; what was stopped is given back or cancelled", async () => {
    b.state.followFails = new UacError("conflict", "Not pushed: refused.");
    expect(await done(await follow())).toMatchObject({ outcome: "failed", code: "refused", reason: "Not pushed: refused.", receipt: null });
    b.state.followFails = new UacError("workspace_failed", "No answer.");
    expect(await done(await follow())).toMatchObject({ outcome: "failed", code: "not_done" });
    b.state.followed.length = 0;
    expect(await done(await follow(), { signal: AbortSignal.abort(releasing) })).toMatchObject({ outcome: "released" });
    expect(await done(await follow(), { signal: AbortSignal.abort("stopped by Ann") })).toMatchObject({
      outcome: "cancelled",
      reason: "stopped by Ann",
    });
    expect(b.state.followed).toEqual([]);
  });
});
