/** A branch in a process of its own: asked, drained, killed, told to stop, and with a VP switched off. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startBranch } from "../../dev/box/branch.ts";
import type { Child } from "../../dev/box/child.ts";
import type { Behaviour } from "../../dev/model/behaviour.ts";
import { homeOf, journalRows, runAgent } from "./agent.ts";
import { type House, mission, openHouse } from "./house.ts";
import { branchesOf } from "./shop.ts";
import { until } from "./until.ts";

let house: House;
/** Long enough to be met at work. */
const slowly: Behaviour = "slow:1500";
/** How long a drain may wait for work to end: much longer than a test waits. */
const drainSeconds = "240";
const others: Child[] = [];

beforeAll(async () => {
  house = await openHouse({ env: { DRAIN_SECONDS: drainSeconds } });
});
afterEach(() => house?.model.behave("honest"));
afterAll(async () => {
  for (const child of others) await child.stop();
  await house?.close();
});

/** How it ended; a drain that waits for nothing would take longer. */
const ended = (child: Child) => Promise.race([child.exited, sleep(20_000, "it still runs")]);
const coderCalls = () => house.model.requests.filter((request) => request.role === "coder").length;
const running = () => {
  if (!house.box.branch) throw new Error("No branch runs");
  return house.box.branch;
};
const cardOf = (task: string) => house.chat.messages().find(({ buttons }) => buttons.flat().some(({ data }) => data === `log:${task}`));
const completionsOf = (task: string) => house.chat.messages().filter(({ silent, replyTo }) => !silent && replyTo?.id === cardOf(task)?.id);
const cardSays = (task: string, text: string) =>
  until(`the card says ${text}`, () => cardOf(task)?.text.includes(text) && cardOf(task), 15_000);

/** Sends the mission to a slow coder, and resolves while the coder's `call`-th call is under way. */
async function atCall(call: number) {
  const before = coderCalls();
  house.model.behave(slowly, { role: "coder" });
  const { id: message } = house.chat.say(mission);
  const task = await house.taskOf(message);
  await until(`call ${call} of the coder`, () => coderCalls() - before === call);
  return { message, task: task.id, calls: () => coderCalls() - before };
}

/** The same branch, with other parameters. */
async function startWith(parameters: Record<string, string>): Promise<Child> {
  const { box, model, dir } = house;
  const { BUS_URL = "", BUS_TOKEN = "" } = box.hqEnv;
  const env = { LLM_PROVIDER: "scripted", ANTHROPIC_BASE_URL: model.url, ANTHROPIC_API_KEY: box.keys.modelKey, BUS_URL, BUS_TOKEN };
  const more = { HQ_URL: box.hqUrl, WORKSPACES: `demo-shop=${box.shop}`, DRAIN_SECONDS: drainSeconds, ...parameters };
  const child = await startBranch({ dir, id: "desk-1", name: "desk-1", env: { ...env, ...more }, store: box.store, bus: box.bus });
  others.push(child);
  return child;
}

test("writes its capabilities.md from what it may do", async () => {
  const page = await readFile(join(homeOf(house), "capabilities.md"), "utf8");
  const { facts } = (await house.box.store.factories.get("desk-1")) ?? {};
  expect(page).toContain("| VP_CODER | Enabled |");
  expect(page).toContain("- Lisa: VP Coder");
  expect(page).toContain("| GIT | Enabled |");
  expect(page).toContain("- demo-shop");
  expect(facts).toMatchObject({ capabilities: { coder: true, git: true }, workspaces: ["demo-shop"] });
});

test("status --json says in one object who it is, whether headquarters answers, and what runs", async () => {
  const { task } = await atCall(1);
  const { code, out } = await runAgent(["status", "--json"], { UAC_HOME: homeOf(house) });
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    factory: "desk-1",
    role: "branch",
    hq: { url: house.box.hqUrl, reachable: true, rttMs: expect.any(Number) },
    tasks: [{ task, epoch: 1, state: "running", starts: 1 }],
  });
  house.chat.tap(cardOf(task)?.id ?? 0, `stop:${task}`);
});

test("status names each VP's models, and warns of a plan that is sold for coding alone", async () => {
  const env = { LLM_PROVIDER: "zai", LLM_BILLING: "subscription", VP_CODER_LLM_FALLBACK: "ollama:qwen3:30b" };
  const { code, out } = await runAgent(["status"], { UAC_HOME: homeOf(house), ...env });
  expect(code).toBe(0);
  expect(out).toContain("Lisa: zai/glm-5.3, else ollama/qwen3:30b\nBart: zai/glm-5.3\n");
  expect(out).toMatch(/Caution: Z\.ai sells its subscriptions for coding alone, and the VP General uses one.*ENABLE_VP_GENERAL=false/);
});

test("status says by its exit code that headquarters is away, or that this machine has not joined", async () => {
  const away = await runAgent(["status", "--json"], { UAC_HOME: homeOf(house), HQ_URL: "http://127.0.0.1:9" });
  expect([away.code, JSON.parse(away.out).hq]).toEqual([3, { url: "http://127.0.0.1:9", reachable: false, rttMs: null }]);
  const stranger = await runAgent(["status", "--json"], { UAC_HOME: join(house.dir, "nobody") });
  expect([stranger.code, JSON.parse(stranger.out)]).toMatchObject([4, { ok: false, error: { code: "unauthenticated" } }]);
  expect(stranger.err).toMatch(/has not joined.*enrol/);
});

