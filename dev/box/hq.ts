/** Headquarters in the box, whatever it runs on: started, asked for its health every second, and started again if it is silent. */
import { refusalSchema } from "#core/hq-api.ts";
import type { Child } from "./child.ts";
import { nodeHq } from "./hq-node.ts";
import { workerdHq } from "./hq-workerd.ts";

export const hqKinds = ["workerd", "node"] as const;
export type HqKind = (typeof hqKinds)[number];

/** How one kind is run. */
export interface HqProgram {
  /** Starts the process. `onLine` gets what it prints; `more` is added to its environment this time. */
  launch(onLine: (line: string) => void, more?: Readonly<Record<string, string>>): Child;
  /** A line after which it will never answer. */
  gaveUp(line: string): boolean;
  /** Calls the minute tick; null where the program has a clock of its own. */
  tick: ((url: string) => Promise<void>) | null;
}

export interface HqOptions {
  dir: string;
  port: number;
  /** Its variables and secrets: handed on by environment, never by file. */
  env: Readonly<Record<string, string>>;
  /** Another composition of the same kind: a wrangler configuration, or a program for Node. Absolute. */
  composition?: string;
}

export interface HqProcess {
  url: string;
  /** The process that runs now. */
  child(): Child;
  /** Calls the minute tick now; null where headquarters ticks by itself alone. */
  tick: (() => Promise<void>) | null;
  stop(): Promise<void>;
}

const startMs = 90_000;
/** A workerd that was killed leaves wrangler "ready" but hanging: so it is asked, not believed. */
const probeEveryMs = 1000;
const probeMs = 3000;
const missesAllowed = 3;
const tickEveryMs = 60_000;

/** Resolves when HQ answers. Rejects with the end of its log if it does not within 90 s. */
export async function startHq(kind: HqKind, options: HqOptions, say: (line: string) => void): Promise<HqProcess> {
  const url = `http://localhost:${options.port}`;
  const program = await (kind === "node" ? nodeHq(options) : workerdHq(options));
  const lines: string[] = [];
  const hopeless = new AbortController();
  const launch = () =>
    program.launch((line) => {
      lines.push(line);
      if (lines.length > 60) lines.shift();
      if (program.gaveUp(line)) hopeless.abort();
    });

  let child = launch();
  let stopped = false;
  const answer = await answers(url, startMs, child, hopeless.signal);
  if (answer !== "well") {
    await child.stop();
    throw new Error(`Headquarters did not start:\n${answer ?? lines.join("\n")}`);
  }
  const probe = watch();
  const { tick } = program;
  const stopTicks = tick && every(tickEveryMs, () => tick(url));

  async function watch() {
    let misses = 0;
    while (!stopped) {
      await sleep(probeEveryMs);
      misses = (await healthy(url)) ? 0 : misses + 1;
      if (stopped || misses < missesAllowed) continue;
      say("headquarters does not answer; it is started again");
      child.kill();
      await child.stop();
      if (stopped) return;
      child = launch();
      await answers(url, startMs, child);
      misses = 0;
    }
  }

  return {
    url,
    child: () => child,
    tick: tick && (() => tick(url)),
    async stop() {
      stopped = true;
      stopTicks?.();
      await child.stop();
      await probe;
    },
  };
}

/** For a `wrangler dev` that somebody else runs: waits until it answers, then ticks it by `tick`. `stop` ends both. */
export async function attendHq(url: string, tick: (url: string) => Promise<void>, stop: AbortSignal): Promise<void> {
  while (!stop.aborted && !(await healthy(url))) await sleep(probeEveryMs);
  if (!stop.aborted) {
    stop.addEventListener(
      "abort",
      every(tickEveryMs, () => tick(url)),
      { once: true },
    );
  }
}

/** Until the returned function is called. What fails is followed by the next. */
function every(ms: number, job: () => Promise<void>): () => void {
  const timer = setInterval(() => void job().catch(() => undefined), ms);
  return () => clearInterval(timer);
}

/** "well"; or why headquarters serves nothing, in its own words; null where it says nothing within the time, ends, or is given up. */
async function answers(url: string, withinMs: number, child: Child, giveUp?: AbortSignal): Promise<string | null> {
  const until = Date.now() + withinMs;
  let ended = false;
  void child.exited.then(() => {
    ended = true;
  });
  while (Date.now() < until && !ended && !giveUp?.aborted) {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(probeMs) }).catch(() => null);
    if (response?.ok) return "well";
    const refusal = refusalSchema.safeParse(await response?.json().catch(() => null)).data;
    if (refusal?.error === "bad_config") return refusal.message;
    await sleep(200);
  }
  return null;
}

async function healthy(url: string): Promise<boolean> {
  const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(probeMs) }).catch(() => null);
  return response?.ok ?? false;
}

function sleep(ms: number) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
