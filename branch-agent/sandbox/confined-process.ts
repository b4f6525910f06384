/** One command under bwrap, from its start until nothing of it is left. */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { UacError } from "#core/errors.ts";
import type { SandboxCommand, SandboxRun } from "#ports/sandbox.ts";
import { boundedOutput } from "./bounded-output.ts";

/** Between the request to end and the end. */
const graceMs = 2_000;
/** For a pipe that stays open after everything was killed: a process that the kernel cannot end at once. */
const reapMs = 5_000;
/** So long the kernel may take to end the last of them: one that hangs in a disk's or a network's driver ends when that answers. */
const goneMs = 60_000;
const longestLookMs = 20;

/**
 * Outside. Its `cat` gives the command a true pipe: Node's are sockets, on which opening /dev/stdout fails. Descriptors that the factory
 * itself inherited are closed: an open file is a way out.
 */
const outside = `exec > >(exec cat 3>&- 4<&-)
for fd in /proc/self/fd/*; do fd=\${fd##*/}; ((fd > 4 && fd < 255)) && eval "exec $fd>&-"; done
exec "$@"`;

/**
 * Inside. Processes (-u) are counted only within the user namespace when the limit is set here. -n: open files. -f: size of a file, in
 * blocks of 1024 bytes, so 4 GB. -c: core dumps. One that is lower already cannot be set, and stays. The score makes the command, not the
 * factory, what the kernel kills when memory runs out.
 */
const inside = `exec 2>&1
for limit in "-c 0" "-n 16384" "-f 4194304" "-u 2048"; do ulimit $limit 2> /dev/null; done
echo 1000 > /proc/self/oom_score_adj
exec /bin/bash -c "$1"`;

/**
 * @param bwrap the program, after what starts it
 * @param args its options; the command is not among them
 */
export function runConfined(bwrap: readonly string[], args: string[], command: SandboxCommand): Promise<SandboxRun> {
  const started = performance.now();
  const outcome = boundedOutput(command.maxOutput);
  const complaints = boundedOutput(4_096);
  const status = boundedOutput(4_096);
  const elapsed = () => Math.round(performance.now() - started);
  if (command.signal?.aborted) {
    return Promise.resolve({ exitCode: null, timedOut: false, output: "", truncated: false, durationMs: 0 });
  }
  return new Promise((resolve, reject) => {
    // The arguments go through a pipe, and the own environment is empty: /proc/1 inside, and `ps` outside, show both.
    const words = [...bwrap, "--json-status-fd", "3", "--args", "4", "--", "/bin/bash", "-c", inside, "bash", command.command];
    const child = spawn("/bin/bash", ["-c", outside, "bash", ...words], {
      env: {},
      cwd: "/",
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
      // A session of its own: an interrupt typed at the factory's terminal is the factory's to handle.
      detached: true,
    });
    const [, stdout, stderr, statusPipe, argsPipe] = child.stdio as [null, Readable, Readable, Readable, Writable];
    stdout.on("data", (chunk: Buffer) => {
      outcome.push(chunk);
      command.onOutput?.(chunk);
    });
    stderr.on("data", complaints.push);
    statusPipe.on("data", status.push);
    argsPipe.on("error", () => {}); // bwrap ended before it read them: its own complaint says why
    argsPipe.end(args.map((arg) => `${arg}\0`).join(""));

    let timedOut = false;
    let stopping = false;
    let settled = false;
    const timers: NodeJS.Timeout[] = [];

    /** The namespace's first process, as this machine counts. */
    const innerPid = () => Number(/"child-pid":\s*(\d+)/.exec(status.read().output)?.[1] ?? 0);
    const signalInside = (signal: NodeJS.Signals) => {
      const inner = innerPid();
      // The namespace's first process ignores SIGTERM, and takes everything in it along on SIGKILL. `cat` is spared, to hand on what it has.
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
    const onTimeout = () => {
      timedOut = true;
      stop();
    };
    timers.push(setTimeout(onTimeout, command.timeoutMs));
    command.signal?.addEventListener("abort", stop, { once: true });

    function finish(code: number | null) {
      if (settled) return;
      settled = true;
      for (const timer of timers) clearTimeout(timer);
      command.signal?.removeEventListener("abort", stop);
      for (const stream of [stdout, stderr, statusPipe]) stream.destroy();
      const ended = /"exit-code":\s*(\d+)/.exec(status.read().output)?.[1];
      if (!stopping && ended === undefined) {
        const why = complaints.read().output.trim() || `it ended with ${code}`;
        reject(unavailable(`bubblewrap could not start the command: ${why.slice(-500)}`, "See whether the worktree is still there"));
        return;
      }
      const run = { exitCode: stopping ? null : Number(ended), timedOut, ...outcome.read(), durationMs: elapsed() };
      // bwrap itself ends with the command; what the command left behind is killed after that.
      emptied(innerPid()).then(() => resolve(run), reject);
    }
    child.once("error", (cause) => {
      settled = true;
      for (const timer of timers) clearTimeout(timer);
      reject(unavailable(`/bin/bash could not be started: ${cause.message}`, "Install bash"));
    });
    child.once("close", finish);
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
