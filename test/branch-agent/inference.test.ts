/** A VP's model as the branch's own composition makes it: our adapter, the gateway, the meter, the journal. */
import { afterEach, expect, it } from "vitest";
import { limitBudgets } from "#core/budget.ts";
import type { Limits } from "#core/limits.ts";
import { metering, under } from "#factory/metering.ts";
import { openBranch } from "../../branch-agent/compose.ts";
import { startModel } from "../../dev/model/server.ts";
import { closers, joinedHome } from "./gateway-bench.ts";

const ends = closers();
afterEach(ends.close);

async function inferenceWith(limits: Pick<Limits, "usd" | "tokens">) {
  const model = ends.add(await startModel(), (one) => one.close());
  const { env } = await joinedHome(ends, model.url);
  const { branch, close } = await openBranch(env);
  ends.add(close, (end) => end());
  const bounds = limitBudgets({ kind: "task", of: "t1-1-1", epoch: 1 }, limits);
  const who = { task: "t1-1-1", epoch: 1, factory: branch.self, persona: "Lisa", seat: "coder" };
  const meter = metering({ ...branch, spending: branch.journal, leaseMs: 60_000 }, { ...who, bounds: () => bounds, spent: [] });
  const inference = await branch.inferenceFor("coder", meter);
  const messages = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hello." }] }];
  const ask = (maxTokens = 100) => under(meter, inference.llm).complete({ system: "Be brief.", messages, tools: [], maxTokens });
  return { model, branch, env, meter, inference, ask };
}

it("what the reply says that it used is what the journal says", async () => {
  const { model, branch, ask, env } = await inferenceWith({ usd: 1e9, tokens: 1e6 });
  const reply = await ask();
  expect(await branch.journal.spent("t1-1-1", 1)).toMatchObject([
    {
      usage: reply.usage,
      source: "reported",
      outcome: "ok",
      seat: "coder",
      engine: "uac",
      provider: "scripted",
      requestId: expect.any(String),
    },
  ]);
  // The provider hears the real key, which nobody else holds.
  expect(model.requests[0]?.headers["x-api-key"]).toBe(env.ANTHROPIC_API_KEY);
});

it("a failed try has an entry of its own, and costs what it cost", async () => {
  const { model, branch, ask } = await inferenceWith({ usd: 1e9, tokens: 1e6 });
  model.behave("cuts-stream", { times: 1 });
  await ask();
  const entries = await branch.journal.spent("t1-1-1", 1);
  expect(entries).toMatchObject([
    { outcome: "failed", source: "partial" },
    { outcome: "ok", source: "reported" },
  ]);
  expect(entries[0]?.cost).toBeGreaterThan(0);
});

it("a call beyond the budget is refused as what it is, at once, and never sent", async () => {
  const { model, meter, ask } = await inferenceWith({ usd: 1e9, tokens: 500 });
  await ask();
  await expect(ask(1000)).rejects.toMatchObject({
    code: "over_budget",
    budget: { unit: "tokens" },
    message: expect.stringContaining("500 tokens"),
  });
  expect(model.requests).toHaveLength(1);
  expect(meter.total().calls).toBe(1);
});

it("a VP whose run is over has no model any more", async () => {
  const { model, inference, ask } = await inferenceWith({ usd: 1e9, tokens: 1e6 });
  await inference.close();
  await expect(ask()).rejects.toMatchObject({ code: "llm_refused" });
  expect(model.requests).toEqual([]);
});
