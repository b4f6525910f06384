/** One command under sandbox-exec, from its start until nothing that is known of it is left. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import type { SandboxCommand, SandboxRun } from "#ports/sandbox.ts";
import { boundedOutput } from "./bounded-output.ts";
import { type Family, family } from "./family.ts";
import { hits, type Limits } from "./limits.ts";
import { boundProcesses, setLimits, tooLargeFile } from "./shell.ts";
import { unavailable } from "./unavailable.ts";
import { type Watched, watch } from "./watchdog.ts";

/** Between the request to end and the end. */
const graceMs = 2_000;
/** For an output that stays open after everything known was killed. */
const drainMs = 1_000;

/**
 * Outside the profile. Inherited descriptors are closed, limits set as on Linux (`shell.ts`), and a watcher left behind, which ends the
 * group when the factory is gone and its end of a pipe with it: confined processes may not signal what is not.
 */
const outside = (limits: Limits) => `exec 2>&1
for fd in /dev/fd/*; do fd=\${fd##*/}; ((fd > 4 && fd < 255)) && eval "exec $fd>&-"; done
${setLimits(limits)}
${boundProcesses(limits)}
(trap '' TERM; exec > /dev/null 2>&1 3>&-; read -r -u 4; kill -KILL -- -$$) &
exec "$@" 4<&-`;

/** Inside it: says that it is, then runs the command. */
const inside = `printf . >&3; exec 3>&- /bin/bash -c "$1"`;

export interface SeatbeltLaunch {
  /** sandbox-exec. */
  program: string;
  profile: string;
  environment: Readonly<Record<string, string>>;
  task: Watched;
}

export function runUnderSeatbelt(launch: SeatbeltLaunch, command: SandboxCommand): Promise<SandboxRun> {
  const { program, profile, environment, task } = launch;
  const started = performance.now();
  const outcome = boundedOutput(command.maxOutput);
  // The environment comes inside the profile: some variables are commands, and the shell outside would run them.
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const words = [program, "-p", profile, "/usr/bin/env", "-i", ...variables, "/bin/bash", "-c", inside, "bash", command.command];
  const child = spawn("/bin/bash", ["-c", outside(task.limits), "bash", ...words], {
    env: {},
    cwd: command.cwd,
    stdio: ["ignore", "pipe", "ignore", "pipe", "pipe"],
    // A process group of its own.
    detached: true,
  });
  const [, output, , begun, held] = child.stdio as [null, Readable, null, Readable, Writable];
  // They break off when the command ends.
  for (const stream of [output, begun, held]) stream.on("error", () => {});

  return new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(unavailable(`/bin/bash could not be started: ${cause.message}`, "See whether it is there")));
    if (child.pid === undefined) return;
    const all: Family = family(child.pid);
    let printed = 0;
    let confined = false;
    let timedOut = false;
    let stopping = false;
    let hit: string | null = null;
    let harder: NodeJS.Timeout | undefined;

    const stop = () => {
      if (stopping) return;
      stopping = true;
      all.signal("SIGTERM");
      harder = setTimeout(() => all.signal("SIGKILL"), graceMs);
    };
    /** One that went over a bound is not asked first: it would go on meanwhile. */
    const endNow = (why: string) => {
      if (stopping) return;
      stopping = true;
      hit = why;
      all.signal("SIGKILL");
    };
    output.on("data", (chunk: Buffer) => {
      outcome.push(chunk);
      command.onOutput?.(chunk);
      printed += chunk.length;
      if (printed > task.limits.output) endNow(hits.overOutput(task.limits));
    });
    begun.on("data", () => {
      confined = true;
    });
    const limit = setTimeout(() => {
      timedOut = true;
      stop();
    }, command.timeoutMs);
    command.signal?.addEventListener("abort", stop, { once: true });
    if (command.signal?.aborted) stop();
    const watching = watch(task, all.uses, endNow);

    async function finish(code: number): Promise<SandboxRun> {
      for (const timer of [limit, harder]) clearTimeout(timer);
      command.signal?.removeEventListener("abort", stop);
      const own = watching.over();
      // What it left behind ends with it, as on Linux; then its output does.
      await all.end();
      if (!output.closed) await once(output, "close", { signal: AbortSignal.timeout(drainMs) }).catch(() => {});
      for (const stream of [output, begun, held]) stream.destroy();
      hit ??= own ?? (code === tooLargeFile ? hits.fileSize(task.limits) : null);
      if (!confined && !stopping) {
        const why = outcome.read().output.trim().slice(-500) || `it ended with ${code}`;
        throw unavailable(`sandbox-exec did not start the command: ${why}`, "See whether the worktree is still there");
      }
      const durationMs = Math.round(performance.now() - started);
      return { exitCode: stopping ? null : code, timedOut, ...outcome.read(), durationMs, ...(hit !== null && { limit: hit }) };
    }
    child.once("exit", (code, signal) => {
      // As a shell tells of it.
      finish(code ?? 128 + (signal ? constants.signals[signal] : 0)).then(resolve, reject);
    });
  });
}
