/** The primary's chain through headquarters' own composition, without a gateway between. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { expect, it, onTestFinished } from "vitest";
import { busFor } from "#adapters/bus/index.ts";
import { systemClock } from "#adapters/clock/system.ts";
import { jsonLog } from "#adapters/log/json.ts";
import { limitBudgets } from "#core/budget.ts";
import { metering, under } from "#factory/metering.ts";
import { startModel } from "../../dev/model/server.ts";
import { headquartersOn, readEnvironment, redactorFor } from "../../hq-worker/compose-core.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";
import { hqEnv } from "../factory/headquarters.ts";

const messages = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hello." }] }];

it("the next provider answers a turn, within a step's calls; every try is metered, and the next turn goes there at once", async () => {
  const keys = [randomBytes(16).toString("hex"), randomBytes(16).toString("hex")] as const;
  const dir = await mkdtemp(join(tmpdir(), "uac-hq-fallback-"));
  const [deepseek, openai] = await Promise.all([startModel({ apiKey: keys[0] }), startModel({ apiKey: keys[1] })]);
  const database = createClient({ url: `file:${join(dir, "hq.db")}` });
  const bus = busFor({ url: `file:${join(dir, "bus.db")}`, token: null, libsql: createClient, files: true });
  onTestFinished(async () => {
    await Promise.all([deepseek.close(), openai.close(), bus.close()]);
    database.close();
    await rm(dir, { recursive: true, force: true });
  });
  await migrateDatabase(database);
  const known = await readEnvironment({
    ...hqEnv,
    LLM_PROVIDER: "deepseek",
    PRIMARY_LLM_FALLBACK: "openai",
    LLM_WIRE: "openai:chat",
    ...{ DEEPSEEK_API_KEY: keys[0], DEEPSEEK_BASE_URL: deepseek.url, OPENAI_API_KEY: keys[1], OPENAI_BASE_URL: openai.urlFor("chat") },
  });
  const lines: string[] = [];
  const redactor = redactorFor(known);
  const log = jsonLog({ write: (line) => void lines.push(line), redactor, level: "info", clock: systemClock });
  const { hq } = headquartersOn({ database, bus, log, redactor, callsLeft: () => 50 }, known, (one) => one);

  const turn = async (update: number) => {
    const bounds = limitBudgets({ kind: "turn", of: update }, { usd: 1e9, tokens: 1e6 });
    const who = { task: null, epoch: update, factory: "hq", persona: "Simone", seat: "primary" };
    const meter = metering({ ...hq, spending: hq.store.spending, leaseMs: 60_000 }, { ...who, bounds: () => bounds, spent: [] });
    return under(meter, hq.llmFor(meter)).complete({ system: "Be brief.", messages, tools: [], maxTokens: 100 });
  };
  deepseek.behave("status:503");
  expect(await turn(1)).toMatchObject({ provider: "openai", usageSource: "reported" });
  // A chain of two has five tries together, so this one has two.
  expect([deepseek.requests.length, openai.requests.length]).toEqual([2, 1]);
  expect(openai.requests[0]).toMatchObject({ wire: "chat", headers: { authorization: `Bearer ${keys[1]}` } });
  const { rows } = await database.execute("select provider, try, outcome from usages order by at, try");
  expect(rows.map(({ provider, try: count, outcome }) => [provider, count, outcome])).toEqual([
    ["deepseek", 1, "failed"],
    ["deepseek", 2, "failed"],
    ["openai", 1, "ok"],
  ]);
  const [told = ""] = lines;
  expect(JSON.parse(told)).toMatchObject({ level: "warn", from: "deepseek", to: "openai", code: "llm_unreachable" });
  expect(lines.join("\n")).not.toContain(keys[0]);

  await turn(2);
  expect([deepseek.requests.length, openai.requests.length]).toEqual([2, 2]);
});
