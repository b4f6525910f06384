/** `hq-worker/node.ts` as a process of its own, on files, with stand-ins for chat and model. */
import { execFileSync } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Client, createClient } from "@libsql/client";
import { newKeyPair } from "#adapters/signer/jose.ts";
import { type Child, startChild } from "../../dev/box/child.ts";
import { freePort } from "../../dev/box/ports.ts";
import { startModel } from "../../dev/model/server.ts";
import { startTelegram } from "../../dev/telegram/start.ts";
import { until } from "../e2e/until.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export type Program = Awaited<ReturnType<typeof openProgram>>;

/** Nothing runs yet but the stand-ins. */
export async function openProgram() {
  execFileSync(process.execPath, ["scripts/build-assets.mjs"], { cwd: root });
  const dir = await mkdtemp(join(tmpdir(), "uac-hq-"));
  const secret = () => randomBytes(24).toString("hex");
  const owner = randomInt(1e8, 9e8);
  const apiKey = secret();
  const model = await startModel({ apiKey });
  const botToken = `${randomInt(1e9, 9e9)}:${secret()}`;
  const chat = await startTelegram({ botToken, webhook: null, owner: { id: owner, name: "Owner" } });
  const port = await freePort(0);
  const url = `http://127.0.0.1:${port}`;
  const logFile = join(dir, "hq.log");
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? "",
    HOME: dir,
    PORT: String(port),
    DATABASE_URL: `file:${join(dir, "hq.db")}`,
    BUS_URL: `file:${join(dir, "bus.db")}`,
    HQ_SIGNING_KEY: (await newKeyPair()).privateJwk,
    TELEGRAM_BOT_TOKEN: botToken,
    TELEGRAM_WEBHOOK_SECRET: secret(),
    TELEGRAM_OWNER_IDS: `${owner},${owner + 1}`,
    TELEGRAM_API_ROOT: chat.apiRoot,
    PUBLIC_URL: url,
    LLM_PROVIDER: "scripted",
    ANTHROPIC_BASE_URL: model.url,
    ANTHROPIC_API_KEY: apiKey,
  };
  const children: Child[] = [];
  let reader: Client | null = null;
  let nextUpdate = 1_000_000;

  const launch = (changed: Record<string, string> = {}): Child => {
    const args = ["--import", "tsx", join(root, "hq-worker", "node.ts")];
    const child = startChild({ name: "hq", args, env: { ...env, ...changed }, logFile });
    children.push(child);
    return child;
  };
  const log = () => readFile(logFile, "utf8").catch(() => "");

  return {
    dir,
    url,
    env,
    owner,
    model,
    chat,
    launch,
    log,
    /** Resolves when it answers. */
    async start(): Promise<Child> {
      const child = launch();
      const ended = child.exited.then((how) => ({ how }));
      const healthy = until("headquarters answers", async () => {
        const response = await fetch(`${url}/health`).catch(() => null);
        return response?.ok;
      });
      const first = await Promise.race([healthy, ended]);
      if (typeof first === "object") throw new Error(`Headquarters ended (${first.how}):\n${await log()}`);
      return child;
    },
    /** A new message of an owner's, as Telegram would bring it. */
    message(text: string, from = owner) {
      const message = from === owner ? chat.say(text).id : nextUpdate;
      const person = { id: from, first_name: "Owner" };
      nextUpdate += 1;
      return {
        update_id: nextUpdate,
        message: { message_id: message, date: 1, from: { ...person, is_bot: false }, chat: { ...person, type: "private" }, text },
      };
    },
    /** Resolves to the status; null where nobody answered. */
    async post(update: unknown): Promise<number | null> {
      const response = await fetch(`${url}/telegram/webhook`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-telegram-bot-api-secret-token": env.TELEGRAM_WEBHOOK_SECRET ?? "" },
        body: JSON.stringify(update),
        signal: AbortSignal.timeout(10_000),
      }).catch(() => null);
      await response?.body?.cancel();
      return response?.status ?? null;
    },
    /** The bot's audible answers to a message. */
    answers: (message: number) =>
      chat.messages().filter(({ from, replyTo, silent }) => from === "bot" && replyTo?.id === message && !silent),
    /** Rows of the database file; it must be there. */
    async rows(sql: string): Promise<Record<string, unknown>[]> {
      reader ??= createClient({ url: env.DATABASE_URL ?? "", timeout: 5000 });
      return (await reader.execute(sql)).rows as unknown as Record<string, unknown>[];
    },
    async close() {
      reader?.close();
      await Promise.all(children.map((child) => child.stop()));
      await Promise.all([model.close(), chat.close()]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}
