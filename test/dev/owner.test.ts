/** The owner's command line: processes of their own, over a real database, with the chat that they edit. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { delegate } from "#factory/delegate.ts";
import { deliverLetters } from "#factory/deliver.ts";
import { startTelegram, type TelegramStandIn } from "../../dev/telegram/start.ts";
import { type NodeOpened, openNodeHeadquarters } from "../../hq-worker/compose-node.ts";
import { hqEnv, owner, wish } from "../factory/headquarters.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let dir: string;
let env: Record<string, string>;
let chat: TelegramStandIn;
let here: NodeOpened;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "uac-owner-"));
  chat = await startTelegram({ botToken: hqEnv.TELEGRAM_BOT_TOKEN ?? "", webhook: null, owner: { id: owner, name: "Owner" } });
  env = { ...hqEnv, DATABASE_URL: `file:${join(dir, "hq.db")}`, BUS_URL: `file:${join(dir, "bus.db")}`, TELEGRAM_API_ROOT: chat.apiRoot };
  here = await openNodeHeadquarters(env);
});
afterAll(async () => {
  await here?.close();
  await chat?.close();
  await rm(dir, { recursive: true, force: true });
});

function run(args: string[], changed: Record<string, string> = {}, program = "scripts/owner.ts") {
  const { PATH = "", HOME = "" } = process.env;
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    const options = { cwd: root, env: { PATH, HOME, ...env, ...changed }, timeout: 30_000 };
    const child = execFile(process.execPath, ["--import", "tsx", program, ...args], options, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}
async function ask(id: string): Promise<string> {
  const { question } = await delegate(here.hq, wish({ id, message: null }));
  await deliverLetters(here.hq);
  return question?.id ?? "";
}
const task = (id: string) => here.hq.store.tasks.get(id);

it("lists what waits for an answer, and answers it: the message in the chat says from where", async () => {
  const id = await ask("t1-1-1");
  const listed = await run(["questions", "--json"]);
  expect(listed.code).toBe(0);
  expect(JSON.parse(listed.out)).toMatchObject({
    questions: [{ id, kind: "hold", task: "t1-1-1", options: expect.any(Array), expiresAt: null }],
  });
  expect((await run(["questions"])).out).toContain(`answer ${id} wait-1h  Wait at most 1 h`);

  expect((await run(["answer", id, "explode"])).code).toBe(1);
  const answered = await run(["--json", "answer", id, "wait-1h"]);
  expect([answered.code, JSON.parse(answered.out)]).toEqual([0, { outcome: "answered", text: expect.stringContaining("It waits") }]);
  expect(await task("t1-1-1")).toMatchObject({ state: "held", deadline: expect.any(Number) });
  const message = await chat.waitFor(({ text }) => text.includes("from the command line"), 10_000);
  expect(message).toMatchObject({
    text: expect.stringMatching(/^Fix the tests – held: .*\nWait at most 1 h, by \S+ from the command line/),
    buttons: [],
  });

  expect((await run(["questions"])).out).toBe("Nothing waits for an answer.\n");
});

it("that answers too late says by whom it was answered, and fails", async () => {
  const id = await ask("t2-1-1");
  await here.hq.store.questions.answer(id, { option: "wait", by: "Ann", via: "telegram" }, Date.now());
  const late = await run(["answer", id, "cancel"]);
  expect(late).toMatchObject({ code: 1, out: expect.stringMatching(/^Already answered: Wait without limit, by Ann in the chat/) });
  expect((await task("t2-1-1"))?.state).toBe("held");
});

it("lists tasks, and cancels one: its question ends with it", async () => {
  const id = await ask("t3-1-1");
  expect(JSON.parse((await run(["tasks", "--json"])).out).tasks).toContainEqual(expect.objectContaining({ id: "t3-1-1", state: "held" }));
  expect(await run(["cancel", "t3-1-1"])).toMatchObject({ code: 0, out: "t3-1-1 is cancelled.\n" });
  expect((await task("t3-1-1"))?.reason).toMatch(/^cancelled by \S+ from the command line$/);
  expect((await here.hq.store.questions.get(id))?.answer).toMatchObject({ via: "event" });
  expect([(await run(["cancel", "t3-1-1"])).code, (await run(["cancel", "t9"])).code]).toEqual([1, 1]);
});

describe("its exit code", () => {
  it.each<[string, string[], Record<string, string>, number, RegExp]>([
    ["of a slip", ["answer"], {}, 2, /missing required argument/],
    ["of a command that is none", ["explode"], {}, 2, /unknown command/],
    ["of an environment that is none of headquarters'", ["questions"], { DATABASE_URL: "" }, 2, /DATABASE_URL is not set/],
    ["of a database that is away", ["questions"], { DATABASE_URL: "http://127.0.0.1:9" }, 3, /The database at DATABASE_URL did not answer/],
    ["of a box that does not run", ["--box", "--dir", "/nonexistent", "questions"], {}, 3, /No box runs in \/nonexistent/],
  ])("%s", async (_, args, changed, code, message) => {
    const ended = await run(args, changed);
    expect([ended.code, ended.out]).toEqual([code, ""]);
    expect(ended.err).toMatch(message);
    for (const secret of [hqEnv.TELEGRAM_BOT_TOKEN, hqEnv.HQ_SIGNING_KEY]) expect(ended.err).not.toContain(secret);
  });
});

it("is headquarters' alone: a factory has no such command, and none that headquarters' secrets would open", async () => {
  for (const command of ["answer", "questions"]) {
    const ended = await run([command, "q1", "wait"], {}, "branch-agent/index.js");
    expect([ended.code, ended.out]).toEqual([2, ""]);
  }
});
