/** One command under bwrap, from its start until nothing of it is left. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { UacError } from "#core/errors.ts";
import type { SandboxCommand, SandboxRun } from "#ports/sandbox.ts";
import { boundedOutput } from "./bounded-output.ts";
import { hits, type Limits } from "./limits.ts";
import type { OutputPipe } from "./output-pipe.ts";
import { becoming } from "./run-as.ts";
import type { Task } from "./tasks.ts";
import { watch } from "./watchdog.ts";

/** Between the request to end and the end. */
const graceMs = 2_000;
/** For a pipe that stays open after everything was killed: a process that the kernel cannot end at once. */
const reapMs = 5_000;
/** So long the kernel may take to end the last of them: one that hangs in a disk's or a network's driver ends when that answers. */
const goneMs = 60_000;
const longestLookMs = 20;
/** A shell's exit code for a command that SIGXFSZ ended. */
const tooLargeFile = 128 + 25;

/**
 * Outside. Descriptors that the factory itself inherited are closed: an open file is a way out. Then what the command inherits: open files
 * (-n), size of a file (-f, in blocks of 1024 bytes), core dumps (-c); one that is lower already cannot be set, and stays. The score makes
 * the command, not the factory, what the kernel kills when memory runs out. Last, it enters the task's control groups: without them nothing
 * is run. A factory that was killed meanwhile is noticed; from then on bwrap notices it.
 */
const outside = ({
  limits,
  user,
  group,
}: Task) => `for fd in /proc/self/fd/*; do fd=\${fd##*/}; ((fd > 5 && fd < 255)) && eval "exec $fd>&-"; done
for limit in "-c 0" "-n ${limits.openFiles}" "-f ${Math.floor(limits.fileSize / 1024)}"; do ulimit $limit 2> /dev/null; done
${user ? boundProcesses(limits) : ""}
echo 1000 > /proc/self/oom_score_adj
${(group?.join ?? []).map((path) => `echo $$ > ${quoted(path)} || exit 1`).join("\n")}
kill -0 ${process.pid} || exit 1
exec "$@"`;

/** Root is exempt, until it has become another. Of anybody else all processes on the machine would count, but in the user namespace only its own do. */
const boundProcesses = (limits: Limits) => `ulimit -u ${limits.processes} 2> /dev/null`;
const inside = (limits: Limits) => `${boundProcesses(limits)}; exec /bin/bash -c "$1"`;

const quoted = (path: string) => `'${path.replaceAll("'", "'\\''")}'`;

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
  args: string[];
  task: Task;
  pipe: OutputPipe;
}

export function runConfined({ bwrap, args, task, pipe }: Launch, command: SandboxCommand): Promise<SandboxRun> {
  const started = performance.now();
  const outcome = boundedOutput(command.maxOutput);
  const status = boundedOutput(4_096);
  const elapsed = () => Math.round(performance.now() - started);
  return new Promise((resolve, reject) => {
    // The arguments go through a pipe, and the own environment is empty: /proc/1 inside, and `ps` outside, show both.
    const launch = [...bwrap, "--json-status-fd", "3", "--args", "4", "--", ...words(task, command)];
    const child = spawn("/bin/bash", ["-c", outside(task), "bash", ...launch], {
      env: {},
      cwd: "/",
      stdio: ["ignore", pipe.input, pipe.input, "pipe", "pipe", ...(task.user ? [task.user.namespace] : [])],
      // A session of its own: an interrupt typed at the factory's terminal is the factory's to handle.
      detached: true,
    });
    pipe.handedOver();
    const [, , , statusPipe, argsPipe] = child.stdio as [null, null, null, Readable, Writable];
    let printed = 0;
    pipe.output.on("data", (chunk: Buffer) => {
      outcome.push(chunk);
      command.onOutput?.(chunk);
      printed += chunk.length;
      if (printed > task.limits.output) endNow(hits.overOutput(task.limits));
    });
    statusPipe.on("data", status.push);
    argsPipe.on("error", () => {}); // bwrap ended before it read them: its own complaint says why
    argsPipe.end(args.map((arg) => `${arg}\0`).join(""));

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
      else send(-(child.pid ?? 0), signal);
    };
    const stop = () => {
      if (stopping) return;
      stopping = true;
      signalInside("SIGTERM");
      timers.push(setTimeout(() => signalInside("SIGKILL"), graceMs));
      timers.push(setTimeout(finish, graceMs + reapMs, null));
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
    const watching = watch(task, innerPid, endNow);

    function finish(code: number | null) {
      if (settled) return;
      settled = true;
      for (const timer of timers) clearTimeout(timer);
      command.signal?.removeEventListener("abort", stop);
      for (const stream of [pipe.output, statusPipe]) stream.destroy();
      const own = watching.over();
      hit ??= own;
      const ended = /"exit-code":\s*(\d+)/.exec(status.read().output)?.[1];
      if (Number(ended) === tooLargeFile) hit ??= hits.fileSize(task.limits);
      if (!stopping && ended === undefined && hit === null) {
        const why = outcome.read().output.trim() || `it ended with ${code}`;
        reject(unavailable(`bubblewrap could not start the command: ${why.slice(-500)}`, "See whether the worktree is still there"));
        return;
      }
      const exitCode = stopping || ended === undefined ? null : Number(ended);
      const run = { exitCode, timedOut, ...outcome.read(), durationMs: elapsed(), ...(hit !== null && { limit: hit }) };
      // bwrap itself ends with the command; what the command left behind is killed after that.
      emptied(innerPid()).then(() => resolve(run), reject);
    }
    child.once("error", (cause) => {
      settled = true;
      watching.over();
      for (const timer of timers) clearTimeout(timer);
      reject(unavailable(`/bin/bash could not be started: ${cause.message}`, "Install bash"));
    });
    // Everything that it printed has been read when its pipe ends; that it has ended, and how, is told apart from that.
    let code: number | null = null;
    const parts = [once(pipe.output, "close"), once(child, "close").then(([exit]) => (code = exit))];
    Promise.all(parts).then(
      () => finish(code),
      () => finish(code),
    );
  });
}

/** Resolves when the namespace is empty: its first process is over only after every other one. Rejects if one can't be ended. */
async function emptied(first: number) {
  const until = performance.now() + goneMs;
  for (let wait = 1; await lives(first); wait = Math.min(wait * 2, longestLookMs)) {
    if (performance.now() > until) {
      throw unavailable(`the kernel can't end a process of the command (${first}), it hangs in a driver`, "See what it waits for");
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** One that is dead and not yet reaped has taken its namespace along already. */
async function lives(pid: number): Promise<boolean> {
  if (pid === 0) return false;
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  return stat !== null && !/\) [ZX] [^)]*$/.test(stat);
}

function send(pid: number, signal: NodeJS.Signals) {
  // 0 and -1 would be the factory's own group, and everybody.
  if (!Number.isInteger(pid) || Math.abs(pid) < 2) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}

export function unavailable(why: string, remedy: string) {
  return new UacError("sandbox_unavailable", `No sandbox: ${why}. ${remedy}, or set SANDBOX=none to work without commands.`);
}
