/**
 * Git on the host, over files that a model wrote. Nothing that a repository names may run here.
 *
 * - hooks, the fsmonitor, pagers, editors, signing, transports: off by fixed settings;
 * - filter drivers and configured hooks have names of the owner's choosing, which no fixed setting can list, while the model's
 *   `.gitattributes` chooses among them: `neutralised` reads the names from the repository's configuration and empties each one.
 *   (Files under Git LFS therefore stay pointers.);
 * - `textconv` and external diffs: by flags on each diff;
 * - aliases cannot stand in for git's own commands, and no other is called.
 */
import { spawn } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { UacError } from "#core/errors.ts";
import { boundedOutput } from "../sandbox/bounded-output.ts";

/** Milliseconds. */
const timeLimit = 60_000;
const errorTail = 600;

export interface GitCall {
  /** Where git looks; without it nothing is discovered. */
  gitDir?: string;
  workTree?: string;
  cwd?: string;
  input?: string | Buffer;
  /** More settings, which win over the repository's. */
  config?: readonly Setting[];
  /** Exit codes that are answers, not failures. */
  accept?: readonly number[];
  env?: Readonly<Record<string, string>>;
  /** The configuration of the system and of the owner is read too. Only for calls that run nothing which a setting names. */
  ownersConfig?: true;
  /** Every piece of standard output as it comes; then the result holds none. */
  onOutput?: (chunk: Buffer) => void;
}

export type Setting = readonly [key: string, value: string];

const fixed: readonly Setting[] = [
  ["core.hooksPath", "/dev/null"],
  ["core.fsmonitor", "false"],
  ["core.untrackedCache", "false"],
  ["core.attributesFile", "/dev/null"],
  ["core.excludesFile", "/dev/null"],
  ["core.sparseCheckout", "false"],
  ["core.quotePath", "false"],
  ["commit.gpgSign", "false"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
  ["submodule.recurse", "false"],
  ["protocol.allow", "never"],
  ["protocol.file.allow", "never"],
  ["safe.directory", "*"],
  // The owner's git, or another task's, may hold a lock for a moment. Milliseconds.
  ["core.filesRefLockTimeout", "2000"],
  ["core.packedRefsTimeout", "5000"],
];

/** The first and the last wait for a lock for which git itself does not wait; each is twice the one before. Milliseconds. */
const firstWaitMs = 20;
const lastWaitMs = 1280;
/**
 * Another git is at it: holds the lock, has just removed the directory that this one was to write into, or is in the middle of adding a
 * worktree that this one looked at. Not a reference that moved: that is an answer.
 */
const inTheWay =
  /\.lock': (File exists|No such file or directory)|could not create (leading director|directory of)|failed to read .*\/worktrees\/|unable to create temporary file: No such file/;

/** Runs git without a shell, with a time limit, again for a while where a lock is in its way. Rejects with `workspace_failed` and the end of what git complained. */
export async function git(args: readonly string[], call: GitCall = {}): Promise<{ code: number; out: string }> {
  for (let wait = firstWaitMs; ; wait *= 2) {
    const { code, out, complaint } = await once(args, call);
    if (code === 0) return { code, out };
    if (wait <= lastWaitMs && inTheWay.test(complaint)) await setTimeout(wait);
    else if (code !== null && call.accept?.includes(code)) return { code, out };
    else {
      const why = code === null ? `was ended after ${timeLimit / 1000} s` : `failed (${code})`;
      throw failed(`git ${args[0]} ${why}: ${withoutCredentials(complaint.trim().slice(-errorTail))}`);
    }
  }
}

async function once(args: readonly string[], call: GitCall) {
  const kept: Buffer[] = [];
  const complaints = boundedOutput(8_192);
  const child = spawn("git", args, {
    cwd: call.cwd ?? call.workTree ?? "/",
    env: environment(call),
    stdio: ["pipe", "pipe", "pipe"],
    timeout: timeLimit,
    killSignal: "SIGKILL",
  });
  child.stdout.on("data", call.onOutput ?? ((chunk: Buffer) => kept.push(chunk)));
  child.stderr.on("data", complaints.push);
  child.stdin.on("error", () => {}); // git ended without reading it all: its exit code says why
  child.stdin.end(call.input ?? "");
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (cause) => reject(failed(`git could not be started: ${cause.message}. Install git.`, cause)));
    child.once("close", resolve);
  });
  return { code, out: Buffer.concat(kept).toString("utf8"), complaint: complaints.read().output };
}

