/** The composition root of headquarters under Node: one for the life of the process, its connections kept. */
import { type Client, createClient } from "@libsql/client";
import { busFor } from "#adapters/bus/index.ts";
import { systemClock } from "#adapters/clock/system.ts";
import { jsonLog } from "#adapters/log/json.ts";
import { prettyLog } from "#adapters/log/pretty.ts";
import { codeOf } from "#adapters/store/sql.ts";
import { UacError } from "#core/errors.ts";
import type { Env, HqSettings } from "#factory/profile.ts";
import { migrateDatabase, pendingMigrations } from "../scripts/migrate-database.ts";
import { chatQueue } from "./chat-queue.ts";
import { type Arrange, asIs, headquartersOn, readEnvironment, redactorFor } from "./compose-core.ts";
import type { Opened } from "./context.ts";
import { workDesk } from "./turn.ts";

export type NodeOpened = Opened & {
  /** Begins no turn any more, and has the running ones pause at their next step. Resolves when they have. Repeatable. */
  rest(): Promise<void>;
};

/** A database that says nothing for so long at the start is out of reach. */
const answerWithinMs = 15_000;
/** Somebody else (a backup, a second program) may hold the database file for so long; everything waits for it. */
const lockWaitMs = 2000;

/**
 * Throws `bad_config`, naming every variable that is wrong, or where the tables of a database server are missing or old;
 * `store_unavailable` where the server does not answer. The tables of a database file are made and kept up to date.
 */
export async function openNodeHeadquarters(env: Env, arrange: Arrange = asIs): Promise<NodeOpened> {
  const known = await readEnvironment(env);
  const { profile, settings } = known;
  const redactor = redactorFor(known);
  const write = (line: string) => process.stderr.write(`${line}\n`);
  const voice = { write, redactor, level: profile.logLevel, clock: systemClock };
  const log = process.stderr.isTTY ? prettyLog(voice) : jsonLog(voice);
  for (const caution of profile.cautions) log.warn(caution);
  const bus = busFor({ url: settings.busUrl, token: settings.busToken, libsql: createClient, files: true });
  const database = await openDatabase(settings);

  // No platform counts here; a headquarters that is to end says that no call is left, and every loop leaves its rest in the tables.
  let resting = false;
  const callsLeft = () => (resting ? 0 : Number.POSITIVE_INFINITY);
  const core = headquartersOn({ database, bus, log, redactor, callsLeft }, known, arrange);
  const desks = chatQueue({ work: (chat) => workDesk(core.hq, core.digest, chat), clock: core.hq.clock, log: core.hq.log });
  return {
    ...core,
    desks,
    async rest() {
      resting = true;
      await desks.close();
    },
    async close() {
      await bus.close();
      database.close();
    },
  };
}

async function openDatabase({ databaseUrl: url, databaseToken: authToken }: HqSettings): Promise<Client> {
  if (!url.startsWith("file:")) {
    const client = createClient({ url, ...(authToken && { authToken }) });
    await checkTables(client);
    return client;
  }
  try {
    const client = createClient({ url, timeout: lockWaitMs });
    await migrateDatabase(client);
    return client;
  } catch (cause) {
    const hint = "Does its folder exist, is it headquarters' database, and may this user write there?";
    throw new UacError("bad_config", `DATABASE_URL: the file can't be used (${codeOf(cause)}). ${hint}`, { cause });
  }
}

async function checkTables(client: Client) {
  const answered = new AbortController();
  const late = systemClock.sleep(answerWithinMs, answered.signal).then(() => {
    throw new Error(`no answer within ${answerWithinMs} ms`);
  });
  const pending = await Promise.race([pendingMigrations(client), late]).catch((cause: unknown) => {
    const hint = "Is its address right, and DATABASE_AUTH_TOKEN?";
    throw new UacError("store_unavailable", `The database at DATABASE_URL did not answer (${codeOf(cause)}). ${hint}`, { cause });
  });
  // Nobody waits for it any more.
  late.catch(() => undefined);
  answered.abort();
  if (pending > 0) {
    throw new UacError(
      "bad_config",
      `DATABASE_URL: the tables are missing or older than this version (${pending} to go). Run: npm run migrate`,
    );
  }
}
