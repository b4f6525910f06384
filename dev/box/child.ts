/** A program of the box: a process group of its own, its output in a file, stopped as a whole. */
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Asked to end, a group that is still there after so long is killed, milliseconds. */
const graceMs = 10_000;
const follow = fileURLToPath(new URL("../../scripts/follow-parent.mjs", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Child {
  name: string;
  pid: number;
  /** Resolves with what ended it. */
  exited: Promise<string>;
  /** SIGTERM, and SIGKILL for the whole group when the time is up. Repeatable. */
  stop(): Promise<void>;
  /** SIGKILL for the whole group. */
  kill(): void;
}

export interface ChildOptions {
  name: string;
  /** Arguments of node. */
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  logFile: string;
  onLine?(line: string): void;
}

/** Starts `node ...args` in the checkout. If the box is killed outright, the child ends as if asked to. */
export function startChild({ name, args, env, logFile, onLine }: ChildOptions): Child {
  const log = createWriteStream(logFile, { flags: "a" });
  const child = spawn(process.execPath, ["--import", follow, ...args], {
    cwd: root,
    env: { ...env, UAC_LAUNCHER: String(process.pid) },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true,
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} could not be started: ${process.execPath}`);
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on("line", (line) => {
      log.write(`${line}\n`);
      onLine?.(line);
    });
  }
  const exited = new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const kill = () => {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // Nobody is left.
    }
  };
  return {
    name,
    pid,
    exited,
    kill,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      const timer = setTimeout(kill, graceMs);
      await exited;
      clearTimeout(timer);
      kill();
      await new Promise<void>((resolve) => log.end(() => resolve()));
    },
  };
}
