/**
 * A corporation of real processes that can be hurt: headquarters (workerd or Node), branches, Redis with an append-only file and
 * the libSQL server, each killable, their links cuttable; Telegram and the model are the harness's own.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Client, createClient, type InArgs } from "@libsql/client";
import { redisBus } from "#adapters/bus/redis.ts";
import { libsqlStore } from "#adapters/store/libsql.ts";
import type { Bus } from "#ports/bus.ts";
import type { Clock } from "#ports/clock.ts";
import type { Store } from "#ports/store.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";
import { buildAssets } from "../box/assets.ts";
import type { HqKind } from "../box/hq.ts";
import { nodeHq } from "../box/hq-node.ts";
import { tickWorker, workerdHq } from "../box/hq-workerd.ts";
import { loadOrMakeKeys } from "../box/keys.ts";
import { freePort } from "../box/ports.ts";
import { type RedisServer, startRedis } from "../redis.ts";
import { startTcpProxy, type TcpProxy } from "../tcp-proxy.ts";
import { startTelegram, type TelegramStandIn } from "../telegram/start.ts";
import { startUpstashGateway, type UpstashGateway } from "../upstash/start.ts";
import { type Controller, startController } from "./controller.ts";
import { controllerVariable, lifeVariable } from "./gate.ts";
import { openMachine, type TownBranch } from "./machine.ts";
import { type Member, member } from "./member.ts";
import { type ChaosModel, startChaosModel } from "./model.ts";
import { answers, startProgram } from "./program.ts";
import { type Sabotage, sabotageVariable } from "./sabotage.ts";
import { inTime, type Pace, pacedClock, paceVariable, townSpeed } from "./time.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readyMs = 90_000;
const queryMs = 15_000;
const tickEveryMs = 60_000;
const hourMs = 3_600_000;

export interface TownOptions {
  /** An empty folder of its own. */
  dir: string;
  hq: HqKind;
  seed: number;
  sabotage?: Sabotage | null;
  branches?: number;
  /** Tasks that each branch works on at once. */
  slots?: number;
  /** `upstash`: everybody reaches the same Redis through a gateway that speaks Upstash's protocol. */
  bus?: "redis" | "upstash";
  /** By branch: how far its clock is off, ms. Otherwise the second is an hour ahead, and the third an hour behind. */
  skews?: readonly number[];
}

export interface Town {
  options: TownOptions;
  pace: Pace;
  /** The town's time, as headquarters has it. */
  clock: Clock;
  hq: Member;
  hqLink: TcpProxy;
  branches: readonly TownBranch[];
  redis: RedisServer;
  /** Null where the bus is Redis over TCP. */
  gateway: UpstashGateway | null;
  database: Member;
  telegram: TelegramStandIn;
  /** Every message of the chat in every version, one JSON object a line. */
  chatFile: string;
  model: ChaosModel;
  controller: Controller;
  store: Store;
  bus: Bus;
  /** Rows of the state of record. Rejects after 15 s. */
  rows<T = Record<string, unknown>>(sql: string, args?: InArgs): Promise<T[]>;
  /** The minute tick, now; nothing where headquarters ticks by itself alone. */
  tick(): Promise<void>;
  /** Ends every process. Repeatable. */
  stop(): Promise<void>;
}

