/** Moves a ref in two steps, with something done in between while nobody else can move it. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { boundedOutput } from "../sandbox/bounded-output.ts";
import { environment, failed, type GitCall } from "./git.ts";

/** Milliseconds for all of it. */
const timeLimit = 60_000;

export interface RefMove {
  /** Whole: `refs/heads/…`. */
  ref: string;
  from: string;
  to: string;
  /** For the reflog. */
  why: string;
}

/**
 * Locks the ref while it is at `from`, does `deed`, and moves it to `to`; if `deed` rejects it stays. A git of the owner's that wants to
 * move it meanwhile is refused. Should this program be killed in between, git lets go of the lock and the ref stays.
 */
export async function moveHeld({ ref, from, to, why }: RefMove, call: GitCall, deed: () => Promise<void>): Promise<void> {
  const child = spawn("git", ["update-ref", "-m", why, "--stdin"], {
    cwd: "/",
    env: environment(call),
    timeout: timeLimit,
    killSignal: "SIGKILL",
  });
  const complaints = boundedOutput(4096);
  child.stderr.on("data", complaints.push);
  child.stdin.on("error", () => {}); // it has ended: told below
  const over = new Promise<never>((_, reject) => {
    child.once("error", (cause) => reject(failed(`git could not be started: ${cause.message}. Install git.`, cause)));
    child.once("close", (code) => reject(failed(`git update-ref ended (${code}): ${complaints.read().output.trim()}`)));
  });
  over.catch(() => {}); // of which nobody need hear once it is done
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const say = async (lines: string, expected: string) => {
    child.stdin.write(lines);
    const { value } = await Promise.race([answers.next(), over]);
    // The stream ends just before the process does, which says why.
    if (value === undefined) await over;
    if (value !== expected) throw failed(`git update-ref answered "${value}", not "${expected}".`);
  };
  try {
    await say("start\n", "start: ok");
    await say(`update ${ref} ${to} ${from}\nprepare\n`, "prepare: ok");
    await deed();
    await say("commit\n", "commit: ok");
  } finally {
    child.stdin.end();
    await over.catch(() => {});
  }
}
