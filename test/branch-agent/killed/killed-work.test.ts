/**
 * A task of thirty steps, killed at every event: real processes, a journal on disk, git worktrees, tools in their sandbox, and `work` itself.
 * Each attempt stands still at its own event when SIGKILL comes, several attempts in each process. Whatever the event, the next process brings
 * the attempt to the same end, and no tool is run twice.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createClient } from "@libsql/client";
import { afterAll, expect, it } from "vitest";
import type { Entry } from "#ports/transcript.ts";
import { closers, joinedHome } from "../gateway-bench.ts";
import { gitIn, ownersRepository } from "../repository.ts";
import type { Job, Line } from "./doomed-work.ts";
import { goals, ledger, testCommand } from "./thirty-steps.ts";

const program = fileURLToPath(new URL("./doomed-work.ts", import.meta.url));
const ends = closers();
afterAll(ends.close);

/** Attempts in one process. */
const together = 40;
/** A kill is no power cut: what a process wrote is there without reaching a disk. */
const memory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

interface Ended {
  outcome: string;
  code: string;
  verdict: string | undefined;
  patch: string | null | undefined;
  after: number | null | undefined;
  tree: string;
}

it("ends the same, and runs no tool twice, wherever it is killed", { timeout: 300_000 }, async () => {
  const whole = await town();
  const lines = await whole.run([{ task: "whole", at: null }], () => false);
  const names = lines.flatMap((line) => ("event" in line ? [line.event] : []));
  const expected = await whole.ended("whole", lines);
  expect(expected).toMatchObject({ outcome: "succeeded", code: "finished", verdict: "verified", after: 0 });
  expect((await whole.transcript("whole")).filter(({ type }) => type === "assistant").length).toBeGreaterThan(goals.length);
  expect(names.length).toBeGreaterThan(190);

  const seen = new Set<string>();
  const points = names.map((_, at) => at);
  const groups = Array.from({ length: Math.ceil(points.length / together) }, (_, i) => points.slice(i * together, (i + 1) * together));
  const killAll = async () => {
    for (let group = groups.shift(); group; group = groups.shift()) await killedAt(group, { seen, expected });
  };
  await Promise.all([killAll(), killAll()]);
  expect(seen.size).toBeGreaterThanOrEqual(new Set(names).size - 2);
});

async function killedAt(points: readonly number[], { seen, expected }: { seen: Set<string>; expected: Ended }) {
  const { run, ended, transcript, calls } = await town();
  const jobs = points.map((at): Job => ({ task: `t${at}`, at }));
  const standing = await run(jobs, (lines) => lines.filter((line) => "stopped" in line).length === jobs.length);
  const orphans = new Map<string, string[]>();
  for (const { task } of jobs) orphans.set(task, orphansIn(await transcript(task)));

  const lines = await run(
    jobs.map(({ task }) => ({ task, at: null })),
    () => false,
  );
  for (const { task, at } of jobs) {
    // The tests at base run beside the first call: which event is the fifth is not the same each time.
    const stopped = standing.flatMap((line) => ("stopped" in line && line.task === task ? [line.stopped] : []));
    const where = `killed at event ${at}, ${stopped.join()}`;
    expect(stopped, where).toHaveLength(1);
    seen.add(stopped.join());
    expect(await ended(task, lines), where).toEqual(expected);
    const entries = await transcript(task);
    const restarted = entries.flatMap((entry) =>
      entry.type === "result" && /restarted while this ran/.test(entry.content) ? [entry.toolUseId] : [],
    );
    expect(restarted, where).toEqual(orphans.get(task));
    expect(orphansIn(entries), where).toEqual([]);
    const keys = calls().filter((line) => line.startsWith(`${task} `));
    expect(keys.length, where).toBeGreaterThanOrEqual(goals.length);
    expect(new Set(keys).size, where).toBe(keys.length);
  }
}

/** Calls that were begun and have no result. */
function orphansIn(entries: readonly Entry[]): string[] {
  const results = new Set(entries.flatMap((entry) => (entry.type === "result" ? [entry.toolUseId] : [])));
  return entries.flatMap((entry) => (entry.type === "intent" && !results.has(entry.toolUseId) ? [entry.toolUseId] : []));
}

/** A factory's folder, an owner's repository, and processes on them, one after the other. */
async function town() {
  const folder = ends.add(realpathSync(mkdtempSync(join(memory, "uac-killed-"))), (path) => rmSync(path, { recursive: true, force: true }));
  const repo = ownersRepository(folder, { "ledger.txt": ledger });
  const joined = await joinedHome(ends, "http://127.0.0.1:9", folder);
  const calls = join(folder, "calls.txt");
  const env = {
    ...joined.env,
    SANDBOX: "bubblewrap",
    WORKSPACES: `shop=${repo}`,
    WORKSPACE_TESTS: `shop=${testCommand}`,
    LOG_LEVEL: "error",
  };

  /** Runs a process until it ends, or until `enough` of what it said: then it is killed. */
  async function run(jobs: readonly Job[], enough: (lines: readonly Line[]) => boolean): Promise<Line[]> {
    const stdio = ["ignore", "pipe", "inherit"] as const;
    const child = spawn(process.execPath, [program], { env: { ...env, DOOMED: JSON.stringify({ jobs, calls }) }, stdio: [...stdio] });
    const exited = once(child, "exit");
    ends.add(child, (one) => {
      one.kill("SIGKILL");
      return exited;
    });
    const lines: Line[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(JSON.parse(line) as Line);
      if (enough(lines)) child.kill("SIGKILL");
    }
    await exited;
    return lines;
  }

  async function transcript(task: string): Promise<Entry[]> {
    const journal = createClient({ url: `file:${join(joined.home, "journal.db")}` });
    try {
      const { rows } = await journal.execute({
        sql: "select entry_json from transcript_entries where task = ? order by seq",
        args: [task],
      });
      return rows.map((row) => JSON.parse(String(row.entry_json)) as Entry);
    } finally {
      journal.close();
    }
  }

  return {
    run,
    transcript,
    calls: () => readFileSync(calls, "utf8").trimEnd().split("\n"),
    async ended(task: string, lines: readonly Line[]): Promise<Ended> {
      const line = lines.find((one) => one.task === task && "ended" in one);
      if (!line || !("ended" in line)) throw new Error(`${task} came to no end`);
      const { outcome, code, receipt } = line.ended;
      const tree = gitIn(repo, "rev-parse", `uac/${task}-1^{tree}`);
      return { outcome, code, verdict: receipt?.verdict, patch: receipt?.patchSha256, after: receipt?.testsAfter?.exitCode, tree };
    },
  };
}
