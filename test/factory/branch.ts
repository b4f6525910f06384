/** A branch on real parts: its journal on a file, the memory bus, real signatures; a workspace, a sandbox and tools that do as told. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import * as z from "zod";
import { manualClock } from "#adapters/clock/manual.ts";
import { countingIds } from "#adapters/ids/counting.ts";
import { meteredLlm, type Script, scriptedLlm } from "#adapters/llm/scripted.ts";
import { jsonLog } from "#adapters/log/json.ts";
import { pricesOf } from "#adapters/prices/index.ts";
import { knownValues } from "#adapters/redactor/known-values.ts";
import { joseSigner, joseVerifier, newKeyPair } from "#adapters/signer/jose.ts";
import type { Order } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import type { FileChange } from "#core/evidence.ts";
import type { Follow } from "#core/follow-up.ts";
import { defaultLimits } from "#core/limits.ts";
import { type OpsToken, opsTokenMinutes } from "#core/ops-token.ts";
import type { CommandRun, Replayed } from "#core/receipt.ts";
import type { Setup } from "#core/setup.ts";
import { openAllowances } from "#factory/allowances.ts";
import type { Branch } from "#factory/branch.ts";
import { parseProfile } from "#factory/profile.ts";
import { seal } from "#factory/seal.ts";
import { waitingLine } from "#factory/waiting-line.ts";
import type { Bus } from "#ports/bus.ts";
import type { Clock } from "#ports/clock.ts";
import type { Done } from "#ports/follow-up.ts";
import type { Hq } from "#ports/hq.ts";
import type { SandboxRun } from "#ports/sandbox.ts";
import type { Tool } from "#ports/tool.ts";
import type { Conventions, Worktree } from "#ports/workspace.ts";
import { libsqlJournal } from "../../branch-agent/journal/libsql.ts";
import { quietProviders } from "../support/endpoint.ts";
import { quietReply } from "../support/heartbeats.ts";
import { spyTool } from "./agent.ts";
import { shakyBus, startMs } from "./headquarters.ts";

const hqKey = (await newKeyPair()).privateJwk;
const branchKey = (await newKeyPair()).privateJwk;
/** A secret that this branch alone knows. */
export const branchSecret = "wonderful-branch-secret";

export interface BranchOptions {
  script?: Script;
  env?: Record<string, string>;
  /** What the repository's tests exit with, run by run; the last is repeated. Null: no test command is known. */
  tests?: readonly (number | null)[] | null;
  /** What the repository tells whoever works there. */
  conventions?: Conventions;
  /** What became of the tests' files, once something was edited. */
  testChanges?: readonly FileChange[];
  /** What the tests print. */
  output?: (run: number) => string;
  /** Files that the owner has changed and not committed. */
  uncommitted?: number;
  replayed?: Replayed;
  setup?: Setup;
  /** The tests take all the time they are given. */
  endless?: boolean;
  clock?: Clock;
  bus?: Bus;
}

export type BranchBench = Awaited<ReturnType<typeof openBranch>>;