export async function openTown(options: TownOptions): Promise<Town> {
  const { dir, seed, sabotage = null, branches: count = 3, slots = 2, skews = [0, hourMs, -hourMs] } = options;
  await mkdir(join(dir, "logs"), { recursive: true });
  const closers: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const pace: Pace = { anchor: Date.now(), speed: townSpeed, skewMs: 0 };
    const keys = await loadOrMakeKeys(dir);
    const redis = await startRedis({ args: ["--appendfsync", "always"] });
    closers.push(redis.stop);
    const gateway = options.bus === "upstash" ? await startUpstashGateway({ redisUrl: redis.url, token: keys.busToken }) : null;
    if (gateway) closers.push(gateway.close);
    const controller = await startController();
    closers.push(controller.close);
    const model = await startChaosModel(seed);
    closers.push(model.close);
    const common = (life: string, skewMs: number) => ({
      [controllerVariable]: controller.url,
      [lifeVariable]: life,
      [paceVariable]: JSON.stringify({ ...pace, skewMs }),
      ...(sabotage && { [sabotageVariable]: sabotage }),
      LLM_PROVIDER: "scripted",
      ANTHROPIC_BASE_URL: model.urlFor(life),
      ANTHROPIC_API_KEY: keys.modelKey,
    });

    const databasePort = await freePort(0);
    const databaseUrl = `http://127.0.0.1:${databasePort}`;
    const database = member(
      "database",
      () =>
        startProgram("database", dir, "database.ts", {
          DATABASE_FILE: join(dir, "hq.db"),
          DATABASE_TOKEN: keys.databaseToken,
          PORT: String(databasePort),
        }),
      () => answers(`${databaseUrl}/health`),
    );
    closers.push(database.sweep);
    await database.start();
    const client = createClient({ url: databaseUrl, authToken: keys.databaseToken });
    await migrateDatabase(client);
    const store = libsqlStore(client);
    const bus = redisBus({ url: redis.url });
    closers.push(bus.close);

    const hqPort = await freePort(0);
    const hqUrl = `http://127.0.0.1:${hqPort}`;
    const chatFile = join(dir, "chat.jsonl");
    const telegram = await startTelegram({
      botToken: keys.botToken,
      webhook: { url: `${hqUrl}/telegram/webhook`, secret: keys.webhookSecret },
      owner: { id: keys.owner, name: "Owner" },
      stateFile: chatFile,
      messagesKept: 100_000,
      // The chat's own pace is no fault that this harness deals.
      limits: { sends: { burst: 1000, perSecond: 1000 }, edits: { burst: 1000, perSecond: 1000 } },
      retry: { firstMs: 200, maxMs: 1000, timeoutMs: 10_000 },
    });
    closers.push(telegram.close);

    const hqLink = await startTcpProxy({ to: redis.port });
    closers.push(hqLink.close);
    const hqEnv = {
      DATABASE_URL: databaseUrl,
      DATABASE_AUTH_TOKEN: keys.databaseToken,
      ...(gateway ? { BUS_URL: `upstash+${gateway.url}`, BUS_TOKEN: keys.busToken } : { BUS_URL: `redis://127.0.0.1:${hqLink.port}` }),
      HQ_SIGNING_KEY: keys.signingKey,
      TELEGRAM_BOT_TOKEN: keys.botToken,
      TELEGRAM_WEBHOOK_SECRET: keys.webhookSecret,
      TELEGRAM_OWNER_IDS: String(keys.owner),
      TELEGRAM_API_ROOT: telegram.apiRoot,
      PUBLIC_URL: hqUrl,
    };
    // The product's wrangler.toml builds them; this harness has one of its own.
    if (options.hq === "workerd") await buildAssets();
    const composition = join(root, "dev", "chaos", options.hq === "node" ? "hq-node.ts" : "wrangler.toml");
    const program = await (options.hq === "node" ? nodeHq : workerdHq)({ dir, port: hqPort, env: hqEnv, composition });
    const hq = member(
      "hq",
      (life) => program.launch(() => undefined, common(life, 0)),
      () => answers(`${hqUrl}/health`),
    );
    closers.push(hq.sweep);
    await hq.start();

    const branches = await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const branch = await openMachine({ dir, id: `desk-${i + 1}`, redis, hqPort, slots, store, bus, pace }, (life) =>
          common(life, skews[i] ?? 0),
        );
        closers.push(branch.close);
        return branch.branch;
      }),
    );
    const tick = async () => {
      if (options.hq === "workerd" && hq.alive()) await tickWorker(hqUrl);
    };
    const ticker = setInterval(() => void tick().catch(() => undefined), tickEveryMs / pace.speed);
    closers.push(async () => clearInterval(ticker));
    const town: Town = {
      options,
      pace,
      clock: pacedClock(pace),
      hq,
      hqLink,
      branches,
      redis,
      gateway,
      database,
      telegram,
      chatFile,
      model,
      controller,
      store,
      bus,
      rows: rowsOf(client),
      tick,
      stop,
    };
    await Promise.all(branches.map((branch) => branch.member.start()));
    await allOnline(town);
    return town;
  } catch (error) {
    await stop();
    throw error;
  }
}

async function allOnline({ store, branches }: Town) {
  const until = Date.now() + readyMs;
  while (Date.now() < until) {
    const fleet = await store.factories.list();
    if (branches.every(({ id }) => fleet.some((factory) => factory.id === id && factory.facts !== null))) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error("Not every branch came online; the logs of the town say why");
}

function rowsOf(client: Client) {
  return async <T = Record<string, unknown>>(sql: string, args: InArgs = []) =>
    (await inTime(queryMs, "a query", client.execute({ sql, args }))).rows as unknown as T[];
}
