/** A corporation in a box: everything on one machine, each part real where the environment has the credentials. */
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { busScheme } from "#adapters/bus/index.ts";
import { libsqlStore } from "#adapters/store/libsql.ts";
import { wires } from "#core/wire-usage.ts";
import { modelVariables } from "#factory/settings.ts";
import type { Bus } from "#ports/bus.ts";
import type { Store } from "#ports/store.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";
import { registerCommands } from "../../scripts/telegram-setup.ts";
import { makeDemoShop } from "../demo-shop.ts";
import { startHrana } from "../hrana.ts";
import { type Model, startModel } from "../model/server.ts";
import { startTelegram, type TelegramStandIn } from "../telegram/start.ts";
import { startBranch } from "./branch.ts";
import { openBus } from "./bus.ts";
import type { Child } from "./child.ts";
import { type HqKind, type HqProcess, startHq } from "./hq.ts";
import { type BoxKeys, keysFile, loadOrMakeKeys } from "./keys.ts";
import { freePort, usualPorts } from "./ports.ts";
import { findRunning, noteRunning } from "./running.ts";
import { bridgeTelegram } from "./telegram-bridge.ts";

export interface BoxOptions {
  dir: string;
  /** Throw away what an earlier start left. */
  fresh?: boolean;
  /** Parameters for both programs: model, bus, Telegram. Values here win over the box's own. */
  env: Readonly<Record<string, string | undefined>>;
  /** What headquarters runs on; workerd if nothing is said. */
  hq?: HqKind;
  /** Start only some parts. */
  without?: readonly ("hq" | "branch")[];
  /** True: any free ports, so that several boxes live side by side. */
  anyPorts?: boolean;
  say(line: string): void;
}

export interface Box {
  hq: HqProcess | null;
  hqUrl: string;
  /** What HQ's environment is, secrets included. */
  hqEnv: Record<string, string>;
  /** Null where the real service is used. */
  telegram: TelegramStandIn | null;
  model: Model | null;
  branch: Child | null;
  /** The state of record and the bus, for looking at. */
  store: Store;
  bus: Bus;
  shop: string;
  keys: BoxKeys;
  owner: number;
  startBranch(): Promise<Child>;
  stop(): Promise<void>;
}

const branchId = "desk-1";