test("the Stop button ends what runs; the card says who did it", async () => {
  const { message, task } = await atCall(2);
  const query = house.chat.tap(cardOf(task)?.id ?? 0, `stop:${task}`);
  const { task: stopped, done } = await house.endOf(message);
  expect(stopped).toMatchObject({ state: "cancelled", code: "cancelled", reason: "Owner stopped it", receipt: null });
  expect(done.text).toContain("🚫 cancelled");
  expect((await cardSays(task, "🚫 cancelled")).text).toContain("Owner stopped it");
  await until("the tap is answered", () => house.chat.answers().some((answer) => answer.query === query && answer.text.includes("stop")));
  expect(await branchesOf(house.box.shop)).toEqual(["main"]);
  expect(await readdir(join(homeOf(house), "worktrees"))).toEqual([]);
});

test("SIGTERM without work ends it at once, with 0", async () => {
  process.kill(running().pid, "SIGTERM");
  expect(await ended(running())).toBe("exit code 0");
  expect(await house.box.store.factories.get("desk-1")).toMatchObject({ status: "draining" });
});

test("SIGTERM at work gives the task back; whoever starts next does it as a second attempt", async () => {
  const impatient = await startWith({ DRAIN_SECONDS: "0" });
  const { message, task } = await atCall(2);
  process.kill(impatient.pid, "SIGTERM");
  expect(await ended(impatient)).toBe("exit code 0");
  const given = await until("the task is back", async () => {
    const found = await house.box.store.tasks.get(task);
    return found?.epoch === 2 && found;
  });
  expect(["queued", "held"]).toContain(given.state);
  expect(await branchesOf(house.box.shop)).toEqual(["main"]);
  expect(await journalRows(house, "select epoch, state from attempts where task = ?", [task])).toEqual([{ epoch: 1, state: "reported" }]);

  house.model.behave("honest");
  await house.box.startBranch();
  const { task: done } = await house.endOf(message);
  expect(done).toMatchObject({ state: "succeeded", epoch: 2, receipt: { verdict: "verified", branch: `uac/${task}-2` } });
  await cardSays(task, "attempt 2");
  expect(completionsOf(task)).toHaveLength(1);
});

test("kill -9 at work: the next start goes on in the same attempt, and repeats no call", async () => {
  const { message, task, calls } = await atCall(4);
  running().kill();
  await running().exited;
  const stored = await journalRows(house, "select entry_json from transcript_entries where task = ?", [task]);
  expect(stored.length).toBeGreaterThan(6);

  house.model.behave("honest");
  await house.box.startBranch();
  const { task: done } = await house.endOf(message);
  expect(done).toMatchObject({ state: "succeeded", epoch: 1, lost: 0, receipt: { verdict: "verified", branch: `uac/${task}-1` } });
  expect(completionsOf(task)).toHaveLength(1);
  expect(await journalRows(house, "select epoch, state, starts from attempts where task = ?", [task])).toEqual([
    { epoch: 1, state: "reported", starts: 2 },
  ]);

  // What was stored before the kill is a prefix of the whole; each tool ran once; only the call in flight was made again.
  const rows = await journalRows(house, "select entry_json from transcript_entries where task = ? order by seq", [task]);
  expect(rows.slice(0, stored.length)).toEqual(stored);
  const entries = rows.map((row) => JSON.parse(String(row.entry_json)));
  const replies = entries.filter((entry) => entry.type === "assistant");
  const used = replies.flatMap((reply) =>
    reply.content.flatMap((block: { type: string; id: string }) => (block.type === "tool_use" ? [block.id] : [])),
  );
  const idsOf = (type: string) => entries.filter((entry) => entry.type === type).map((entry) => entry.toolUseId);
  expect(idsOf("result")).toEqual(used);
  expect(new Set(used).size).toBe(used.length);
  expect(new Set(idsOf("intent")).size).toBe(idsOf("intent").length);
  expect(calls()).toBe(replies.length + 1);

  // The receipt tells of the whole attempt, also of what ran before the kill.
  const commands = replies.flatMap((reply) =>
    reply.content.flatMap((block: { name?: string; input?: { command: string } }) => (block.name === "bash" ? [block.input?.command] : [])),
  );
  expect(done.receipt?.steps).toBe(replies.length);
  expect(done.receipt?.commands.map((run) => run.command)).toEqual(commands);
});

test("without its VP Coder no coding task goes there, and no coder is asked", async () => {
  const { box } = house;
  await running().stop();
  const pruned = await startWith({ ENABLE_VP_CODER: "false" });
  await until("headquarters knows", async () => (await box.store.factories.get("desk-1"))?.facts?.capabilities.coder === false);
  const page = await readFile(join(homeOf(house), "capabilities.md"), "utf8");
  expect(page).toContain("| VP_CODER | Disabled |");
  expect(page).not.toContain("VP Coder,");

  const before = coderCalls();
  const { id: message } = house.chat.say(mission);
  expect((await house.answerTo(message)).text).toContain("no VP coder on desk-1");
  const task = await house.taskOf(message);
  expect(task).toMatchObject({ state: "held", code: "no_capability", factory: null });
  expect((await cardSays(task.id, "✋ held")).text).toContain("no VP coder on desk-1");
  expect(await house.rows("select id from outbox where task = ?", [task.id])).toEqual([]);
  expect(coderCalls()).toBe(before);

  // What was held goes on by itself once there is somebody for it.
  await pruned.stop();
  await box.startBranch();
  expect((await house.endOf(message)).task).toMatchObject({ state: "succeeded", epoch: 1 });
});
