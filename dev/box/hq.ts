/** Headquarters in the box: real workerd under `wrangler dev`, watched, and ticked every minute. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { refusalSchema } from "#core/hq-api.ts";
import { type Child, startChild } from "./child.ts";

const wrangler = fileURLToPath(new URL("../../node_modules/wrangler/bin/wrangler.js", import.meta.url));
const startMs = 90_000;
/** A workerd that was killed leaves wrangler "ready" but hanging: so it is asked, not believed. */
const probeEveryMs = 1000;
const probeMs = 3000;
const missesAllowed = 3;
const tickEveryMs = 60_000;

export interface HqProcess {
  url: string;
  /** The process that runs now. */
  child(): Child;
  /** Calls the minute tick now. */
  tick(): Promise<void>;
  stop(): Promise<void>;
}

export interface HqOptions {
  dir: string;
  port: number;
  /** The Worker's variables and secrets: handed on by environment, never by file. */
  env: Readonly<Record<string, string>>;
  say(line: string): void;
}

/** Resolves when HQ answers. Rejects with the end of its log if it does not within 90 s. */
export async function startHq({ dir, port, env, say }: HqOptions): Promise<HqProcess> {
  const url = `http://localhost:${port}`;
  const lines: string[] = [];
  const unbuilt = new AbortController();
  const isolated = join(dir, "wrangler");
  await mkdir(isolated, { recursive: true });
  // Named instead of .env and .dev.vars, which may hold somebody's own values; it must exist, since node looks for it too.
  const noVariables = join(isolated, "no-variables.env");
  await writeFile(noVariables, "");
  const args = [wrangler, "dev", "--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0"];
  args.push("--persist-to", isolated, "--env-file", noVariables, "--show-interactive-dev-session=false");
  const launch = () =>
    startChild({
      name: "hq",
      args,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        ...proxies(),
        ...env,
        CLOUDFLARE_INCLUDE_PROCESS_ENV: "true",
        WRANGLER_SEND_METRICS: "false",
        // Its traces hold whole addresses, and a bot's token is part of every address of the Bot API.
        X_LOCAL_OBSERVABILITY: "false",
        // A door to the state of every Durable Object, open to whoever reaches the port.
        X_LOCAL_EXPLORER: "false",
        NO_COLOR: "1",
      },
      logFile: join(dir, "logs", "hq.log"),
      onLine: (line) => {
        lines.push(line);
        if (lines.length > 60) lines.shift();
        // Wrangler waits for somebody to mend the code; whoever starts a box would wait with it.
        if (line.includes("Build failed")) unbuilt.abort();
      },
    });

  let child = launch();
  let stopped = false;
  const answer = await answers(url, startMs, child, unbuilt.signal);
  if (answer !== "well") {
    await child.stop();
    throw new Error(`Headquarters did not start:\n${answer ?? lines.join("\n")}`);
  }
  const probe = watch();
  const stopTicks = tickEveryMinute(url);

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
    tick: () => tickHq(url),
    async stop() {
      stopped = true;
      stopTicks();
      await child.stop();
      await probe;
    },
  };
}

/** Calls the minute tick: wrangler's local cron never fires by itself. */
async function tickHq(url: string): Promise<void> {
  await fetch(`${url}/cdn-cgi/handler/scheduled`, { signal: AbortSignal.timeout(30_000) });
}

/** Ticks until the returned function is called. A tick that fails is followed by the next. */
function tickEveryMinute(url: string): () => void {
  const ticker = setInterval(() => void tickHq(url).catch(() => undefined), tickEveryMs);
  return () => clearInterval(ticker);
}

/** For a headquarters that somebody else runs: waits until it answers, then ticks it. `stop` ends both. */
export async function attendHq(url: string, stop: AbortSignal): Promise<void> {
  while (!stop.aborted && !(await healthy(url))) await sleep(probeEveryMs);
  if (!stop.aborted) stop.addEventListener("abort", tickEveryMinute(url), { once: true });
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

function proxies() {
  const names = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "NODE_EXTRA_CA_CERTS"];
  return Object.fromEntries(names.filter((name) => process.env[name]).map((name) => [name, process.env[name] ?? ""]));
}
