/** One program at the script: started, watched, ended. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import type { Request } from "./model.ts";

export interface Run {
  /** From the program's start, ms. */
  firstRequest: number;
  whole: number;
  /** From an answer of the model's to the next request, step by step, ms. */
  steps: number[];
  /** Most resident memory before the last step's command (the tests): of the program, and with all that it started. MB. */
  memory: number;
  memoryOfAll: number;
  requests: Request[];
  exitCode: number | null;
  output: string;
}

const sampleMs = 15;
/** Longer than any of them takes by far. */
const limitMs = 120_000;

export async function runContender(
  command: readonly string[],
  options: { url: string; cwd: string; env: Record<string, string>; steps: number },
): Promise<Run> {
  const [program = "", ...args] = command;
  const began = performance.timeOrigin + performance.now();
  const child = spawn(program, args, { cwd: options.cwd, env: options.env, stdio: ["ignore", "pipe", "pipe"], timeout: limitMs });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output = `${output}${chunk}`.slice(-20_000);
    });
  }
  const samples: { at: number; own: number; all: number }[] = [];
  const watch = setInterval(() => samples.push({ at: performance.timeOrigin + performance.now(), ...memoryOf(child) }), sampleMs);
  const [exitCode] = (await once(child, "close").finally(() => clearInterval(watch))) as [number | null];
  const ended = performance.timeOrigin + performance.now();
  const requests = (await (await fetch(options.url)).json()) as Request[];
  const [first] = requests;
  const testing = requests[options.steps - 1]?.answered ?? ended;
  const calm = samples.filter(({ at }) => first && at >= first.came && at <= testing);
  return {
    firstRequest: first ? first.came - began : Number.NaN,
    whole: ended - began,
    steps: requests.slice(1).map(({ came }, i) => came - (requests[i]?.answered ?? came)),
    memory: Math.max(0, ...calm.map(({ own }) => own)),
    memoryOfAll: Math.max(0, ...calm.map(({ all }) => all)),
    requests,
    exitCode,
    output,
  };
}

/** Resident memory of a process and its descendants, MB; a page that two of them share counts twice. Linux alone tells. */
function memoryOf(child: ChildProcess): { own: number; all: number } {
  const parents = new Map<number, number>();
  const sizes = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const status = statusOf(pid);
    parents.set(pid, Number(/^PPid:\s*(\d+)/m.exec(status)?.[1] ?? 0));
    sizes.set(pid, Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0) / 1000);
  }
  const self = child.pid ?? 0;
  const isOurs = (pid: number): boolean => pid === self || (pid > 1 && isOurs(parents.get(pid) ?? 0));
  const all = [...sizes].reduce((sum, [pid, size]) => (isOurs(pid) ? sum + size : sum), 0);
  return { own: sizes.get(self) ?? 0, all };
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    // It has ended.
    return "";
  }
}
