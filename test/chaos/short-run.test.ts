/** Fault 18: a seeded run in which everything happens at once, on both kinds of headquarters; and the same with a guard taken out. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { hqKinds } from "../../dev/box/hq.ts";
import { faultKinds } from "../../dev/chaos/faults.ts";
import { sabotages } from "../../dev/chaos/sabotage.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Twice what it takes on a slow machine. */
const limitMs = 600_000;

interface Said {
  ok: boolean;
  tasks: number;
  faults: Record<string, number>;
  runs: { hq: string; invariants: { name: string; ok: boolean; broken: string[] }[] }[];
}

function chaos(...args: string[]): Promise<{ code: number; said: Said }> {
  return new Promise((resolve, reject) => {
    const program = ["--import", "tsx", "dev/chaos/index.ts", "--json", ...args];
    const child = execFile(process.execPath, program, { cwd: root, timeout: limitMs, killSignal: "SIGTERM" }, (_, stdout, stderr) => {
      if (stdout === "") return reject(new Error(`no result:\n${stderr.slice(-3000)}`));
      resolve({ code: child.exitCode ?? -1, said: JSON.parse(stdout) as Said });
    });
  });
}

const brokenIn = ({ runs }: Said) => runs.flatMap(({ invariants }) => invariants.filter(({ ok }) => !ok));

test(
  "fault 18: a seeded run with headquarters in workerd and under Node: every invariant holds",
  async () => {
    const { code, said } = await chaos("--tasks", "40", "--seed", "18");
    expect(brokenIn(said)).toEqual([]);
    expect(code).toBe(0);
    expect(said.tasks).toBeGreaterThanOrEqual(40);
    expect(Object.keys(said.faults).toSorted()).toEqual([...faultKinds].toSorted());
    expect(said.runs.map(({ hq }) => hq)).toEqual([...hqKinds]);
  },
  limitMs,
);

const shownBy = {
  fence: "effects are fenced by epoch",
  journal: "the ledger is the model server's log",
  outbox: "no order is forgotten",
} as const;

test.each(sabotages)(
  "fault 18: the negative control: without its %s the run must fail",
  async (guard) => {
    const { code, said } = await chaos("--tasks", "6", "--seed", "18", "--hq", "node", "--sabotage", guard);
    expect(code).not.toBe(0);
    expect(said.ok).toBe(false);
    expect(brokenIn(said).map(({ name }) => name)).toContain(shownBy[guard]);
  },
  limitMs,
);
