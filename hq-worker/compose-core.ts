/** What both compositions of headquarters make alike. What differs (database, bus, log, budget of calls) is handed in. */
import type { Client } from "@libsql/client/web";
import { telegramChat } from "#adapters/chat/telegram.ts";
import { systemClock } from "#adapters/clock/system.ts";
import { randomIds } from "#adapters/ids/random.ts";
import { chainFor } from "#adapters/llm/index.ts";
import { meteredFetch } from "#adapters/llm/metered-fetch.ts";
import { presets } from "#adapters/llm/presets.ts";
import { pricesOf } from "#adapters/prices/index.ts";
import { parsePriceList } from "#adapters/prices/list.ts";
import { knownValues } from "#adapters/redactor/known-values.ts";
import { fingerprint, hashSecret } from "#adapters/signer/digest.ts";
import { joseSigner, joseVerifier } from "#adapters/signer/jose.ts";
import { libsqlStore } from "#adapters/store/libsql.ts";
import { providerNames } from "#core/endpoint.ts";
import type { PriceOf } from "#core/prices.ts";
import { answerQuestion } from "#factory/answer-owner.ts";
import { askFollowUp } from "#factory/ask-follow-up.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import { type Env, type HqSettings, type Profile, parseHqProfile, secretsOf } from "#factory/profile.ts";
import { waitingLine } from "#factory/waiting-line.ts";
import type { Bus } from "#ports/bus.ts";
import type { Log } from "#ports/log.ts";
import type { Redactor } from "#ports/redactor.ts";
import type { Signer } from "#ports/signer.ts";
import { dashboardApp } from "../dashboard/app.tsx";
import { dashboardDb } from "../dashboard/db.ts";
import type { Opened } from "./context.ts";

/** Tries that one step of a turn may take, over all models of its chain: `callsPerStep` in `shared/factory/converse.ts` holds five. */
const triesOfAStep = 5;

/** What an environment says, checked. */
export interface Fixed {
  profile: Profile;
  settings: HqSettings;
  signer: Signer;
  priceOf: PriceOf;
  secrets: Record<string, string>;
  /** Models that were out of order: not every turn shall find out anew. */
  resting: Map<string, number>;
}

/** Throws `bad_config`, naming every variable that is wrong. */
export async function readEnvironment(env: Env): Promise<Fixed> {
  const { profile, hq: settings } = parseHqProfile(env, { providers: presets, role: "headquarters" });
  const priceOf = pricesOf(settings.prices === null ? null : parsePriceList(settings.prices, "PRICES", providerNames));
  return { profile, settings, signer: await joseSigner(settings.signingKey), priceOf, secrets: secretsOf(env), resting: new Map() };
}

/** A redactor that knows every secret of the environment. */
export function redactorFor({ secrets }: Fixed): Redactor {
  const redactor = knownValues();
  redactor.learn(secrets);
  return redactor;
}

/** What the platform brings. */
export interface Platform {
  database: Client;
  bus: Bus;
  log: Log;
  redactor: Redactor;
  /** What chat and model are reached with; the platform's own where it is missing. */
  fetch?: typeof fetch;
  callsLeft(): number;
}

/** Puts something around what the verbs are given: how a composition of another kind (a fault test's) is made of one of these. */
export type Arrange = (hq: Headquarters) => Headquarters;
export const asIs: Arrange = (hq) => hq;

export function headquartersOn(platform: Platform, fixed: Fixed, arrange: Arrange): Omit<Opened, "desks" | "close"> {
  const { database, bus, log, redactor, callsLeft } = platform;
  const { profile, settings, signer, priceOf, resting } = fixed;
  const clock = systemClock;
  const store = libsqlStore(database, priceOf);
  const fetching = platform.fetch && { fetch: platform.fetch };
  const hq: Headquarters = {
    self: "hq",
    profile,
    settings,
    store,
    bus,
    chat: telegramChat({ token: settings.telegramToken, apiRoot: settings.telegramApiRoot, ...fetching }),
    llmFor: (metering) =>
      chainFor(profile.inference.primary, {
        clock,
        resting,
        thinking: profile.thinking,
        depsFor: ({ provider, wire, billing }) => ({
          clock,
          annotate: true,
          maxRetries: Math.floor(triesOfAStep / profile.inference.primary.length) - 1,
          fetch: meteredFetch(metering, { provider, wire, billing, ...fetching }),
        }),
        onFallback: (from, to, { code, message }) =>
          log.warn("a model gave no answer, so the next one is asked", { from: from.provider, to: to.provider, code, message }),
      }),
    life: randomIds.next("life"),
    line: waitingLine(clock, { most: 32, waitMs: 15_000 }),
    signer,
    verifier: joseVerifier(),
    clock,
    ids: randomIds,
    log,
    redactor,
    priceOf,
    callsLeft,
  };
  const arranged = arrange(hq);
  return {
    hq: arranged,
    digest: { hash: hashSecret, fingerprint },
    dashboard: dashboardApp({
      db: dashboardDb(database),
      access: store.access,
      clock,
      hqUrl: null,
      log,
      primary: profile.personas.primary,
      answer: (id, option) => answerQuestion(arranged, { id, option, by: "the owner", via: "dashboard" }),
      followUp: (task, deed) => askFollowUp(arranged, { task, do: deed, key: `page-${clock.now()}` }),
    }),
  };
}
