/** A whole corporation as real processes, with a counter on each of its roads: headquarters in workerd, branches, Redis, libSQL, a chat. */
import { randomBytes, randomInt } from "node:crypto";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { busFor } from "#adapters/bus/index.ts";
import { newKeyPair } from "#adapters/signer/jose.ts";
import { libsqlStore } from "#adapters/store/libsql.ts";
import { defaultLimits } from "#core/limits.ts";
import type { Store } from "#ports/store.ts";
import { startBranch } from "../../dev/box/branch.ts";
import { startHq } from "../../dev/box/hq.ts";
import { freePort } from "../../dev/box/ports.ts";
import { startHrana } from "../../dev/hrana.ts";
import { startRedis } from "../../dev/redis.ts";
import { startTelegram } from "../../dev/telegram/start.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";
import { type CommandProxy, startCommandProxy } from "./command-proxy.ts";
import { commandStats } from "./command-stats.ts";
import { type RequestProxy, startRequestProxy } from "./request-proxy.ts";

/** What went over the roads so far. */
export interface Counts {
  /** Commands of each branch, and of headquarters. */
  branchCommands: Record<string, number>[];
  hqCommands: Record<string, number>;
  /** What Redis itself counted, everybody together. */
  redis: Record<string, number>;
  /** Requests of each branch to headquarters. */
  branchRequests: Record<string, number>[];
  /** Headquarters' requests to the database and to the chat network. */
  sqlRequests: number;
  chatRequests: number;
  statements: number;
  rowsScanned: number;
  rowsReturned: number;
  rowsChanged: number;
  /** Of the database file and its write-ahead log. */
  bytes: number;
}

export interface IdleHouse {
  counts(): Promise<Counts>;
  close(): Promise<void>;
}

const onlineWithinMs = 90_000;
const dayMs = 86_400_000;

