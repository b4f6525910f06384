/** A program of the host's that may start others: bounded in time and output, and ended with all that it started. Never a shell. */
import { spawn } from "node:child_process";
import { UacError } from "#core/errors.ts";
import { boundedOutput } from "../sandbox/bounded-output.ts";
import { withoutCredentials } from "./git.ts";

/** Milliseconds between the request to end and the end. */
const graceMs = 2000;
const maxOutput = 16 * 1024;

export interface HostCommand {
  cwd: string;
  /** The whole environment. */
  env: Readonly<Record<string, string>>;
  input?: string;
  timeoutMs: number;
  signal: AbortSignal;
}

export interface HostRun {
  /** Null: it was ended, by `ended`. */
  code: number | null;
  ended: "time" | "signal" | null;
  /** Standard output, and what it complained; without credentials in addresses. */
  out: string;
  said: string;
}

/** Rejects with `workspace_failed` only if it can't be started. It leads a process group of its own, without a terminal to ask at. */
export async function runOnHost(program: string, args: readonly string[], command: HostCommand): Promise<HostRun> {
  const { cwd, env, input = "", timeoutMs, signal } = command;
  const [out, said] = [boundedOutput(maxOutput), boundedOutput(maxOutput)];
  let ended: HostRun["ended"] = signal.aborted ? "signal" : null;
  if (ended) return { code: null, ended, out: "", said: "" };

  const child = spawn(program, args, { cwd, env, detached: true, stdio: ["pipe", "pipe", "pipe"] });
  child.stdout.on("data", out.push);
  child.stderr.on("data", said.push);
  child.stdin.on("error", () => {}); // it ended without reading: its exit code says why
  child.stdin.end(input);
  let kill: NodeJS.Timeout | undefined;
  const end = (why: "time" | "signal") => {
    ended ??= why;
    toGroup(child.pid, "SIGTERM");
    kill ??= setTimeout(() => toGroup(child.pid, "SIGKILL"), graceMs);
  };
  const timer = setTimeout(() => end("time"), timeoutMs);
  const onAbort = () => end("signal");
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", (cause) => {
        reject(new UacError("workspace_failed", `${program} could not be started: ${cause.message}. Is it installed?`, { cause }));
      });
      child.once("close", resolve);
    });
    return { code: ended ? null : code, ended, out: cleaned(out.read().output), said: cleaned(said.read().output) };
  } finally {
    clearTimeout(timer);
    clearTimeout(kill);
    signal.removeEventListener("abort", onAbort);
    toGroup(child.pid, "SIGKILL");
  }
}

/** The group outlives its leader, so what that left behind is found too. */
function toGroup(pid: number | undefined, signal: NodeJS.Signals) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody is left in it.
  }
}

const cleaned = (text: string) => withoutCredentials(text).trim();