/** Starts part by part; if one fails, those before it are stopped. */
export async function startBox(options: BoxOptions): Promise<Box> {
  const { dir, env, say, hq: hqKind = "workerd", without = [], anyPorts = false } = options;
  const other = await findRunning(dir);
  if (other) throw new Error(`A box already runs in ${dir} (process ${other.pid}, ${other.hqUrl}). Stop it first, or use another --dir.`);
  if (options.fresh) await clear(dir);
  await mkdir(join(dir, "logs"), { recursive: true, mode: 0o700 });
  const closers: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  const port = (name: keyof typeof usualPorts) => (anyPorts ? freePort(0) : freePort(usualPorts[name]));

  try {
    const keys = await loadOrMakeKeys(dir);
    const database = await startHrana({ file: join(dir, "hq.db"), token: keys.databaseToken, port: await port("database") });
    closers.push(database.close);
    const client = createClient({ url: database.url, authToken: keys.databaseToken });
    await migrateDatabase(client);
    const store = libsqlStore(client);

    const carried = await openBus({ dir, token: keys.busToken, port: await port("bus") }, env);
    closers.push(carried.close);
    // A bus that is not there is told now, not by whoever misses it first.
    await carried.bus.open(branchId);

    const owner = env.TELEGRAM_BOT_TOKEN ? Number((env.TELEGRAM_OWNER_IDS ?? "").split(",")[0]) : keys.owner;
    const hqPort = await port("hq");
    const hqUrl = `http://localhost:${hqPort}`;
    const telegram = env.TELEGRAM_BOT_TOKEN
      ? null
      : await startTelegram({
          botToken: keys.botToken,
          webhook: { url: `${hqUrl}/telegram/webhook`, secret: keys.webhookSecret },
          owner: { id: keys.owner, name: "Owner" },
          port: await port("chat"),
          stateFile: join(dir, "chat.json"),
        });
    if (telegram) closers.push(telegram.close);

    const model = standsIn(env) ? await startModel({ apiKey: keys.modelKey, port: await port("model") }) : null;
    if (model) closers.push(model.close);
    const modelEnv = model ? standInEnv(model, keys.modelKey, env) : pick(env, modelVariables);

    const hqEnv: Record<string, string> = {
      ...modelEnv,
      ...pick(env, ["LOG_LEVEL", "TASK_BUDGET_USD", "TASK_MAX_STEPS", "TASK_MAX_MINUTES", "TASK_MAX_TOKENS"]),
      DATABASE_URL: database.url,
      DATABASE_AUTH_TOKEN: keys.databaseToken,
      ...carried.hqEnv,
      HQ_SIGNING_KEY: keys.signingKey,
      TELEGRAM_BOT_TOKEN: env.TELEGRAM_BOT_TOKEN ?? keys.botToken,
      TELEGRAM_WEBHOOK_SECRET: env.TELEGRAM_WEBHOOK_SECRET ?? keys.webhookSecret,
      TELEGRAM_OWNER_IDS: env.TELEGRAM_BOT_TOKEN ? (env.TELEGRAM_OWNER_IDS ?? "") : String(keys.owner),
      ...(telegram ? { TELEGRAM_API_ROOT: telegram.apiRoot } : pick(env, ["TELEGRAM_API_ROOT"])),
      PUBLIC_URL: env.PUBLIC_URL ?? hqUrl,
    };
    let hq: HqProcess | null = null;
    if (!without.includes("hq")) {
      say(`starting headquarters ${hqKind === "node" ? "under Node" : "in workerd"} …`);
      hq = await startHq(hqKind, { dir, port: hqPort, env: hqEnv }, say);
      closers.push(hq.stop);
    }
    await registerCommands(telegram?.apiRoot ?? env.TELEGRAM_API_ROOT ?? "https://api.telegram.org", hqEnv.TELEGRAM_BOT_TOKEN ?? "").catch(
      (error: unknown) => say(error instanceof Error ? error.message : String(error)),
    );
    if (env.TELEGRAM_BOT_TOKEN) {
      const bridge = bridgeTelegram({
        token: env.TELEGRAM_BOT_TOKEN,
        apiRoot: env.TELEGRAM_API_ROOT,
        webhook: `${hqUrl}/telegram/webhook`,
        secret: hqEnv.TELEGRAM_WEBHOOK_SECRET ?? "",
        say,
      });
      closers.push(bridge.close);
    }

    const shop = join(dir, "demo-shop");
    await makeDemoShop(shop);
    const branchEnv = {
      ...modelEnv,
      ...pick(env, [
        "LOG_LEVEL",
        "TASK_BUDGET_USD",
        "TASK_MAX_STEPS",
        "TASK_MAX_MINUTES",
        "TASK_MAX_TOKENS",
        "MAX_CONCURRENT_TASKS",
        "ENABLE_SHELL",
        "ENABLE_GIT",
        "ENABLE_VP_CODER",
        "ENABLE_VP_GENERAL",
        "SANDBOX",
      ]),
      HQ_URL: hqUrl,
      ...carried.branchEnv,
      WORKSPACES: env.WORKSPACES ?? `demo-shop=${shop}`,
      DRAIN_SECONDS: env.DRAIN_SECONDS ?? "3",
    };
    const box: Box = {
      hq,
      hqUrl,
      hqEnv,
      telegram,
      model,
      branch: null,
      store,
      bus: carried.bus,
      shop,
      keys,
      owner,
      async startBranch() {
        const { bus, toldUrl: busUrl } = carried;
        const branch = await startBranch({ dir, id: branchId, name: branchId, env: branchEnv, store, bus, busUrl, telegram });
        closers.push(branch.stop);
        box.branch = branch;
        return branch;
      },
      stop,
    };
    const forget = await noteRunning(dir, {
      pid: process.pid,
      hqUrl,
      databaseUrl: database.url,
      chatUrl: telegram?.chatUrl ?? null,
      busUrl: env.BUS_URL ? null : (carried.hqEnv.BUS_URL ?? null),
      busKind: env.BUS_URL ? busScheme(env.BUS_URL).transport : "libsql",
      hq: hqKind,
      standInModel: model !== null,
    });
    closers.unshift(forget);
    if (!without.includes("branch") && hq) {
      say("starting the branch …");
      await box.startBranch();
      await untilOnline(box);
    }
    return box;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** True where the environment names no model of its own: a key of Anthropic's, or a provider. */
function standsIn(env: BoxOptions["env"]): boolean {
  const provider = env.LLM_PROVIDER?.trim() || "scripted";
  return provider === "scripted" && !env.ANTHROPIC_API_KEY && !env.ANTHROPIC_AUTH_TOKEN && !env.SCRIPTED_API_KEY;
}

/** The stand-in, over whichever wire the environment wants. */
function standInEnv(model: Model, apiKey: string, env: BoxOptions["env"]): Record<string, string> {
  const wire = wires.find((name) => name === env.LLM_WIRE) ?? "anthropic";
  return { LLM_PROVIDER: "scripted", LLM_WIRE: wire, SCRIPTED_BASE_URL: model.urlFor(wire), SCRIPTED_API_KEY: apiKey };
}

/** Throws an earlier box away. Rejects where the folder holds something else: a slip of the hand must not cost it. */
async function clear(dir: string) {
  const there = await readdir(dir).catch((): string[] => []);
  if (there.length > 0 && !there.includes(keysFile)) {
    throw new Error(`${dir} is no box: there is no ${keysFile} in it. Empty the folder yourself, or use another --dir.`);
  }
  await rm(dir, { recursive: true, force: true });
}

/** Waits for the first heartbeat. */
async function untilOnline({ store, branch }: Box) {
  let ended: string | null = null;
  void branch?.exited.then((how) => {
    ended = how;
  });
  const since = Date.now();
  while (Date.now() - since < 60_000 && ended === null) {
    const factory = await store.factories.get(branchId);
    if (factory?.lastHeartbeatAt && factory.lastHeartbeatAt >= since - 1000) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`The branch did not come online (${ended ?? "no heartbeat in 60 s"}); its log: logs/${branchId}.log in the box's folder`);
}

function pick(env: BoxOptions["env"], names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}
