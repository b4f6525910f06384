import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deliverLetters } from "#factory/deliver.ts";
import { runCommand } from "../../hq-worker/commands.ts";
import { type HqBench, openHq, owner, startMs } from "../factory/headquarters.ts";
import { ledgerEntry } from "../support/ledger.ts";

let b: HqBench;
beforeEach(async () => {
  b = await openHq();
});
afterEach(() => b.close());

let asked = 0;
const digest = { hash: async (text: string) => text, fingerprint: (text: string) => text };

async function answerTo(text: string) {
  const inbound = { kind: "text", chat: owner, message: 7, from: owner, name: "Owner", text, replyTo: null, forwarded: false } as const;
  asked += 1;
  await runCommand(b.hq, digest, { id: asked, chat: owner, inbound, attempts: 1, receivedAt: startMs }, inbound);
  await deliverLetters(b.hq);
  return b.chat.texts().at(-1) ?? "";
}

describe("a slip of the owner's", () => {
  it("is named before the list of commands", async () => {
    expect(await answerTo("/nonsense now")).toMatch(/^There is no \/nonsense\. Tell me what to do, or use:\n\/status/);
  });
  it("may be a slash alone", async () => expect(await answerTo("/")).toMatch(/^That is no command\. Tell me/));
  it("may be the case", async () => expect(await answerTo("/CANCEL")).toMatch(/^Which task\?/));
  it.each([
    ["/pause", "Which task? /pause <id>"],
    ["/resume", "Which task? /resume <id>"],
    ["/steer", "Which task, and what?"],
    ["/steer t1-1-1", "Which task, and what?"],
    ["/steer t1-1-1 Use tabs.", "There is no task t1-1-1"],
    ["/pause t1-1-1", "There is no task t1-1-1"],
    ["/drain", "Which machine? /drain <id>"],
    ["/drain desk-1", "There is no factory desk-1"],
    ["/undrain desk-1", "There is no factory desk-1"],
  ])("may be what it is about: %s", async (command, answer) => expect(await answerTo(command)).toContain(answer));
  it.each(["/task", "/cancel", "/steer x"])("is not read back at length: %s", async (command) => {
    expect((await answerTo(`${command} ${"x".repeat(3000)}`)).length).toBeLessThan(200);
  });
});

describe("/budget", () => {
  const dollar = 1_000_000_000;
  const spend = (cost: number, factory = "desk-1") =>
    b.store.spending.settle(ledgerEntry({ id: `usage_${cost}`, task: null, factory, cost }), b.clock.now());

  it("says that there is none, and how to set one", async () => {
    expect(await answerTo("/budget")).toMatch(
      /^There are no budgets\. Set one: \/budget factory desk-1 day \$5\nEach task has its limits beside: at most \$3\.00/,
    );
  });

  it("sets, lists with what is spent, pace and reset, changes and takes away", async () => {
    await b.join();
    expect(await answerTo("/budget factory desk-1 day $5")).toMatch(/^desk-1's budget: \$5\.00 a day from now on/);
    await spend(4 * dollar);
    // 17:46 UTC: three quarters of the day.
    expect(await answerTo("/budget")).toMatch(
      /^desk-1's budget of \$5\.00 a day: \$4\.00 spent, 80 %\. At this pace it is used up on 2030-03-17 at 22:13 UTC\. It begins anew on 2030-03-18 at 00:00 UTC\./,
    );
    await answerTo("/budget factory desk-1 day $8");
    expect(await answerTo("/budget")).toContain("of $8.00 a day: $4.00 spent, 50 %.");
    await answerTo("/budget vp coder 5h 2M tokens");
    expect(await answerTo("/budget")).toContain("the coder's budget of 2,000,000 tokens in 5 h: 0 tokens spent, 0 %.");
    expect(await answerTo("/budget factory desk-1 day off")).toMatch(/^It is gone/);
    expect(await answerTo("/budget factory desk-1 day off")).toMatch(/^There is no such budget/);
  });

  it.each([
    ["/budget factory desk-9 day $5", /^No factory is called desk-9/],
    ["/budget day $5", /^Whose budget\?/],
    ["/budget corporation day 5", /^How much\?/],
  ])("refuses %s, and changes nothing", async (words, answer) => {
    const before = await b.rows("select * from budgets");
    expect(await answerTo(words)).toMatch(answer);
    expect(await b.rows("select * from budgets")).toEqual(before);
  });
});
