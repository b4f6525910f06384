/** The branch agent's composition root: environment and folder → a factory. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { busFor } from "#adapters/bus/index.ts";
import { systemClock } from "#adapters/clock/system.ts";
import { randomIds } from "#adapters/ids/random.ts";
import { chainFor } from "#adapters/llm/index.ts";
import { meteredFetch } from "#adapters/llm/metered-fetch.ts";
import { presets } from "#adapters/llm/presets.ts";
import { jsonLog } from "#adapters/log/json.ts";
import { prettyLog } from "#adapters/log/pretty.ts";
import { pricesOf } from "#adapters/prices/index.ts";
import { parsePriceList } from "#adapters/prices/list.ts";
import { knownValues } from "#adapters/redactor/known-values.ts";
import { fingerprint, hashSecret } from "#adapters/signer/digest.ts";
import { joseSigner, joseVerifier } from "#adapters/signer/jose.ts";
import { type Endpoint, providerNames } from "#core/endpoint.ts";
import { UacError } from "#core/errors.ts";
import type { PriceOf } from "#core/prices.ts";
import { openAllowances } from "#factory/allowances.ts";
import type { Branch } from "#factory/branch.ts";
import { capabilitiesMd } from "#factory/capabilities-md.ts";
import { type Env, type Profile, type ProfileOptions, parseProfile, secretsOf } from "#factory/profile.ts";
import { waitingLine } from "#factory/waiting-line.ts";
import type { Journal } from "#ports/journal.ts";
import { openGateway } from "./gateway/server.ts";
import { httpHq } from "./hq-client.ts";
import { hqClock } from "./hq-clock.ts";
import { libsqlJournal } from "./journal/libsql.ts";
import { loadOrMakeKey } from "./keys.ts";
import { bubblewrap } from "./sandbox/bubblewrap.ts";
import { noSandbox } from "./sandbox/none.ts";
import { type Enrolment, homeOf, readEnrolment } from "./state.ts";
import { steadyClock } from "./steady-clock.ts";
import { coderTools } from "./tools/coder-tools.ts";
import { version } from "./version.ts";
import { gitWorkspaces } from "./workspace/worktrees.ts";

export interface Opened {
  branch: Branch;
  close(): Promise<void>;
}

/** A call waits no longer for others' reservations: less than the silence after which an engine thinks its provider gone. */
const budgetWaitMs = 75_000;

/** Those that an environment may name. */
export const providers = presets;

/** The log and the redactor, which everything else speaks through. */
export function openVoice(env: Env, level: Profile["logLevel"]) {
  const redactor = knownValues();
  redactor.learn(secretsOf(env));
  const write = (line: string) => process.stderr.write(`${line}\n`);
  const options = { write, redactor, level, clock: systemClock };
  return { redactor, log: process.stderr.isTTY ? prettyLog(options) : jsonLog(options) };
}

/**
 * Throws `bad_config` (with the variable's name) or `sandbox_unavailable`; `unauthenticated` where this machine has not joined.
 * `arrange` may put something around the ports: how a composition of another kind (a fault test's) is made of this one.
 */
