/**
 * The sandbox on macOS: Seatbelt, by a profile for each command (`seatbelt.ts`). Weaker than Linux's in what it bounds, not in what a
 * command may read, write and reach: `bounds` says so.
 */
import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import type { Sandbox, SandboxCommand, SandboxRun, SandboxScope } from "#ports/sandbox.ts";
import { authoritiesIn, cachesIn, sandboxEnvironment } from "./environment.ts";
import { findProgram } from "./host-program.ts";
import { fairShare, type Limits, size } from "./limits.ts";
import { findNode } from "./mounts.ts";
import { type Door, networks } from "./network.ts";
import { ownDirectory } from "./own-directory.ts";
import type { Outside } from "./proxy.ts";
import { placesOf, realOr } from "./scope.ts";
import type { Wrap } from "./seatbelt.ts";
import { runUnderSeatbelt } from "./seatbelt-process.ts";
import { seatbeltTasks } from "./seatbelt-tasks.ts";
import { unavailable } from "./unavailable.ts";

/** Never another of the name on PATH: it is what confines. */
const sandboxExec = "/usr/bin/sandbox-exec";
const trialMs = 10_000;
/** Apple's own come first: the ones in /usr/bin look for them, and may not write down what they found. */
const developerTools = "/Library/Developer/CommandLineTools/usr/bin";
const programs = [developerTools, "/opt/homebrew/bin", "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

export interface MacosOptions {
  limits?: Limits;
  /** What confines; macOS's own by default, and only there. */
  program?: string;
  outside?: Partial<Outside>;
}

interface Ready {
  program: string;
  /** Every task's directory lies here. */
  root: string;
  tasks: ReturnType<typeof seatbeltTasks>;
  node: ReturnType<typeof nodeHere>;
  enter: ReturnType<typeof networks>;
}

export function seatbelt(options: MacosOptions = {}): Sandbox {
  const limits = options.limits ?? fairShare(1);
  let ready: Promise<Ready> | undefined;
  let found: Ready | undefined;

  async function prepare(): Promise<Ready> {
    if (!options.program && process.platform !== "darwin") {
      throw unavailable(`Seatbelt confines commands on macOS only, and this is ${process.platform}`, "Set SANDBOX=bubblewrap on Linux");
    }
    const program = findProgram(options.program ?? sandboxExec);
    if (!program) throw unavailable("sandbox-exec is not there", "It is part of macOS");
    const wrap = await loadRuntime();
    const root = realpathSync(ownDirectory("commands"));
    const enter = networks({ openDoor: loopback, outside: options.outside ?? {} });
    const made = { program, root, tasks: seatbeltTasks(root, limits, wrap), node: nodeHere(), enter };
    await tryIt(made);
    found = made;
    return made;
  }

  /** Once it worked it is not tried again; a failure is, since the owner may have repaired it. */
  function prepared(): Promise<Ready> {
    ready ??= prepare().catch((error: unknown) => {
      ready = undefined;
      throw error;
    });
    return ready;
  }

  async function run({ program, tasks, node, enter }: Ready, scope: SandboxScope, command: SandboxCommand): Promise<SandboxRun> {
    const { worktree, cwd } = placesOf(scope, command);
    if (command.signal?.aborted) return { exitCode: null, timedOut: false, output: "", truncated: false, durationMs: 0 };
    const task = tasks.of(worktree);
    return await task.withDirectory(async (own) => {
      const places = { HOME: join(own, "home"), TMPDIR: join(own, "tmp") };
      for (const path of Object.values(places)) mkdirSync(path);
      const network = scope.network.length > 0 ? await enter(scope) : null;
      try {
        const profile = task.profileFor(scope, { own, shown: node.shown, port: network?.port ?? null });
        const out = network && { ...network.environment, ...authoritiesIn(process.env) };
        const given = { ...sandboxEnvironment, ...cachesIn(worktree), ...out, ...command.env };
        const environment = { ...given, PATH: [node.bin, ...programs].join(":"), ...places };
        const result = await runUnderSeatbelt({ program, profile, environment, task }, { ...command, cwd });
        return { ...result, refusals: network?.refusals() ?? [] };
      } finally {
        network?.leave();
      }
    });
  }

  /** Whatever this system is: one in which the profile does not hold runs nothing. */
  async function tryIt(made: Ready) {
    const place = mkdtempSync(join(made.root, "trial-"));
    const worktree = join(place, "worktree");
    mkdirSync(worktree);
    for (const name of ["secret", "worktree/.git", "worktree/.env"]) writeFileSync(join(place, name), "");
    const scope: SandboxScope = { worktree, readOnly: [], masked: [], network: [] };
    const door = await loopback();
    const env = { DOOR: String(door.port) };
    const bounds = { timeoutMs: trialMs, maxOutput: 4_096 };
    try {
      const tried = await run(made, scope, { command: trial, cwd: worktree, env, ...bounds });
      if (tried.exitCode === 0) return;
      const why = tried.output.trim() || `its trial ended with ${tried.exitCode ?? "nothing"}`;
      throw unavailable(`Seatbelt does not confine here as it should: ${why}`, "Report this with the version of macOS");
    } finally {
      door.release();
      await made.tasks.leave(worktree);
      await rm(place, { recursive: true, force: true });
    }
  }

  return {
    name: "seatbelt (Anthropic sandbox runtime)",
    async check() {
      await prepared();
    },
    /** What its commands share is a directory. */
    enter() {},
    async run(scope, command) {
      return await run(await prepared(), scope, command);
    },
    async leave(worktree) {
      await found?.tasks.leave(realOr(worktree));
    },
    bounds: () => (found ? sentences(limits) : []),
  };
}

/** In a worktree of nothing: what must fail and does not is named, and so is what must work and does not. */
const trial = `may() { echo "it may $1"; exit 1; }
(: < ../secret) 2> /dev/null && may "read what is not its own"
(: > ../other) 2> /dev/null && may "write outside its worktree"
(: > .git) 2> /dev/null && may "write to .git"
(: < .env) 2> /dev/null && may "read what is covered"
(: < "/dev/tcp/127.0.0.1/$DOOR") 2> /dev/null && may "reach this machine"
echo done > file && [ "$(cat file)" = done ] && : > "$TMPDIR/file" && : > "$HOME/file"`;

async function loadRuntime(): Promise<Wrap> {
  try {
    const runtime = await import("@anthropic-ai/sandbox-runtime/dist/sandbox/macos-sandbox-utils.js");
    return runtime.wrapCommandWithSandboxMacOS;
  } catch (cause) {
    const why = "Anthropic's sandbox runtime, an optional package, is not installed";
    throw Object.assign(unavailable(why, "Run `npm ci`, with optional packages"), { cause });
  }
}

/** The loopback is everybody's on macOS, so the profile lets a task's commands reach this port alone. */
async function loopback(): Promise<Door> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return { server, port, join: [], release: () => void server.close() };
}

function nodeHere(): { shown: string[]; bin: string } {
  const { dir } = findNode(undefined);
  const node = realpathSync(process.execPath);
  return { shown: [dir ?? node], bin: dirname(node) };
}

function sentences(limits: Limits): string[] {
  return [
    `memory of a command: ${size(limits.memory)} (a look twice a second)`,
    `processes: ${limits.processes} of the owner's together (rlimit), and of a command (a look twice a second)`,
    "not bounded: CPU",
    `worktree and temporary files: ${size(limits.disk)} (a look four times a second); one file: ${size(limits.fileSize)}; not bounded: their number`,
    "a process that leaves its group and its parent at once may outlive its command, confined",
    "no loopback for commands: servers that tests start are not reached",
  ];
}
