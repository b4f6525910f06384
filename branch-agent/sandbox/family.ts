/**
 * A command's processes where no namespace holds them together: those of its process group, and whoever was seen as their descendant. One
 * that leaves the group and its parent between two looks is not known; it stays confined all the same.
 */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { send } from "./signal.ts";
import { unavailable } from "./unavailable.ts";
import type { Used } from "./watchdog.ts";

const lookMs = 500;
const listMs = 10_000;
const goneMs = 60_000;
const longestWaitMs = 100;

export interface Listed {
  pid: number;
  parent: number;
  group: number;
  /** Bytes. */
  memory: number;
  /** With the number it is one process: numbers are given anew. */
  started: string;
}

export interface Family {
  /** At the last look. */
  uses(): Used;
  signal(signal: NodeJS.Signals): void;
  /** Kills what is left, and resolves when nothing is. Rejects where something can't be ended. */
  end(): Promise<void>;
}

/**
 * @param first the leader of the command's process group
 * @param list every process of this machine
 */
export function family(first: number, list: () => Promise<Listed[]> = listProcesses): Family {
  const known = new Map<number, string>();
  let used: Used = { memory: 0, threads: 0 };
  let looking: Promise<void> | undefined;
  const timer = setInterval(() => {
    looking ??= look()
      .catch(() => {}) // Not now: at the next look.
      .finally(() => {
        looking = undefined;
      });
  }, lookMs);

  async function look() {
    const living = membersAmong(await list(), first, known);
    known.clear();
    for (const { pid, started } of living) known.set(pid, started);
    used = { memory: living.reduce((sum, { memory }) => sum + memory, 0), threads: living.length };
  }

  return {
    uses: () => used,
    signal(signal) {
      send(-first, signal);
      for (const pid of known.keys()) if (pid !== first) send(pid, signal);
    },
    async end() {
      clearInterval(timer);
      await looking;
      const until = performance.now() + goneMs;
      for (let wait = 1; ; wait = Math.min(wait * 2, longestWaitMs)) {
        send(-first, "SIGKILL");
        await look();
        if (known.size === 0) return;
        for (const pid of known.keys()) send(pid, "SIGKILL");
        if (performance.now() > until) {
          throw unavailable(`processes of the command can't be ended (${[...known.keys()].join(", ")})`, "See what they wait for");
        }
        await sleep(wait);
      }
    },
  };
}

/** Those of the group, those known by number and start, and all descendants of either. */
export function membersAmong(all: readonly Listed[], first: number, known: ReadonlyMap<number, string>): Listed[] {
  const byParent = Map.groupBy(all, ({ parent }) => parent);
  const members = new Map<number, Listed>();
  const waiting = all.filter(({ pid, group, started }) => group === first || known.get(pid) === started);
  for (const each of waiting) {
    if (members.has(each.pid)) continue;
    members.set(each.pid, each);
    waiting.push(...(byParent.get(each.pid) ?? []));
  }
  return [...members.values()];
}

/** Each by itself: on macOS what follows an equals sign is a headline, up to the end of the word. */
const columns = ["pid", "ppid", "pgid", "rss", "stat", "lstart"];

/** What has ended and was not waited for yet is left out. */
function listProcesses(): Promise<Listed[]> {
  return new Promise((resolve, reject) => {
    const child = spawn("ps", ["-ax", ...columns.flatMap((name) => ["-o", `${name}=`])], {
      env: { LC_ALL: "C", PATH: "/bin:/usr/bin" },
      stdio: ["ignore", "pipe", "ignore"],
      timeout: listMs,
      killSignal: "SIGKILL",
    });
    let out = "";
    child.stdout.on("data", (chunk) => (out += chunk));
    child.once("error", reject);
    child.once("close", (code) => {
      if (code !== 0) return reject(unavailable(`ps, which tells what runs, ended with ${code}`, "See whether it works"));
      resolve(
        out.split("\n").flatMap((line) => {
          const [, pid, parent, group, kilobytes, state = "", started = ""] =
            /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.*\S)/.exec(line) ?? [];
          if (pid === undefined || state.startsWith("Z") || Number(pid) === child.pid) return [];
          return [{ pid: Number(pid), parent: Number(parent), group: Number(group), memory: Number(kilobytes) * 1024, started }];
        }),
      );
    });
  });
}
