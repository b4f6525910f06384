/** The branch agent's composition root: environment and folder → a factory of headquarters'. What it works with: `compose-bench.ts`. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { busFor } from "#adapters/bus/index.ts";
import { systemClock } from "#adapters/clock/system.ts";
import { randomIds } from "#adapters/ids/random.ts";
import { jsonLog } from "#adapters/log/json.ts";
import { prettyLog } from "#adapters/log/pretty.ts";
import { fingerprint, hashSecret } from "#adapters/signer/digest.ts";
import { joseSigner, joseVerifier } from "#adapters/signer/jose.ts";
import { UacError } from "#core/errors.ts";
import type { Branch } from "#factory/branch.ts";
import { capabilitiesMd } from "#factory/capabilities-md.ts";
import { type Env, type Profile, type ProfileOptions, parseProfile } from "#factory/profile.ts";
import { openBench, openJournal, openSandbox, openVoice, providers, usualSandbox } from "./compose-bench.ts";
import { keepHouse } from "./housekeeping.ts";
import { httpHq } from "./hq-client.ts";
import { hqClock } from "./hq-clock.ts";
import { loadOrMakeKey } from "./keys.ts";
import { type Enrolment, homeOf, readEnrolment } from "./state.ts";
import { steadyClock } from "./steady-clock.ts";
import { version } from "./version.ts";
import { declaredIn, describeCommands } from "./workspace/commands.ts";

export interface Opened {
  branch: Branch;
  close(): Promise<void>;
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
  const { redactor, log } = openVoice(env, profile.logLevel, process.stderr.isTTY ? prettyLog : jsonLog);
  const key = await loadOrMakeKey(home);
  redactor.learn({ BUS_URL: enrolment.busUrl, BUS_TOKEN: enrolment.busToken, FACTORY_KEY: key.privateJwk });

  await mkdir(home, { recursive: true, mode: 0o700 });
  await writeFile(join(home, "capabilities.md"), capabilitiesMd(profile, await describeCommands(profile.workspaces, declaredIn(profile))));
  const sandbox = await openSandbox(profile, log);

  const clock = hqClock(steadyClock(systemClock));
  const journal = await openJournal(home, { transcriptMs: profile.retainMs });
  const life = randomIds.next("life");
  const orphans = await journal.release(clock.now(), life);
  if (orphans > 0)
    log.warn("model calls were under way when this factory was killed; all that they might have used is in the ledger", { orphans });
  for (const caution of profile.cautions) log.warn(caution);
  const bench = await openBench({
    self: enrolment.factory,
    profile,
    folder: home,
    branches: join(home, "branches"),
    clock,
    journal,
    sandbox,
    life,
    redactor,
    log,
  });
  const bus = busFor({
    url: profile.busUrl ?? enrolment.busUrl,
    token: profile.busToken ?? (enrolment.busToken || null),
    libsql: createClient,
    files: true,
  });
  const closing = new AbortController();
  const { workspaces } = bench.workshop;
  const house = keepHouse({ workspaces, journal, clock, log, logs: join(home, "logs"), retainMs: profile.retainMs }, closing.signal);
  const branch: Branch = {
    ...bench.workshop,
    version,
    hqKey: enrolment.hqKey,
    hqKid: enrolment.hqKid,
    hq: httpHq({ url: profile.hqUrl ?? enrolment.hqUrl, heard: clock.follow }),
    bus,
    signer: await joseSigner(key.privateJwk),
    verifier: joseVerifier(),
  };
  return {
    branch: arrange(branch),
    async close() {
      closing.abort();
      await house;
      await bench.close();
      await bus.close();
      await journal.close();
    },
  };
}

const asIs = (branch: Branch) => branch;

/** This machine's key and what `enrol` needs of it. */
export async function openIdentity(home: string) {
  const key = await loadOrMakeKey(home);
  return { publicKey: key.publicKey, signer: await joseSigner(key.privateJwk), hashSecret, fingerprint };
}

/** The environment's profile, with what the enrolment fixed. Throws `bad_config` where the two disagree. */
export function profileOf(env: Env, enrolment: Enrolment, how: Pick<ProfileOptions, "keyless"> = {}): Profile {
  const profile = parseProfile(
    { FACTORY_NAME: enrolment.name, FACTORY_ROLE: enrolment.role, ...env },
    { providers, sandbox: usualSandbox, id: enrolment.factory, ...how },
  );
  if (profile.id !== enrolment.factory || profile.role !== enrolment.role) {
    throw new UacError(
      "bad_config",
      `This machine joined as ${enrolment.factory} (${enrolment.role}); FACTORY_ID and FACTORY_ROLE say otherwise`,
    );
  }
  return profile;
}