export async function openBranch(options: BranchOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), "uac-branch-"));
  const file = `file:${join(folder, "journal.db")}`;
  const manual = manualClock(startMs);
  const clock = options.clock ?? manual;
  const hqSigner = await joseSigner(hqKey);
  const signer = await joseSigner(branchKey);
  const redactor = knownValues();
  redactor.learn({ BRANCH_SECRET: branchSecret });
  const lines: string[] = [];
  const llm = scriptedLlm(options.script ?? []);
  const bus = shakyBus(options.bus);
  const tests = options.tests === undefined ? [1, 0] : options.tests;
  const state = {
    /** True once something was edited since the base. */
    edited: false,
    patch: `- old\n+ new ${branchSecret}` as string | null,
    commits: 0,
    closed: [] as string[],
    /** Files that were as at the base, for a run of the tests. */
    putBack: [] as string[],
    commands: [] as string[],
    runs: 0,
    /** How often the VP's hands were closed. */
    handsClosed: 0,
    remote: "https://git.example/owner/shop.git" as string | null,
    /** What was done with finished branches. */
    followed: [] as Follow[],
    /** What the next of that comes to. */
    followFails: null as UacError | null,
  };
  const followed = async (follow: Follow): Promise<Done> => {
    state.followed.push(follow);
    if (state.followFails) throw state.followFails;
    return { already: false, ref: `refs/heads/${follow.into}`, head: follow.head, answer: `remote: ${branchSecret}`, url: null };
  };

  const profile = parseProfile(
    { FACTORY_ID: "desk-1", FACTORY_NAME: "Desk", WORKSPACES: "shop=/srv/shop", DRAIN_SECONDS: "1", ...options.env },
    { providers: quietProviders("scripted") },
  );
  const hq: Hq = {
    enrol: () => Promise.reject(new Error("not here")),
    claim: async (jws) => {
      const trusted = async () => ({ owner: "desk-1", key: signer.publicKey });
      const { body } = await joseVerifier().open(jws, "hq", trusted, clock.now());
      const { task, epoch } = body as { task: string; epoch: number };
      return { token: await hqSigner.mint(token({ tsk: task, epoch })), leaseUntil: clock.now() + 120_000, resumed: false };
    },
    heartbeat: async () => quietReply({ now: clock.now() }),
    ring: async () => undefined,
  };
  function token(changed: Partial<OpsToken> = {}): OpsToken {
    const iat = Math.floor(clock.now() / 1000);
    return {
      ...{ iss: "hq", aud: "desk-1", sub: "desk-1", jti: "ops_0001", iat, nbf: iat, exp: iat + opsTokenMinutes * 60, gen: 0 },
      ...{ cnf: { jkt: signer.kid }, tsk: "t1-1-1", epoch: 1, rep: "shop", act: ["read", "write", "exec", "commit"], net: [], sec: [] },
      ...{ lim: defaultLimits, pol: "1" },
      ...changed,
    };
  }
  const edit = spyTool("edit", {
    answer() {
      state.edited = true;
      return "edited";
    },
  });
  const newLine = () => waitingLine(clock, { most: 9, waitMs: 1000 });
  let lives = 1;
  let journal = await openJournal(file);
  let branch: Branch = {
    self: "desk-1",
    profile,
    version: "0",
    hqKey: hqSigner.publicKey,
    hqKid: hqSigner.kid,
    hq,
    bus,
    journal,
    workspaces: {
      names: () => Object.keys(profile.workspaces),
      async open(workspace, task, epoch): Promise<Worktree> {
        if (!Object.hasOwn(profile.workspaces, workspace)) throw new UacError("workspace_failed", `There is no workspace ${workspace}.`);
        const branchName = `uac/${task}-${epoch}`;
        return {
          path: `/srv/worktrees/${task}`,
          workspace,
          gitDir: "/srv/shop/.git",
          base: "b".repeat(40),
          branch: branchName,
          uncommitted: options.uncommitted ?? 0,
          into: "main",
          replayed: options.replayed ?? null,
          test: tests && "npm test",
          setup: options.setup ?? null,
        };
      },
      async commit(_, __, author) {
        if (author) state.commits += 1;
        const none = { files: 0, insertions: 0, deletions: 0, text: "" };
        if (!state.edited) return { head: null, diffstat: none, patch: null, patchSha256: null };
        const diffstat = { files: 1, insertions: 1, deletions: 1, text: "a.ts | 2 +-" };
        return { head: author ? "c".repeat(40) : null, diffstat, patch: state.patch, patchSha256: "d".repeat(64) };
      },
      conventions: async () => options.conventions ?? { notes: null, skills: [], more: 0 },
      testChanges: async () => [...(options.testChanges ?? [])],
      async asAtBase(_, paths, run) {
        state.putBack.push(...paths);
        return run();
      },
      async close({ branch: closed }) {
        state.closed.push(closed);
      },
      tidy: async () => {},
      sweep: async () => [],
    },
    followUps: {
      prospects: async (_, mayPush) => ({ into: "main", remote: mayPush ? state.remote : null, can: ["merge", "discard"] }),
      remoteOf: async () => state.remote,
      merge: async (_, follow) => followed(follow),
      push: async (_, follow) => followed(follow),
      openPullRequest: async (_, follow) => followed(follow),
      discard: async (_, follow) => followed(follow),
    },
    sandbox: {
      name: "as told",
      check: async () => undefined,
      enter: () => undefined,
      leave: async () => undefined,
      bounds: () => [],
      async run(_, { command, signal, timeoutMs }): Promise<SandboxRun> {
        state.commands.push(command);
        if (options.endless) {
          await manual.advance(timeoutMs);
          return { exitCode: null, timedOut: true, output: "", truncated: false, durationMs: timeoutMs };
        }
        const exitCode = signal?.aborted ? null : (tests?.[Math.min(state.runs, tests.length - 1)] ?? null);
        const output = options.output?.(state.runs) ?? `ran ${branchSecret}`;
        state.runs += 1;
        return { exitCode, timedOut: false, output, truncated: false, durationMs: 5 };
      },
    },
    signer,
    verifier: joseVerifier(),
    clock,
    ids: countingIds(),
    log: jsonLog({ write: (line) => void lines.push(line), redactor, level: "debug", clock }),
    redactor,
    life: "life 1",
    line: newLine(),
    allowances: await openAllowances(journal, profile.budgets),
    inferenceFor: async (_, metering) => ({ llm: meteredLlm(llm, metering), close: async () => {} }),
    priceOf: pricesOf(),
    handsFor: ({ names, ran, allowed }) => {
      const bash: Tool = { ...spyTool("bash").tool, input: z.looseObject({ n: z.int().optional() }), run: () => ranOne(ran) };
      const tools = [edit.tool, bash].filter((tool) => names.includes(tool.name) && (tool.name !== "bash" || allowed.includes("exec")));
      const close = async () => {
        state.handsClosed += 1;
      };
      return { tools, news: () => [], close };
    },
  };
  const ranOne = async (ran: (run: CommandRun) => Promise<void>) => {
    await ran({ command: "npm test", exitCode: 0, durationMs: 1 });
    return { content: "ran" };
  };

  return {
    get branch() {
      return branch;
    },
    bus,
    clock,
    llm,
    lines,
    state,
    edit,
    hqSigner,
    token,
    get journal() {
      return journal;
    },
    /** Moves the clock on, if it is not one of the test's own. */
    advance: manual.advance,
    /** What the model says from now on. */
    speak(script: Script) {
      branch.inferenceFor = async (_, metering) => ({ llm: meteredLlm(scriptedLlm(script), metering), close: async () => {} });
    },
    /** As after a kill: the journal is opened anew, nothing else is remembered. */
    async restart() {
      await journal.close();
      journal = await openJournal(file);
      lives += 1;
      branch = { ...branch, journal, life: `life ${lives}`, line: newLine(), allowances: await openAllowances(journal, profile.budgets) };
      await journal.release(clock.now(), branch.life);
    },
    /** An order of HQ's, put on the bus; resolves to the entry as the branch reads it. */
    async order(changed: Partial<Order> = {}) {
      const body = orderOf(changed);
      const from = { self: "hq", signer: hqSigner, clock, ids: branch.ids };
      const { jws, id } = await seal(from, "order", body, { aud: "desk-1", corr: body.task, seq: 1 });
      return { jws, id, body, entry: await put(jws) };
    },
    put,
    /** What lies on the bus for HQ. */
    async said() {
      const from = [{ factory: "desk-1", channel: "out" as const }];
      const entries = await bus.read({ from, consumer: "hq", what: "new", count: 100, blockMs: 0 });
      const trusted = async () => ({ owner: "desk-1", key: signer.publicKey });
      return Promise.all(entries.map((entry) => joseVerifier().open(entry.data ?? "", "hq", trusted, clock.now())));
    },
    /** What stands in its journal. */
    async journalRows(sql: string) {
      const client = createClient({ url: file });
      const { rows } = await client.execute(sql);
      client.close();
      return rows;
    },
    /** What the branch says to HQ by HTTPS. */
    heard: (jws: string) => joseVerifier().open(jws, "hq", async () => ({ owner: "desk-1", key: signer.publicKey }), clock.now()),
    async close() {
      await bus.close();
      await journal.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };

  async function put(data: string, channel: "in" | "ctl" = "in") {
    await bus.publish({ factory: "desk-1", channel }, data);
    const [entry] = await bus.read({ from: [{ factory: "desk-1", channel }], consumer: "desk-1", what: "new", count: 1, blockMs: 0 });
    if (!entry) throw new Error("nothing was put");
    return entry;
  }
}

async function openJournal(file: string) {
  const client = createClient({ url: file });
  const journal = await libsqlJournal(client);
  // Nothing here outlives its test, so nothing need reach the disk.
  await client.execute("pragma synchronous = off");
  return journal;
}

export function orderOf(changed: Partial<Order> = {}): Order {
  return {
    task: "t1-1-1",
    epoch: 1,
    kind: "coder",
    title: "Fix the tests",
    instruction: "The tests of the shop fail.",
    workspace: "shop",
    limits: defaultLimits,
    requireVerified: false,
    follow: null,
    ...changed,
  };
}
