/** A seat's chain through the branch's own composition: each provider by its own wire and key, each call metered as whose it was. */
import { randomBytes } from "node:crypto";
import { afterEach, expect, it } from "vitest";
import { limitBudgets } from "#core/budget.ts";
import { metering, under } from "#factory/metering.ts";
import { openBranch } from "../../branch-agent/compose.ts";
import { factsOf } from "../../branch-agent/facts.ts";
import { startModel } from "../../dev/model/server.ts";
import { closers, joinedHome } from "./gateway-bench.ts";

const ends = closers();
afterEach(ends.close);

const secret = () => randomBytes(16).toString("hex");
const messages = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hello." }] }];

/** Z.ai's and OpenAI's stand-ins, and a factory that asks the first, and the second where that fails. */
async function twoProviders(more: Record<string, string> = {}) {
  const [zaiKey, openAiKey] = [secret(), secret()];
  const zai = ends.add(await startModel({ apiKey: zaiKey }), (one) => one.close());
  const openai = ends.add(await startModel({ apiKey: openAiKey }), (one) => one.close());
  const { env } = await joinedHome(ends, zai.url);
  const keys = { ZAI_API_KEY: zaiKey, ZAI_BASE_URL: zai.url, OPENAI_API_KEY: openAiKey, OPENAI_BASE_URL: openai.urlFor("responses") };
  const said = { LLM_PROVIDER: "zai", LLM_FALLBACK: "openai", LLM_BILLING: "subscription", ANTHROPIC_BASE_URL: "", ANTHROPIC_API_KEY: "" };
  const { branch, close } = await openBranch({ ...env, ...said, ...keys, ...more });
  ends.add(close, (end) => end());
  const ask = async (seat: "coder" | "general" = "coder") => {
    const bounds = limitBudgets({ kind: "task", of: "t1-1-1", epoch: 1 }, { usd: 1e9, tokens: 1e6 });
    const who = { task: "t1-1-1", epoch: 1, factory: branch.self, persona: "Lisa", seat };
    const meter = metering({ ...branch, spending: branch.journal, leaseMs: 60_000 }, { ...who, bounds: () => bounds, spent: [] });
    const inference = await branch.inferenceFor(seat, meter);
    const reply = await under(meter, inference.llm).complete({ system: "Be brief.", messages, tools: [], maxTokens: 100 });
    await inference.close();
    return reply;
  };
  return { zai, openai, branch, ask, zaiKey, openAiKey };
}

it("the next provider answers where the first has used up its window; both calls are in the ledger, each on its own bill", async () => {
  const { zai, openai, branch, ask, zaiKey, openAiKey } = await twoProviders();
  zai.behave("quota");
  expect(await ask()).toMatchObject({ provider: "openai", usageSource: "reported" });
  expect(await branch.journal.spent("t1-1-1", 1)).toMatchObject([
    { provider: "zai", requestedModel: "glm-5.3", outcome: "failed", billing: "subscription" },
    { provider: "openai", outcome: "ok", source: "reported", billing: "metered" },
  ]);
  expect(zai.requests.map(({ wire, headers }) => [wire, headers.authorization])).toEqual([["anthropic", `Bearer ${zaiKey}`]]);
  expect(openai.requests.map(({ wire, headers }) => [wire, headers.authorization])).toEqual([["responses", `Bearer ${openAiKey}`]]);

  // What one task found out, the next need not.
  expect(await ask()).toMatchObject({ provider: "openai" });
  expect(zai.requests).toHaveLength(1);
});

it("nobody else is asked where the first refuses the request itself", async () => {
  const { zai, openai, ask } = await twoProviders();
  zai.behave("status:400");
  await expect(ask()).rejects.toMatchObject({ code: "llm_refused" });
  expect(openai.requests).toEqual([]);
});

it("each VP asks its own, and the factory's facts name them", async () => {
  const { zai, openai, branch, ask } = await twoProviders({ VP_GENERAL_LLM_PROVIDER: "openai", VP_GENERAL_MODEL_NAME: "gpt-5-mini" });
  await ask("general");
  expect([zai.requests.length, openai.requests.map(({ body }) => body.model)]).toEqual([0, ["gpt-5-mini"]]);
  expect(factsOf(branch)).toMatchObject({
    provider: "zai",
    model: "glm-5.3",
    models: { coder: "zai/glm-5.3", general: "openai/gpt-5-mini" },
  });
});

it("does not start without a key that a VP of its own needs, and says which", async () => {
  await expect(twoProviders({ VP_GENERAL_LLM_PROVIDER: "kimi" })).rejects.toMatchObject({
    code: "bad_config",
    message: expect.stringContaining("KIMI_API_KEY is not set; Kimi, which VP_GENERAL_LLM_PROVIDER names, needs a key: set KIMI_API_KEY"),
  });
});
