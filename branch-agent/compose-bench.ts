/** What both of this program's compositions share: the bench at which an attempt is worked, by orders of headquarters or alone. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@libsql/client/sqlite3";
import { systemClock } from "#adapters/clock/system.ts";
import { randomIds } from "#adapters/ids/random.ts";
import { chainFor, warmUp } from "#adapters/llm/index.ts";
import { meteredFetch } from "#adapters/llm/metered-fetch.ts";
import { presetOf, presets } from "#adapters/llm/presets.ts";
import type { LogOptions } from "#adapters/log/json.ts";
import { pricesOf } from "#adapters/prices/index.ts";
import { parsePriceList } from "#adapters/prices/list.ts";
import { knownValues } from "#adapters/redactor/known-values.ts";
import { type Endpoint, providerNames } from "#core/endpoint.ts";
import { UacError } from "#core/errors.ts";
import type { PriceOf } from "#core/prices.ts";
import { openAllowances } from "#factory/allowances.ts";
import type { Workshop } from "#factory/branch.ts";
import { type Env, type Profile, secretsOf } from "#factory/profile.ts";
import { waitingLine } from "#factory/waiting-line.ts";
import type { Clock } from "#ports/clock.ts";
import type { Journal } from "#ports/journal.ts";
import type { Log } from "#ports/log.ts";
import type { Redactor } from "#ports/redactor.ts";
import type { Sandbox } from "#ports/sandbox.ts";
import { openGateway } from "./gateway/server.ts";
import { libsqlJournal } from "./journal/libsql.ts";
import { bubblewrap } from "./sandbox/bubblewrap.ts";
import { fairShare } from "./sandbox/limits.ts";
import { seatbelt } from "./sandbox/macos.ts";
import { noSandbox } from "./sandbox/none.ts";
import { coderHands } from "./tools/coder-hands.ts";
import { hidingCommitted } from "./tools/committed-secrets.ts";
import { declaredIn } from "./workspace/commands.ts";
import { gitFollowUps } from "./workspace/follow-ups.ts";
import { gitWorkspaces } from "./workspace/worktrees.ts";

/** A call waits no longer for others' reservations: less than the silence after which an engine thinks its provider gone. */
const budgetWaitMs = 75_000;

/** Those that an environment may name. */
export const providers = presets;

export interface Voice {
  redactor: Redactor;
  log: Log;
}

/** The log and the redactor, which everything else speaks through. */
export function openVoice(env: Env, level: Profile["logLevel"], format: (options: LogOptions) => Log): Voice {
  const redactor = knownValues();
  redactor.learn(secretsOf(env));
  const write = (line: string) => process.stderr.write(`${line}\n`);
  return { redactor, log: format({ write, redactor, level, clock: systemClock }) };
}

export interface BenchOptions extends Voice {
  self: string;
  profile: Profile;
  /** Where worktrees and the logs of commands lie; made if it is not there. */
  folder: string;
  /** Where it is noted which branches finished work left. */
  branches: string;
  clock: Clock;
  journal: Journal;
  sandbox: Sandbox;
  life: string;
}

export interface OpenBench {
  workshop: Workshop;
  /** The journal stays open: it is its opener's. */
  close(): Promise<void>;
}

/** Rejects with `bad_config` for prices that can't be read. */
export async function openBench(options: BenchOptions): Promise<OpenBench> {
  const { profile, folder, clock, journal, redactor, log } = options;
  const priceOf = await pricesFor(profile);
  await mkdir(join(folder, "worktrees"), { recursive: true, mode: 0o700 });
  const gateway = await openGateway({
    ids: randomIds,
    log,
    metered: (metering, { upstream: { provider, billing }, wire, engine, send }) =>
      meteredFetch(metering, { provider, wire, billing, engine, fetch: send }),
  });
  // What is out of order for one task is for the next.
  const resting = new Map<string, number>();
  const workshop: Workshop = {
    self: options.self,
    profile,
    journal,
    workspaces: gitWorkspaces({
      ...declaredIn(profile),
      workspaces: profile.workspaces,
      root: join(folder, "worktrees"),
      branches: options.branches,
      log,
    }),
    followUps: gitFollowUps({ workspaces: profile.workspaces }),
    sandbox: options.sandbox,
    clock,
    ids: randomIds,
    log,
    redactor,
    priceOf,
    life: options.life,
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
    handsFor: ({ task, epoch, seat, ...bench }) => {
      const logDir = join(folder, "logs", `${task}-${epoch}`);
      const seesImages = profile.inference[seat].some(({ provider }) => presetOf(provider)?.does.images ?? true);
      const redact = hidingCommitted(bench.scope, redactor.clean, knownValues());
      return coderHands({ ...bench, seesImages, redact, logDir });
    },
  };
  return { workshop, close: gateway.close };
}

/** Loads what the coder's first model is called with, beside whatever else is waited for. A failure is told by the first call. */
export function warmUpModel({ inference }: Pick<Profile, "inference">): void {
  warmUp(inference.coder[0]).catch(() => undefined);
}

/** What confines commands on this system, where nothing is said. */
export const usualSandbox: Profile["sandbox"] = process.platform === "darwin" ? "seatbelt" : "bubblewrap";

/** Where commands run. Rejects with `sandbox_unavailable` where they may and nothing can confine them. */
export async function openSandbox(
  profile: Pick<Profile, "sandbox" | "capabilities" | "slots" | "taskMemory" | "taskDisk">,
  log?: Log,
): Promise<Sandbox> {
  if (profile.sandbox === "none") return noSandbox();
  const limits = fairShare(profile.slots, { memory: profile.taskMemory, disk: profile.taskDisk });
  const sandbox = profile.sandbox === "seatbelt" ? seatbelt({ limits }) : bubblewrap({ limits });
  if (profile.capabilities.shell) await sandbox.check();
  for (const bound of sandbox.bounds()) log?.info(`commands: ${bound}`);
  return sandbox;
}

/**
 * The journal of the factory in `home`; made if it is not there. One that need not survive a power cut, as where nothing is resumed, waits
 * for the disk as little as it can.
 */
export async function openJournal(
  home: string,
  { transcriptMs, survives = "power cut" }: { transcriptMs?: number; survives?: "power cut" | "kill" } = {},
): Promise<Journal> {
  // One connection each: what is set on it would not hold for those that a pool opens beside it.
  const open = () => createClient({ url: `file:${join(home, "journal.db")}`, concurrency: 1 });
  const client = open();
  const journal = await libsqlJournal(client, open(), transcriptMs);
  if (survives === "kill") await client.execute("pragma synchronous = normal");
  return journal;
}

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
