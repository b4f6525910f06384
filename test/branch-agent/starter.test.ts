/** The shell that starts a task's commands: what they inherit of it, and what becomes of them when it ends. */
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";

const sandbox = bubblewrap();
let worktree: string;

beforeAll(() => {
  worktree = realpathSync(mkdtempSync(join(tmpdir(), "starter-test-")));
});

afterAll(async () => {
  await sandbox.leave(worktree);
  rmSync(worktree, { recursive: true, force: true });
});

const run = (command: string, signal?: AbortSignal) =>
  sandbox.run(
    { worktree, readOnly: [], masked: [], network: [] },
    { command, cwd: worktree, timeoutMs: 20_000, env: {}, maxOutput: 10_000, ...(signal && { signal }) },
  );

/** This process's children that are shells which start commands. */
function shells(): number[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      const parent = / \d+ \(.*\) \S (\d+)/.exec(` ${readFileSync(`/proc/${name}/stat`, "utf8")}`)?.[1];
      const isShell = readFileSync(`/proc/${name}/cmdline`, "utf8").includes("while read -r slot");
      return Number(parent) === process.pid && isShell ? [Number(name)] : [];
    } catch {
      // No process, or one that has ended.
      return [];
    }
  });
}

it("is there once for all of a task's commands, and hands them no ignored signal and no open file", async () => {
  const seen = await Promise.all(Array.from({ length: 8 }, () => run("grep -E '^Sig(Ign|Blk)' /proc/self/status; ls /proc/self/fd")));
  expect(shells()).toHaveLength(1);
  for (const { exitCode, output } of seen) {
    expect(exitCode).toBe(0);
    // The fourth is of `ls` itself.
    expect(output).toBe("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n0\n1\n2\n3\n");
  }
});

it("takes its commands along when it is killed, which is told, and the next command gets another", async () => {
  const running = run("touch begun; sleep 60").then(
    () => "ended by itself",
    (error: Error) => error.message,
  );
  while (!readdirSync(worktree).includes("begun")) await sleep(10);
  const [shell = 0] = shells();
  process.kill(shell, "SIGKILL");
  expect(await running).toContain("something outside ended the command");
  expect(await run("echo again")).toMatchObject({ exitCode: 0, output: "again\n" });
  expect(shells()).not.toContain(shell);
});

it("ends with its task", async () => {
  await run("true");
  expect(shells()).toHaveLength(1);
  await sandbox.leave(worktree);
  const until = performance.now() + 5000;
  while (shells().length > 0 && performance.now() < until) await sleep(10);
  expect(shells()).toEqual([]);
});

it("starts a command of nearly a hundred kilobytes, with every kind of byte in it", async () => {
  const text = `${"ä'\"\\$`\n".repeat(1000)}${"x".repeat(90_000)}`;
  const { exitCode, output } = await run(`cat > long <<'END'\n${text}\nEND\nwc -c < long`);
  expect({ exitCode, output: output.trim() }).toEqual({ exitCode: 0, output: String(Buffer.byteLength(text) + 1) });
});

it("starts no half of a command that holds a zero byte", async () => {
  await expect(run("echo one > made\0; echo two")).rejects.toMatchObject({
    code: "bad_input",
    message: expect.stringContaining("zero byte"),
  });
  expect(readdirSync(worktree)).not.toContain("made");
});

it("a command that is stopped while it starts is over at once, not when its grace is", async () => {
  const graceMs = 2000;
  for (let after = 1; after <= 40; after += 3) {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), after);
    const { exitCode, durationMs } = await run("sleep 60", stop.signal);
    expect(exitCode).toBeNull();
    expect(durationMs, `stopped after ${after} ms`).toBeLessThan(graceMs);
  }
});
