/** The composition of `code`: one task at the same bench as a factory's, with nobody behind it. No headquarters, no bus, no key. */
import { mkdir, realpath, stat } from "node:fs/promises";
import { basename, join, relative, resolve } from "node:path";
import { systemClock } from "#adapters/clock/system.ts";
import { randomIds } from "#adapters/ids/random.ts";
import { prettyLog } from "#adapters/log/pretty.ts";
import { UacError } from "#core/errors.ts";
import { vps } from "#core/vp.ts";
import type { Workshop } from "#factory/branch.ts";
import { type Env, type Profile, parseProfile } from "#factory/profile.ts";
import { openBench, openJournal, openSandbox, openVoice, providers, usualSandbox, warmUpModel } from "./compose-bench.ts";
import { clearLeftRuns } from "./solo/leftovers.ts";
import { beginRun } from "./solo/runs.ts";
import { homeOf, readEnrolment } from "./state.ts";
import { steadyClock } from "./steady-clock.ts";
import { git } from "./workspace/git.ts";

/** When earlier runs' leavings were last looked through: a fact of the journal's, ms. */
const sweptKey = "swept";
const dayMs = 86_400_000;

export interface CodeOptions {
  /** A directory in the repository. */
  path: string;
  /** What tests it, over what is configured or detected. */
  test?: string | undefined;
  /** `provider`, `provider:model` or `model`, over the environment's. */
  model?: string | undefined;
}

export interface OpenCode {
  workshop: Workshop;
  /** Of this run: its id is the task's. */
  task: string;
  /** Of the profile's workspaces, the one that is worked on, and where it is. */
  workspace: string;
  path: string;
  close(): Promise<void>;
}

/**
 * Rejects with `bad_config` (with the variable's name), `bad_input` for a path or a model that is none, `workspace_failed` where there
 * is no repository, or `sandbox_unavailable`.
 */
export async function openCode(env: Env, options: CodeOptions): Promise<OpenCode> {
  const [path, read] = await Promise.all([repositoryAt(options.path), profileOf(env, options.model)]);
  const workspace = await nameOf(read, path);
  const tests = options.test === undefined ? read.workspaceTests : { ...read.workspaceTests, [workspace]: options.test };
  const profile: Profile = { ...read, workspaces: { [workspace]: path }, workspaceTests: tests };
  warmUpModel(profile);
  // What a factory tells of its day is noise to somebody who reads along.
  const { redactor, log } = openVoice(env, env.LOG_LEVEL ? profile.logLevel : "warn", prettyLog);
  for (const caution of profile.cautions) log.warn(caution);
  const opening = openSandbox(profile);
  // Awaited below: it tries the sandbox while the journal is opened.
  opening.catch(() => undefined);

  const home = join(homeOf(env), "code");
  if (!relative(path, home).startsWith("..")) {
    throw new UacError(
      "bad_config",
      `UAC_HOME, ${homeOf(env)}, lies in the repository ${path}, where nothing is touched. Put it elsewhere.`,
    );
  }
  await mkdir(home, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new UacError("bad_config", `${home} can't be made. UAC_HOME must be a directory that you may write to.`, { cause });
  });
  const clock = steadyClock(systemClock);
  // One for all runs: budgets count what they spend together. A factory in the same home has its own.
  const journal = await openJournal(home, { transcriptMs: profile.retainMs, survives: "kill" });
  try {
    const life = randomIds.next("life");
    const run = await beginRun(home, randomIds.next("code").slice(0, "code_".length + 8));
    const branches = join(home, "branches");
    const sandbox = await opening;
    await clearLeftRuns({ home, branches, journal, clock, log, life });
    const bench = await openBench({
      self: profile.id,
      profile,
      folder: run.folder,
      branches,
      clock,
      journal,
      sandbox,
      life,
      redactor,
      log,
    });
    return {
      workshop: bench.workshop,
      task: run.task,
      workspace,
      path,
      async close() {
        await sweepDaily(bench.workshop, profile.retainMs);
        await bench.close();
        await journal.close();
        await run.end();
      },
    };
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/** What earlier runs left and is old goes, once a day: now nobody waits for an answer any more. */
async function sweepDaily({ journal, workspaces, clock }: Workshop, retainMs: number) {
  const now = clock.now();
  if (now - Number((await journal.get(sweptKey)) ?? 0) < dayMs) return;
  await workspaces.sweep({ now, retainMs });
  await journal.set(sweptKey, String(now));
}

/** Who works: as this machine joined, if it did, since its settings may be for that factory. Nobody but the coder calls a model. */
async function profileOf(env: Env, model: string | undefined): Promise<Profile> {
  const joined = await readEnrolment(homeOf(env));
  const known = joined && { FACTORY_NAME: joined.name, FACTORY_ROLE: joined.role };
  const variables = { ...known, ...env, ...modelOf(model), [vps.general.env]: "false" };
  return parseProfile(variables, { providers, sandbox: usualSandbox, id: joined?.factory ?? "code" });
}

/** The repository that `path` lies in. */
async function repositoryAt(path: string): Promise<string> {
  const real = await realpath(path).catch(() => null);
  if (real === null || !(await stat(real)).isDirectory()) {
    throw new UacError("bad_input", `There is no directory ${resolve(path)}. Name one with --workspace.`);
  }
  const { code, out } = await git(["rev-parse", "--path-format=absolute", "--show-toplevel"], { cwd: real, accept: [128] });
  if (code === 0) return realpath(out.replace(/\n$/, ""));
  if ((await git(["rev-parse", "--git-dir"], { cwd: real, accept: [128] })).code === 0) {
    throw new UacError(
      "workspace_failed",
      `${real} is git's own directory, without a checkout. Name a checkout of it; git worktree add makes one.`,
    );
  }
  throw new UacError(
    "workspace_failed",
    `${real} lies in no git repository. Go into one, name one with --workspace, or make one of it: git init, and commit.`,
  );
}

/** As WORKSPACES names it, so that its settings hold here too; else as its directory is called. */
async function nameOf({ workspaces }: Profile, path: string): Promise<string> {
  for (const [name, known] of Object.entries(workspaces)) {
    if ((await realpath(known).catch(() => null)) === path) return name;
  }
  return basename(path).slice(0, 64) || "repository";
}

/** The environment that names the model. A model's name may hold a colon itself. */
function modelOf(model: string | undefined): Env {
  if (model === undefined) return {};
  const [, provider = "", rest] = /^([^:]*)(?::(.*))?$/s.exec(model.trim()) ?? [];
  if (!Object.hasOwn(providers, provider)) return { [vps.coder.modelEnv]: model.trim() };
  return { [vps.coder.providerEnv]: provider, ...(rest && { [vps.coder.modelEnv]: rest }) };
}