/** What a repository's configuration named, by the state of its files. */
const named = new Map<string, Setting[]>();
const namedKept = 64;

/** Settings that empty every driver and hook which the repository's own configuration names. It is read anew when its files have changed. */
export async function neutralised(gitDir: string): Promise<Setting[]> {
  const state = await configState(gitDir);
  const known = named.get(state);
  if (known) return known;
  const { out } = await git(["config", "--list", "--name-only", "-z", "--includes"], { gitDir });
  const settings = emptied(out);
  // Nobody knows where the files lie that it includes.
  if (!/^include(if\..*)?\.path$/ims.test(out.replaceAll("\0", "\n"))) named.set(state, settings);
  for (const oldest of named.keys()) {
    if (named.size <= namedKept) break;
    named.delete(oldest);
  }
  return settings;
}

/** Of a repository's own files of configuration: a worktree that has none of its own shares the repository's. */
async function configState(gitDir: string): Promise<string> {
  const common = await readFile(join(gitDir, "commondir"), "utf8").catch(() => ".");
  const files = [join(resolve(gitDir, common.trim()), "config"), join(gitDir, "config.worktree")];
  const states = files.map((path) =>
    stat(path, { bigint: true }).then(
      ({ dev, ino, size, mtimeNs, ctimeNs }) => `${path} ${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`,
      () => "",
    ),
  );
  return (await Promise.all(states)).join("\n");
}

function emptied(out: string): Setting[] {
  const settings = new Map<string, string>();
  for (const key of out.split("\0")) {
    const [, filter] = /^filter\.(.+)\.[^.]+$/s.exec(key) ?? [];
    if (filter) {
      for (const part of ["clean", "smudge", "process"]) settings.set(`filter.${filter}.${part}`, "");
      settings.set(`filter.${filter}.required`, "false");
    }
    const [, hook] = /^hook\.(.+)\.[^.]+$/s.exec(key) ?? [];
    if (hook) settings.set(`hook.${hook}.enabled`, "false");
    const [, driver] = /^merge\.(.+)\.driver$/s.exec(key) ?? [];
    // Which one merges a file, the model's attributes say: `false` makes a conflict of it, where an empty one would take our side.
    if (driver) settings.set(`merge.${driver}.driver`, "false");
  }
  return [...settings];
}

/** The whole environment of a call. */
export function environment(call: GitCall): Record<string, string> {
  const settings = [...fixed, ...(call.config ?? [])];
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? "/usr/local/bin:/usr/bin:/bin",
    // Only so that a `~` in the repository's configuration can be read; no file of it is.
    HOME: process.env.HOME ?? "/",
    LC_ALL: "C",
    ...(call.ownersConfig ? {} : { GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null" }),
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "true",
    GIT_EDITOR: "false",
    GIT_PAGER: "cat",
    // No transport at all, and no fetching of what a partial clone lacks.
    GIT_ALLOW_PROTOCOL: "none",
    GIT_NO_LAZY_FETCH: "1",
    GIT_LITERAL_PATHSPECS: "1",
    GIT_CONFIG_COUNT: String(settings.length),
    ...call.env,
  };
  settings.forEach(([key, value], i) => {
    env[`GIT_CONFIG_KEY_${i}`] = key;
    env[`GIT_CONFIG_VALUE_${i}`] = value;
  });
  if (call.gitDir) env.GIT_DIR = call.gitDir;
  if (call.workTree) env.GIT_WORK_TREE = call.workTree;
  return env;
}

/** `https://user:token@host` is how many keep their credentials. */
export const withoutCredentials = (text: string) => text.replace(/(\w+:\/\/)[^\s/@]+@/g, "$1…@");

export function failed(message: string, cause?: unknown) {
  return new UacError("workspace_failed", message, cause === undefined ? undefined : { cause });
}
