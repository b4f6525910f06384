/** The Worker's composition root: environment → headquarters. Made anew for each event: sockets belong to one in workerd. */
import { createClient } from "@libsql/client/web";
import { busFor, busScheme } from "#adapters/bus/index.ts";
import { systemClock } from "#adapters/clock/system.ts";
import { jsonLog } from "#adapters/log/json.ts";
import type { Env } from "#factory/profile.ts";
import { countedCalls } from "./calls.ts";
import { type Arrange, asIs, type Fixed, headquartersOn, readEnvironment, redactorFor } from "./compose-core.ts";
import type { Desks, Opened } from "./context.ts";
import type { Desk } from "./desk.ts";

export interface WorkerEnv {
  DESK: DurableObjectNamespace<Desk>;
}

/** What is the same for every event of an isolate. */
const fixed = new WeakMap<object, Promise<Fixed>>();

/** Throws `bad_config`, naming every variable that is wrong. */
export async function openHeadquarters(env: WorkerEnv, arrange: Arrange = asIs): Promise<Opened> {
  const isFirst = !fixed.has(env);
  const known = await onceFor(env);
  const { profile, settings } = known;
  const redactor = redactorFor(known);
  const log = jsonLog({ write: console.log, redactor, level: profile.logLevel, clock: systemClock });
  if (isFirst) for (const caution of profile.cautions) log.warn(caution);
  const calls = countedCalls();
  const libsql = (config: { url: string; authToken?: string }) => createClient({ ...config, fetch: calls.fetch });
  const database = libsql({ url: settings.databaseUrl, ...(settings.databaseToken && { authToken: settings.databaseToken }) });
  const carrier = busFor({ url: settings.busUrl, token: settings.busToken, libsql, files: false, onRequest: calls.count });
  // Over HTTP its calls are counted as fetches already.
  const bus = busScheme(settings.busUrl).transport === "redis" ? calls.methods(carrier) : carrier;
  return {
    ...headquartersOn({ database, bus, log, redactor, fetch: calls.fetch, callsLeft: calls.left }, known, arrange),
    desks: durableDesks(env, systemClock.now),
    async close() {
      await bus.close();
      database.close();
    },
  };
}

/** One parse and one key import an isolate; a failure is tried again at the next event. */
function onceFor(env: WorkerEnv): Promise<Fixed> {
  const known = fixed.get(env);
  if (known) return known;
  const made = readEnvironment(stringsOf(env));
  made.catch(() => fixed.delete(env));
  fixed.set(env, made);
  return made;
}

function stringsOf(env: WorkerEnv): Env {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => typeof value === "string"));
}

function durableDesks(env: WorkerEnv, now: () => number): Desks {
  return {
    ring: (chat, at) => env.DESK.getByName(`chat:${chat}`).ring(chat, at ?? now()),
  };
}
