/** The Worker's composition root: environment → headquarters. Made anew for each event: sockets belong to one in workerd. */
import { createClient } from "@libsql/client/web";
import { busFor, busScheme } from "#adapters/bus/index.ts";
import { telegramChat } from "#adapters/chat/telegram.ts";
import { systemClock } from "#adapters/clock/system.ts";
import { randomIds } from "#adapters/ids/random.ts";
import { llmFor, providers } from "#adapters/llm/index.ts";
import { jsonLog } from "#adapters/log/json.ts";
import { knownValues } from "#adapters/redactor/known-values.ts";
import { fingerprint, hashSecret } from "#adapters/signer/digest.ts";
import { joseSigner, joseVerifier } from "#adapters/signer/jose.ts";
import { libsqlStore } from "#adapters/store/libsql.ts";
import { priceOf } from "#core/prices.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import { type Env, type HqSettings, type Profile, parseHqProfile, secretsOf } from "#factory/profile.ts";
import type { Signer } from "#ports/signer.ts";
import { dashboardApp } from "../dashboard/app.tsx";
import { dashboardDb } from "../dashboard/db.ts";
import { countedCalls } from "./calls.ts";
import type { Desks, HqContext } from "./context.ts";
import type { Desk } from "./desk.ts";

export interface WorkerEnv {
  DESK: DurableObjectNamespace<Desk>;
}

export type Opened = Omit<HqContext, "later"> & { close(): Promise<void> };

/** What is the same for every event of an isolate. */
interface Fixed {
  profile: Profile;
  settings: HqSettings;
  signer: Signer;
  secrets: Record<string, string>;
}
const fixed = new WeakMap<object, Promise<Fixed>>();

/**
 * Throws `bad_config`, naming every variable that is wrong. `arrange` may put something around what the verbs are given: how a
 * composition of another kind (a fault test's) is made of this one.
 */
export async function openHeadquarters(env: WorkerEnv, arrange: (hq: Headquarters) => Headquarters = asIs): Promise<Opened> {
  const { profile, settings, signer, secrets } = await onceFor(env);
  const redactor = knownValues();
  redactor.learn(secrets);
  const clock = systemClock;
  const log = jsonLog({ write: console.log, redactor, level: profile.logLevel, clock });
  const calls = countedCalls();
  const database = createClient({
    url: settings.databaseUrl,
    fetch: calls.fetch,
    ...(settings.databaseToken && { authToken: settings.databaseToken }),
  });
  const store = libsqlStore(database);
  const libsql = (config: { url: string; authToken?: string }) => createClient({ ...config, fetch: calls.fetch });
  const carrier = busFor({ url: settings.busUrl, token: settings.busToken, libsql, files: false, onRequest: calls.count });
  // Over HTTP its calls are counted as fetches already.
  const bus = busScheme(settings.busUrl).transport === "redis" ? calls.methods(carrier) : carrier;
  const hq: Headquarters = {
    self: "hq",
    profile,
    settings,
    store,
    bus,
    chat: telegramChat({ token: settings.telegramToken, apiRoot: settings.telegramApiRoot, fetch: calls.fetch }),
    llm: llmFor({
      provider: profile.provider,
      clock,
      model: profile.models.primary ?? undefined,
      baseUrl: profile.llm.anthropicBaseUrl ?? undefined,
      apiKey: profile.llm.anthropicApiKey ?? undefined,
      authToken: profile.llm.anthropicAuthToken ?? undefined,
      fetch: calls.fetch,
    }),
    signer,
    verifier: joseVerifier(),
    clock,
    ids: randomIds,
    log,
    redactor,
    priceOf,
    callsLeft: calls.left,
  };
  return {
    hq: arrange(hq),
    desks: durableDesks(env, clock.now),
    digest: { hash: hashSecret, fingerprint },
    dashboard: dashboardApp({
      db: dashboardDb(database),
      access: store.access,
      clock,
      hqUrl: null,
      log,
      primary: profile.personas.primary,
    }),
    async close() {
      await bus.close();
      database.close();
    },
  };
}

const asIs = (hq: Headquarters) => hq;

/** One parse and one key import an isolate; a failure is tried again at the next event. */
function onceFor(env: WorkerEnv): Promise<Fixed> {
  const known = fixed.get(env);
  if (known) return known;
  const made = open(stringsOf(env));
  made.catch(() => fixed.delete(env));
  fixed.set(env, made);
  return made;
}

async function open(env: Env): Promise<Fixed> {
  const { profile, hq: settings } = parseHqProfile(env, { providers: Object.keys(providers), role: "headquarters" });
  return { profile, settings, signer: await joseSigner(settings.signingKey), secrets: secretsOf(env) };
}

function stringsOf(env: WorkerEnv): Env {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => typeof value === "string"));
}

function durableDesks(env: WorkerEnv, now: () => number): Desks {
  return {
    ring: (chat, at) => env.DESK.getByName(`chat:${chat}`).ring(chat, at ?? now()),
  };
}
