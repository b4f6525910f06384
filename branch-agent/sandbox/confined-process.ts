/** One command under bwrap, from its start until nothing of it is left. */
import { once } from "node:events";
import { realpathSync } from "node:fs";
import type { SandboxCommand, SandboxRun } from "#ports/sandbox.ts";
import { boundedOutput } from "./bounded-output.ts";
import { readOr } from "./cgroup.ts";
import { hits, type Limits } from "./limits.ts";
import { becoming } from "./run-as.ts";
import { boundProcesses, quoted, tooLargeFile } from "./shell.ts";
import { send } from "./signal.ts";
import type { Slot } from "./slots.ts";
import type { Task } from "./tasks.ts";
import { unavailable } from "./unavailable.ts";
import { usedBy, watch } from "./watchdog.ts";

/** Between the request to end and the end. */
const graceMs = 2_000;
/** So long a command is thought to be starting. */
const beginningMs = 150;
/** For a pipe that stays open after everything was killed: a process that the kernel cannot end at once. */
const reapMs = 5_000;
/** So long the kernel may take to end the last of them: one that hangs in a disk's or a network's driver ends when that answers. */
const goneMs = 60_000;
const longestLookMs = 20;

/** Inside, where the user namespace is the command's own: its processes alone count. */
const inside = (limits: Limits) => `${boundProcesses(limits)}; exec /bin/bash -c "$1"`;

/** A directory that is its user's alone bwrap can't enter, which has no right left to pass everywhere: the user goes there. */
function words({ user, limits }: Task, { command, cwd }: SandboxCommand): string[] {
  if (!user) return ["/bin/bash", "-c", inside(limits), "bash", command];
  // The namespace's descriptor is not for the command.
  return [...becoming(user.id), "/bin/bash", "-c", `exec 5<&-; cd ${quoted(realpathSync(cwd))} || exit 1; unset OLDPWD; ${command}`];
}

/** What a command is started with. */
export interface Launch {
  /** The program, after what starts it. */
  bwrap: readonly string[];
  /** Options of bwrap; the command is not among them. */
  options: readonly string[];
  task: Task;
  slot: Slot;
}

export async function runConfined({ bwrap, options, task, slot }: Launch, command: SandboxCommand): Promise<SandboxRun> {
  const started = performance.now();
  const outcome = boundedOutput(command.maxOutput);
  const status = boundedOutput(4_096);
  const elapsed = () => Math.round(performance.now() - started);
  slot.fill(options, [...bwrap, "--json-status-fd", "3", "--args", "4", "--", ...words(task, command)]);
  const starter = await task.starter.start(slot.name);
  slot.handedOver();
  return new Promise((resolve, reject) => {
    let printed = 0;
    slot.output.on("data", (chunk: Buffer) => {
      outcome.push(chunk);
      command.onOutput?.(chunk);
      printed += chunk.length;
      if (printed > task.limits.output) endNow(hits.overOutput(task.limits));
    });
    slot.status.on("data", status.push);

    let timedOut = false;
    let stopping = false;
    let settled = false;
    let hit: string | null = null;
    const timers: NodeJS.Timeout[] = [];

    /** The namespace's first process, as this machine counts. */
    const innerPid = () => Number(/"child-pid":\s*(\d+)/.exec(status.read().output)?.[1] ?? 0);
    const signalInside = (signal: NodeJS.Signals) => {
      const inner = innerPid();
      // The namespace's first process ignores SIGTERM, and takes everything in it along on SIGKILL.
      if (inner > 0) send(signal === "SIGKILL" ? inner : -inner, signal);
      else send(-starter, signal);
    };
    const stop = () => {
      if (stopping) return;
      stopping = true;
      // One that has hardly begun may not have its handler of SIGTERM, or even itself, in place: it would run on to the end of the grace.
      signalInside(elapsed() < beginningMs ? "SIGKILL" : "SIGTERM");
      timers.push(setTimeout(() => signalInside("SIGKILL"), graceMs));
      timers.push(setTimeout(finish, graceMs + reapMs));
    };
    /** One that went over a bound is not asked first: it would go on meanwhile. */
    const endNow = (why: string) => {
      if (stopping) return;
      hit = why;
      stop();
      signalInside("SIGKILL");
    };
    const onTimeout = () => {
      timedOut = true;
      stop();
    };
    timers.push(setTimeout(onTimeout, command.timeoutMs));
    command.signal?.addEventListener("abort", stop, { once: true });
    // Told to end while it was being started.
    if (command.signal?.aborted) stop();
    const watching = watch(task, () => usedBy(innerPid()), endNow);

    function finish() {
      if (settled) return;
      settled = true;
      for (const timer of timers) clearTimeout(timer);
      command.signal?.removeEventListener("abort", stop);
      for (const stream of [slot.output, slot.status]) stream.destroy();
      const own = watching.over();
      hit ??= own;
      const ended = /"exit-code":\s*(\d+)/.exec(status.read().output)?.[1];
      if (Number(ended) === tooLargeFile) hit ??= hits.fileSize(task.limits);
      if (!stopping && ended === undefined && hit === null) {
        const why = outcome.read().output.trim().slice(-500) || "it ended at once";
        if (innerPid() > 0) reject(unavailable("something outside ended the command", "Run it again"));
        else reject(unavailable(`bubblewrap could not start the command: ${why}`, "See whether the worktree is still there"));
        return;
      }
      const exitCode = stopping || ended === undefined ? null : Number(ended);
      const run = { exitCode, timedOut, ...outcome.read(), durationMs: elapsed(), ...(hit !== null && { limit: hit }) };
      // bwrap itself ends with the command; what the command left behind is killed after that.
      emptied(innerPid()).then(() => resolve(run), reject);
    }
    // Each ends when the last that held it has: of the one it is bwrap, of the other all that may print.
    void Promise.allSettled([once(slot.output, "close"), once(slot.status, "close")]).then(finish);
  });
}

/** Resolves when the namespace is empty: its first process is over only after every other one. Rejects if one can't be ended. */
async function emptied(first: number) {
  const until = performance.now() + goneMs;
  for (let wait = 1; lives(first); wait = Math.min(wait * 2, longestLookMs)) {
    if (performance.now() > until) {
      throw unavailable(`the kernel can't end a process of the command (${first}), it hangs in a driver`, "See what it waits for");
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** One that is dead and not yet reaped has taken its namespace along already. */
function lives(pid: number): boolean {
  if (pid === 0) return false;
  const stat = readOr(`/proc/${pid}/stat`, "");
  return stat !== "" && !/\) [ZX] [^)]*$/.test(stat);
}
