/** A branch in this process: its own loop, journal, key, bus connections and HTTP client. Only its hands are stand-ins. */
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { busFor } from "#adapters/bus/index.ts";
import { systemClock } from "#adapters/clock/system.ts";
import { randomIds } from "#adapters/ids/random.ts";
import { presets } from "#adapters/llm/presets.ts";
import { meteredLlm, scriptedLlm } from "#adapters/llm/scripted.ts";
import { pricesOf } from "#adapters/prices/index.ts";
import { knownValues } from "#adapters/redactor/known-values.ts";
import { joseSigner, joseVerifier, newKeyPair } from "#adapters/signer/jose.ts";
import { openAllowances } from "#factory/allowances.ts";
import type { Branch } from "#factory/branch.ts";
import { parseProfile } from "#factory/profile.ts";
import { waitingLine } from "#factory/waiting-line.ts";
import type { Workspaces } from "#ports/workspace.ts";
import { httpHq } from "../../branch-agent/hq-client.ts";
import { libsqlJournal } from "../../branch-agent/journal/libsql.ts";
import { noSandbox } from "../../branch-agent/sandbox/none.ts";
import { gitFollowUps } from "../../branch-agent/workspace/follow-ups.ts";
import { type BenchHq, errorLog } from "./headquarters.ts";

export const workspace = "bench";

interface BranchOptions {
  id: string;
  busUrl: string;
  headquarters: BenchHq;
  folder: string;
  slots: number;
  /** Told when the work on a task begins: its workspace is asked for. */
  onWork(task: string): void;
}

/** Done at once: what is measured lies before the work and after it. */
const quick = () => scriptedLlm(() => ({ tools: [{ name: "finish", input: { status: "done", summary: "Nothing to do." } }] }));

/** Enrolled and approved; nothing runs yet. */
export async function openBranch({ id, busUrl, headquarters, folder, slots, onWork }: BranchOptions) {
  const { hq } = headquarters;
  const signer = await joseSigner((await newKeyPair()).privateJwk);
  await headquarters.admit(id, signer);
  const redactor = knownValues();
  const journal = await libsqlJournal(createClient({ url: `file:${join(folder, `${id}.db`)}` }));
  const bus = busFor({ url: busUrl, token: null, libsql: createClient, files: true });
  const env = { FACTORY_ID: id, SANDBOX: "none", WORKSPACES: `${workspace}=/nowhere`, MAX_CONCURRENT_TASKS: String(slots) };
  const branch: Branch = {
    self: id,
    profile: parseProfile({ ...env, DRAIN_SECONDS: "1" }, { providers: presets, keyless: true }),
    version: "0",
    hqKey: hq.signer.publicKey,
    hqKid: hq.signer.kid,
    hq: httpHq({ url: headquarters.url }),
    bus,
    journal,
    workspaces: emptyWorkspaces(onWork),
    followUps: gitFollowUps({ workspaces: {} }),
    sandbox: noSandbox(),
    signer,
    verifier: joseVerifier(),
    clock: systemClock,
    ids: randomIds,
    log: errorLog(redactor),
    redactor,
    priceOf: pricesOf(),
    inferenceFor: async (_, metering) => ({ llm: meteredLlm(quick(), metering), close: async () => {} }),
    life: "bench",
    line: waitingLine(systemClock, { most: slots, waitMs: 1000 }),
    allowances: await openAllowances(journal, []),
    handsFor: () => ({ tools: [], news: () => [], close: async () => {} }),
  };
  return {
    branch,
    async close() {
      await bus.close();
      await journal.close();
    },
  };
}

/** No repository: opening one with git takes longer than everything that is measured here. */
function emptyWorkspaces(onWork: (task: string) => void): Workspaces {
  return {
    names: () => [workspace],
    async open(_, task, epoch) {
      onWork(task);
      const base = "0".repeat(40);
      return {
        path: "/nowhere",
        workspace,
        gitDir: "/nowhere",
        base,
        branch: `uac/${task}-${epoch}`,
        uncommitted: 0,
        into: null,
        replayed: null,
        test: null,
        setup: null,
      };
    },
    async commit() {
      return { head: null, diffstat: { files: 0, insertions: 0, deletions: 0, text: "" }, patch: null, patchSha256: null };
    },
    conventions: async () => ({ notes: null, skills: [], more: 0 }),
    testChanges: async () => [],
    asAtBase: (_, __, run) => run(),
    close: async () => {},
    tidy: async () => {},
    sweep: async () => [],
  };
}
