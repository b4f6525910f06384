/**
 * Starts a task's commands: a shell on the host, one for each task, which entered the task's control groups once and forks every command
 * from there. To fork this process takes the longer the more memory it has, and whoever enters a group may wait 15 ms for the kernel.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { boundedOutput } from "./bounded-output.ts";
import type { TaskGroup } from "./cgroup.ts";
import type { Limits } from "./limits.ts";
import { boundProcesses, quoted, setLimits } from "./shell.ts";
import { filterDescriptor, filterFile } from "./system-calls.ts";
import { unavailable } from "./unavailable.ts";

/** A task without a process left starts none; nor does a machine that stands still. */
const startMs = 10_000;

export interface Starter {
  /**
   * Starts what lies in a slot, and resolves with its number when it holds the slot's pipes. Rejects with `sandbox_unavailable`; then
   * nothing runs.
   */
  start(slot: string): Promise<number>;
  /** Ends the shell, and with it all that it started; resolves when it has ended. */
  end(): Promise<void>;
}

export interface StarterOptions {
  limits: Limits;
  user: { namespace: number } | null;
  group: Pick<TaskGroup, "join"> | null;
  /** Where the slots lie. */
  directory: string;
}

/**
 * Descriptors that the factory itself inherited are closed: an open file is a way out. Without its control groups nothing is run. Each
 * command is a process group of its own (set -m). It, not this shell, is what the kernel kills when memory runs out. When the factory is gone
 * the reading ends, then the shell, and bwrap notices that.
 */
const script = ({
  limits,
  user,
  group,
}: StarterOptions) => `for fd in /proc/self/fd/*; do fd=\${fd##*/}; ((fd > 5 && fd < 255)) && eval "exec $fd>&-"; done
${setLimits(limits)}
${user ? boundProcesses(limits) : ""}
${(group?.join ?? []).map((path) => `echo $$ > ${quoted(path)} || exit 1`).join("\n")}
set -m
exec 6>&1
start() {
  exec 0< /dev/null 1> "$1/output" 2>&1 3> "$1/status" 4< "$1/options" ${filterDescriptor}< ${filterFile}
  mapfile -d '' -t words < "$1/words"
  echo "$1 $BASHPID" >&6
  exec 6>&-
  cd /
  echo 1000 > /proc/self/oom_score_adj
  kill -0 $$ && exec "\${words[@]}"
}
while read -r slot; do start "$slot" & done`;

/** A shell that has ended is replaced at the next command. */
export function openStarter(options: StarterOptions): Starter {
  let shell: Starter | null = null;
  const open = () => {
    const opened = openShell(options, () => {
      if (shell === opened) shell = null;
    });
    return opened;
  };
  shell = open();
  return {
    start(slot) {
      shell ??= open();
      return shell.start(slot);
    },
    async end() {
      await shell?.end();
    },
  };
}

function openShell(options: StarterOptions, ended: () => void): Starter {
  const child = spawn("/bin/bash", ["-c", script(options)], {
    env: {},
    cwd: options.directory,
    stdio: ["pipe", "pipe", "pipe", "ignore", "ignore", ...(options.user ? [options.user.namespace] : [])],
    // A session of its own: an interrupt typed at the factory's terminal is the factory's to handle.
    detached: true,
  });
  const [stdin, stdout, stderr] = child.stdio as unknown as [Writable, Readable, Readable];
  // It waits for commands as long as the task lasts, and must not keep this process for that.
  for (const handle of [child, ...child.stdio]) (handle as { unref?(): void } | null)?.unref?.();
  const waiting = new Map<string, { resolve: (pid: number) => void; reject: (error: Error) => void; timer: NodeJS.Timeout }>();
  const complaints = boundedOutput(1024);
  stderr.on("data", complaints.push);
  stdin.on("error", () => {}); // it has ended: told below

  const { promise: gone, resolve: isGone } = Promise.withResolvers<void>();
  const end = () => {
    ended();
    // Now it is waited for.
    child.ref();
    stdin.destroy();
    child.kill("SIGKILL");
    return gone;
  };
  const fail = (why: string) => {
    void end();
    for (const { reject, timer } of waiting.values()) {
      clearTimeout(timer);
      reject(unavailable(`the command could not be started: ${complaints.read().output.trim() || why}`, "See what the task still runs"));
    }
    waiting.clear();
  };
  child.once("error", ({ message }) => {
    fail(message);
    isGone();
  });
  child.once("exit", () => isGone());
  child.once("close", (code) => fail(`its shell ended with ${code}`));
  createInterface({ input: stdout }).on("line", (line) => {
    const [slot = "", pid] = line.split(" ");
    const start = waiting.get(slot);
    if (!start) return;
    waiting.delete(slot);
    clearTimeout(start.timer);
    start.resolve(Number(pid));
  });

  return {
    end,
    start(slot) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(fail, startMs, `its shell did not answer within ${startMs / 1000} s`);
        waiting.set(slot, { resolve, reject, timer });
        stdin.write(`${slot}\n`);
      });
    },
  };
}