export async function openBranch(env: Env, arrange: (branch: Branch) => Branch = asIs): Promise<Opened> {
  const home = homeOf(env);
  const enrolment = await readEnrolment(home);
  if (!enrolment)
    throw new UacError(
      "unauthenticated",
      "This machine has not joined; ask Simone for a code (/enrol <id>), then: npx tsx branch-agent enrol <code>",
    );
  const profile = profileOf(env, enrolment);
  const { redactor, log } = openVoice(env, profile.logLevel);
  const key = await loadOrMakeKey(home);
  redactor.learn({ BUS_URL: enrolment.busUrl, BUS_TOKEN: enrolment.busToken, FACTORY_KEY: key.privateJwk });

  await mkdir(join(home, "worktrees"), { recursive: true, mode: 0o700 });
  await writeFile(join(home, "capabilities.md"), capabilitiesMd(profile));
  const sandbox = profile.sandbox === "none" ? noSandbox() : bubblewrap();
  if (profile.sandbox !== "none" && profile.capabilities.shell) await sandbox.check();

  const clock = hqClock(steadyClock(systemClock));
  const journal = await openJournal(home);
  const life = randomIds.next("life");
  const orphans = await journal.release(clock.now(), life);
  if (orphans > 0)
    log.warn("model calls were under way when this factory was killed; all that they might have used is in the ledger", { orphans });
  for (const caution of profile.cautions) log.warn(caution);
  const gateway = await openGateway({
    ids: randomIds,
    log,
    metered: (metering, { upstream: { provider, billing }, wire, engine, send }) =>
      meteredFetch(metering, { provider, wire, billing, engine, fetch: send }),
  });
  // What is out of order for one task is for the next.
  const resting = new Map<string, number>();
  const bus = busFor({
    url: profile.busUrl ?? enrolment.busUrl,
    token: profile.busToken ?? (enrolment.busToken || null),
    libsql: createClient,
    files: true,
  });
  const branch: Branch = {
    self: enrolment.factory,
    profile,
    version,
    hqKey: enrolment.hqKey,
    hqKid: enrolment.hqKid,
    hq: httpHq({ url: profile.hqUrl ?? enrolment.hqUrl, heard: clock.follow }),
    bus,
    journal,
    workspaces: gitWorkspaces({ workspaces: profile.workspaces, root: join(home, "worktrees"), test: profile.workspaceTests, log }),
    sandbox,
    signer: await joseSigner(key.privateJwk),
    verifier: joseVerifier(),
    clock,
    ids: randomIds,
    log,
    redactor,
    priceOf: await pricesFor(profile),
    life,
    line: waitingLine(clock, { most: 256, waitMs: budgetWaitMs }),
    allowances: await openAllowances(journal, profile.budgets),
    async inferenceFor(seat, metering) {
      const chain = profile.inference[seat];
      const desk = gateway.openDesk(metering, chain);
      const throughDesk = (endpoint: Endpoint): Endpoint => ({
        ...endpoint,
        baseUrl: desk.urlFor(endpoint.provider),
        key: { kind: endpoint.key?.kind ?? "bearer", value: desk.token },
      });
      const [first, ...others] = chain;
      const llm = chainFor([throughDesk(first), ...others.map(throughDesk)], {
        clock: systemClock,
        resting,
        thinking: profile.thinking,
        depsFor: () => ({ clock: systemClock, annotate: true }),
        onFallback: (from, to, { code, message }) =>
          log.warn("a model gave no answer, so the next one is asked", { from: nameOf(from), to: nameOf(to), code, message }),
      });
      return { llm, close: desk.close };
    },
    toolsFor: ({ names, task, epoch, ...bench }) => {
      const logDir = join(home, "logs", `${task}-${epoch}`);
      return coderTools({ ...bench, redact: redactor.clean, logDir }).filter((tool) => names.includes(tool.name));
    },
  };
  return {
    branch: arrange(branch),
    async close() {
      await gateway.close();
      await bus.close();
      await journal.close();
    },
  };
}

const asIs = (branch: Branch) => branch;

/** What models cost here: the operator's own file goes before the lists that come with the program. Throws `bad_config`. */
async function pricesFor({ pricesFile }: Pick<Profile, "pricesFile">): Promise<PriceOf> {
  if (pricesFile === null) return pricesOf();
  const json = await readFile(pricesFile, "utf8").catch((cause) => {
    throw new UacError("bad_config", `PRICES_FILE can't be read: ${pricesFile}. Give the absolute path of a JSON file.`, { cause });
  });
  return pricesOf(parsePriceList(json, "PRICES_FILE", providerNames));
}

function nameOf({ provider, model }: { provider: string; model: string }): string {
  return `${provider}/${model}`;
}

/** This machine's key and what `enrol` needs of it. */
export async function openIdentity(home: string) {
  const key = await loadOrMakeKey(home);
  return { publicKey: key.publicKey, signer: await joseSigner(key.privateJwk), hashSecret, fingerprint };
}

/** The journal of the factory in `home`; made if it is not there. */
export function openJournal(home: string): Promise<Journal> {
  const open = () => createClient({ url: `file:${join(home, "journal.db")}` });
  return libsqlJournal(open(), open());
}

/** The environment's profile, with what the enrolment fixed. Throws `bad_config` where the two disagree. */
export function profileOf(env: Env, enrolment: Enrolment, how: Pick<ProfileOptions, "keyless"> = {}): Profile {
  const profile = parseProfile(
    { FACTORY_NAME: enrolment.name, FACTORY_ROLE: enrolment.role, ...env },
    { providers, id: enrolment.factory, ...how },
  );
  if (profile.id !== enrolment.factory || profile.role !== enrolment.role) {
    throw new UacError(
      "bad_config",
      `This machine joined as ${enrolment.factory} (${enrolment.role}); FACTORY_ID and FACTORY_ROLE say otherwise`,
    );
  }
  return profile;
}