/** Resolves when every branch has been heard of. `past`: so many tasks lie in the database, long over. */
export async function openIdleHouse(branches: number, past: number, say: (line: string) => void): Promise<IdleHouse> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const one of closers.splice(0).reverse()) await one();
  };
  const opened = async <T extends { close(): Promise<unknown> }>(opening: Promise<T>): Promise<T> => {
    const part = await opening;
    closers.push(() => part.close());
    return part;
  };
  try {
    const dir = await mkdtemp(join(tmpdir(), "uac-idle-"));
    closers.push(() => rm(dir, { recursive: true, force: true }));
    await mkdir(join(dir, "logs"), { recursive: true });
    const secret = () => randomBytes(24).toString("hex");

    const password = secret();
    const redis = await startRedis({ args: ["--requirepass", password] });
    closers.push(redis.stop);
    const roads: CommandProxy[] = [];
    for (let i = 0; i <= branches; i += 1) roads.push(await opened(startCommandProxy(redis.port)));
    const busUrls = roads.map(({ port }) => `redis://:${password}@127.0.0.1:${port}`);
    const [hqRoad, ...branchRoads] = roads;
    const [hqBusUrl = "", ...branchBusUrls] = busUrls;

    const cost = { statements: 0, rowsScanned: 0, rowsReturned: 0, rowsChanged: 0 };
    const [file, token] = [join(dir, "hq.db"), secret()];
    const database = await opened(
      startHrana({
        file,
        token,
        onStatement({ scanned, returned, changed }) {
          cost.statements += 1;
          cost.rowsScanned += scanned;
          cost.rowsReturned += returned;
          cost.rowsChanged += changed;
        },
      }),
    );
    const client = createClient({ url: database.url, authToken: token });
    closers.push(async () => client.close());
    await migrateDatabase(client);
    const store = libsqlStore(client);
    await addPast(store, past);
    const sqlRoad = await opened(startRequestProxy(database.url));

    const owner = randomInt(1e8, 9e8);
    const botToken = `${randomInt(1e9, 9e9)}:${secret()}`;
    const chat = await opened(startTelegram({ botToken, webhook: null, owner: { id: owner, name: "Owner" } }));
    const chatRoad = await opened(startRequestProxy(chat.apiRoot));

    const port = await freePort(0);
    say("starting headquarters in workerd …");
    const hqUrl = `http://localhost:${port}`;
    const hqEnv = {
      DATABASE_URL: sqlRoad.url,
      DATABASE_AUTH_TOKEN: token,
      BUS_URL: hqBusUrl,
      HQ_SIGNING_KEY: (await newKeyPair()).privateJwk,
      TELEGRAM_BOT_TOKEN: botToken,
      TELEGRAM_WEBHOOK_SECRET: secret(),
      TELEGRAM_OWNER_IDS: String(owner),
      TELEGRAM_API_ROOT: chatRoad.url,
      PUBLIC_URL: hqUrl,
      LLM_PROVIDER: "scripted",
      ANTHROPIC_BASE_URL: "http://127.0.0.1:1",
      ANTHROPIC_API_KEY: secret(),
    };
    const hq = await startHq("workerd", { dir, port, env: hqEnv }, say);
    closers.push(hq.stop);

    const bus = busFor({ url: `redis://:${password}@127.0.0.1:${redis.port}`, token: null, libsql: createClient, files: true });
    closers.push(bus.close);
    const doors: RequestProxy[] = [];
    for (const [i, busUrl] of branchBusUrls.entries()) {
      const id = `desk-${i + 1}`;
      say(`starting the branch ${id} …`);
      const door = await opened(startRequestProxy(hqUrl));
      doors.push(door);
      const env = { HQ_URL: door.url, BUS_URL: busUrl, WORKSPACES: `demo=${dir}`, SANDBOX: "none", LLM_PROVIDER: "scripted" };
      const model = { ANTHROPIC_BASE_URL: "http://127.0.0.1:1", ANTHROPIC_API_KEY: secret() };
      const branch = await startBranch({ dir, id, name: id, env: { ...env, ...model }, store, bus, telegram: null });
      closers.push(branch.stop);
      await heardOf(store, id);
    }
    // What looked at the bus here asks nothing more.
    await bus.close();

    return {
      async counts() {
        // The write-ahead log is not there while nothing is in it.
        const sizes = await Promise.all(
          [file, `${file}-wal`].map((path) =>
            stat(path).then(
              ({ size }) => size,
              () => 0,
            ),
          ),
        );
        return {
          branchCommands: branchRoads.map((road) => road.counts()),
          hqCommands: hqRoad?.counts() ?? {},
          redis: await commandStats(redis.port, password),
          branchRequests: doors.map((door) => door.counts()),
          sqlRequests: sum(sqlRoad.counts()),
          chatRequests: sum(chatRoad.counts()),
          ...cost,
          bytes: sizes.reduce((total, size) => total + size, 0),
        };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Tasks that were cancelled two days ago: a tick that looks at all there ever was shows in the rows that it scans. */
async function addPast(store: Store, count: number) {
  const then = Date.now() - 2 * dayMs;
  for (let i = 0; i < count; i += 1) {
    const id = `old${i}-1-1`;
    const task = { id, chat: 1, message: null, title: "Old", instruction: "Done.", kind: null, workspace: null, wanted: null };
    const when = { priority: 0, notBefore: null, deadline: null, replayOf: null, follow: null, receivedAt: then };
    await store.tasks.create({ ...task, ...when, limits: defaultLimits, requireVerified: false }, { kind: "delegated", text: "" }, then);
    await store.tasks.move(id, 1, "cancel", { kind: "cancelled", text: "", code: "" }, then);
  }
}

async function heardOf(store: Store, id: string) {
  const until = Date.now() + onlineWithinMs;
  while (!(await store.factories.get(id))?.lastHeartbeatAt) {
    if (Date.now() > until) throw new Error(`The branch ${id} was not heard of within ${onlineWithinMs / 1000} s.`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

export function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
