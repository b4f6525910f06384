/** A corporation in a box for one test file: real headquarters, git and sandbox, a folder of its own, and no trace afterwards. */
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient, type InArgs } from "@libsql/client";
import { isTerminal } from "#core/task.ts";
import type { Task } from "#ports/tasks.ts";
import { type Box, startBox } from "../../dev/box/box.ts";
import type { HqKind } from "../../dev/box/hq.ts";
import type { Model } from "../../dev/model/server.ts";
import { leftOf } from "../../dev/processes.ts";
import { type RedisServer, startRedis } from "../../dev/redis.ts";
import type { ChatMessage, TelegramStandIn } from "../../dev/telegram/start.ts";
import { startUpstashGateway, type UpstashGateway } from "../../dev/upstash/start.ts";
import { until } from "./until.ts";

export const mission = "The tests of the demo shop fail. Fix them.";

export interface House {
  dir: string;
  box: Box;
  chat: TelegramStandIn;
  model: Model;
  redis: RedisServer | null;
  /** What headquarters reaches that Redis by, if not by TCP. */
  upstash: UpstashGateway | null;
  /** Rows of the state of record, read past the store. */
  rows(sql: string, args?: InArgs): Promise<Record<string, unknown>[]>;
  /** The task that a message of the owner's led to. */
  taskOf(message: number, withinMs?: number): Promise<Task>;
  /** The same once it has ended and the chat has its completion. */
  endOf(message: number, withinMs?: number): Promise<{ task: Task; done: ChatMessage }>;
  /** The bot's answer to a message of the owner's: not the card of a task. */
  answerTo(message: number, withinMs?: number): Promise<ChatMessage>;
  /** Stops everything. Rejects if a process is left. */
  close(): Promise<void>;
}

export interface HouseOptions {
  /** What headquarters runs on; workerd if nothing is said. */
  hq?: HqKind;
  /**
   * The embedded bus, or a real Redis of its own; the embedded one if nothing is said. With `upstash` headquarters reaches that Redis
   * by Upstash's REST protocol, and the branch by TCP.
   */
  bus?: "libsql" | "redis" | "upstash";
  env?: Record<string, string>;
}

export async function openHouse(options: HouseOptions = {}): Promise<House> {
  const dir = await mkdtemp(join(tmpdir(), "uac-e2e-"));
  const said: string[] = [];
  const say = (line: string) => void said.push(line);
  const bus = await openBus(options.bus ?? "libsql");
  const { redis, upstash } = bus;
  const env = { ...options.env, ...bus.env };
  const box = await startBox({ dir, anyPorts: true, env, hq: options.hq ?? "workerd", say }).catch(async (error: unknown) => {
    await bus.close();
    await rm(dir, { recursive: true, force: true });
    throw error;
  });
  const { telegram: chat, model } = box;
  if (!chat || !model) throw new Error("The box runs without its stand-ins");
  const database: Client = createClient({
    url: box.hqEnv.DATABASE_URL ?? "",
    authToken: box.hqEnv.DATABASE_AUTH_TOKEN ?? "",
  });

  /** A wait in vain, with what the programs complained of. */
  const explained = async <T>(wait: Promise<T>): Promise<T> =>
    wait.catch(async (error: Error) => {
      throw new Error(`${error.message}\n${await complaintsIn(join(dir, "logs"))}`);
    });
  const taskFor = async (message: number) => (await box.store.tasks.list({ limit: 50 })).find((task) => task.message === message);
  const cardOf = (task: string) =>
    chat.messages().find((message) => message.buttons.flat().some((button) => button.data === `log:${task}`));

  return {
    dir,
    box,
    chat,
    model,
    redis,
    upstash,
    rows: async (sql, args = []) => (await database.execute({ sql, args })).rows as unknown as Record<string, unknown>[],
    taskOf: (message, withinMs) => explained(until(`a task of message ${message}`, () => taskFor(message), withinMs)),
    async endOf(message, withinMs = 60_000) {
      const overFor = async () => {
        const found = await taskFor(message);
        return found && isTerminal(found.state) && found;
      };
      const task = await explained(until(`the end of the task of message ${message}`, overFor, withinMs));
      const done = await until(`the completion of ${task.id}`, () => {
        const card = cardOf(task.id);
        return chat.messages().find(({ replyTo, silent, document }) => card && replyTo?.id === card.id && !silent && !document);
      });
      return { task, done };
    },
    answerTo(message, withinMs) {
      const answer = () =>
        chat.messages().find(({ from, replyTo, buttons }) => from === "bot" && replyTo?.id === message && !buttons.length);
      return explained(until(`an answer to message ${message}`, answer, withinMs));
    },
    async close() {
      database.close();
      await box.stop();
      await bus.close();
      await until("every process of the box has ended", () => leftOf(dir).length === 0, 5000).catch((error: Error) => {
        throw new Error(`${error.message}; left:\n${leftOf(dir).join("\n")}\n${said.join("\n")}`);
      });
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** The bus's servers, and what the box is told of them. */
async function openBus(kind: NonNullable<HouseOptions["bus"]>) {
  const redis = kind === "libsql" ? null : await startRedis();
  const token = randomBytes(24).toString("hex");
  const upstash = kind === "upstash" && redis ? await startUpstashGateway({ redisUrl: redis.url, token }) : null;
  const rest = upstash && redis && { BUS_URL: `upstash+${upstash.url}`, BUS_TOKEN: token, BRANCH_BUS_URL: redis.url };
  return {
    redis,
    upstash,
    env: rest ?? (redis ? { BUS_URL: redis.url } : {}),
    async close() {
      await upstash?.close();
      await redis?.stop();
    },
  };
}

/** The last errors and warnings in the programs' logs. */
async function complaintsIn(logs: string): Promise<string> {
  const files = await readdir(logs);
  const texts = await Promise.all(files.map((file) => readFile(join(logs, file), "utf8")));
  const lines = texts.flatMap((text, i) => text.split("\n").map((line) => `${files[i]}: ${line}`));
  return lines
    .filter((line) => /"level":"(error|warn)"|ERROR/.test(line))
    .slice(-12)
    .join("\n")
    .slice(-6000);
}
