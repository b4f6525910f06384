/** What Simone may wish of a task: when, until when, how urgent, and after what. */
import { afterEach, describe, expect, it } from "vitest";
import { use } from "../factory/agent.ts";
import { startMs } from "../factory/headquarters.ts";
import { message, type Office, openOffice } from "./office.ts";

let b: Office;
afterEach(() => b.close());

const fix = { title: "Fix the tests", instruction: "They fail.", kind: "coder" };
const replies = async () => (await b.letters()).filter(([key]) => key.startsWith("reply:"));

describe("when and after what", () => {
  const wished = async (changed: Record<string, unknown>) => {
    b = await openOffice({ script: [{ tools: [use("delegate", { ...fix, ...changed })] }, "So it is."] });
    await b.join();
    await b.webhook(message(1, "Fix the tests"));
    await b.work();
    const [block] = b.llm.requests[1]?.messages.at(-1)?.content ?? [];
    return block?.type === "tool_result" ? block : undefined;
  };

  it("is said to the tool, and shown", async () => {
    const result = await wished({ priority: "high", not_before: 30, deadline: "2030-03-17T20:00+01:00" });
    const told = "urgent · not before 2030-03-17 18:16 UTC · expires unless begun by 2030-03-17 19:00 UTC";
    expect(result).toMatchObject({ isError: false, content: expect.stringContaining(`Task t1-1-1 is queued: `) });
    expect(result?.content).toContain(told);
    expect(await b.task("t1-1-1")).toMatchObject({ priority: 1, notBefore: startMs + 30 * 60_000, deadline: Date.UTC(2030, 2, 17, 19) });
    await b.webhook(message(2, "/task t1-1-1"));
    await b.work();
    expect((await replies()).at(-1)?.[1]).toContain(`\n${told}\n`);
  });

  it.each([
    [{ deadline: "2030-03-17T17:00Z" }, "deadline 2030-03-17T17:00Z is over: it is 2030-03-17 17:46 UTC, Sunday."],
    [{ not_before: "tomorrow" }, "not_before tomorrow is neither minutes from now nor a time like 2026-11-23T14:05Z with its zone."],
    [{ not_before: 60, deadline: 30 }, "The deadline is not after not_before: it would expire before it may begin."],
    [{ after: ["t9-1-1"] }, "There is no task t9-1-1, so nothing can wait for it."],
    [{ priority: "very" }, "That input does not fit delegate"],
  ])("that can't be makes no task: %j", async (changed, why) => {
    expect(await wished(changed)).toMatchObject({ isError: true, content: expect.stringContaining(why) });
    expect(await b.store.tasks.list({ limit: 9 })).toEqual([]);
  });

  it("counts from the owner's message, however late the turn is worked", async () => {
    b = await openOffice({ script: [{ tools: [use("delegate", { ...fix, deadline: 5 })] }, "So it is."] });
    await b.webhook(message(1, "Within five minutes"));
    await b.clock.advance(3 * 60_000);
    await b.work();
    expect((await b.task("t1-1-1")).deadline).toBe(startMs + 5 * 60_000);
  });

  it("names a task of the same reply: the second waits for the first", async () => {
    const both = { tools: [use("delegate", fix, "one"), use("delegate", { ...fix, after: ["t1-1-1"] }, "two")] };
    b = await openOffice({ script: [both, "Both are under way."] });
    await b.join();
    await b.webhook(message(1, "Fix, then tidy up"));
    await b.work();
    expect(await b.task("t1-1-2")).toMatchObject({ state: "waiting", reason: "waits for t1-1-1" });
  });
});
