/** What HQ's verbs are given: ports and settings, made once by a program's compose.ts. */
import type { PriceOf } from "#core/prices.ts";
import type { Bus } from "#ports/bus.ts";
import type { Chat } from "#ports/chat.ts";
import type { Clock } from "#ports/clock.ts";
import type { Ids } from "#ports/ids.ts";
import type { Llm } from "#ports/llm.ts";
import type { Log } from "#ports/log.ts";
import type { Redactor } from "#ports/redactor.ts";
import type { Signer, Verifier } from "#ports/signer.ts";
import type { Store } from "#ports/store.ts";
import type { HqSettings, Profile } from "./profile.ts";

export interface Headquarters {
  /** HQ's name in envelopes. */
  self: "hq";
  profile: Profile;
  settings: HqSettings;
  store: Store;
  bus: Bus;
  chat: Chat;
  llm: Llm;
  signer: Signer;
  verifier: Verifier;
  clock: Clock;
  ids: Ids;
  log: Log;
  redactor: Redactor;
  priceOf: PriceOf;
  /** How many more calls (of database, bus, chat, model) this event may make: a free Worker has 50. What is left waits for the next. */
  callsLeft(): number;
}
