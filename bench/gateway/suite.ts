/** `npm run bench -- gateway`: what the meter adds to a call of a model, beside what a bare proxy adds, in the same run. */
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request as ask } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { systemClock } from "#adapters/clock/system.ts";
import { randomIds } from "#adapters/ids/random.ts";
import { meteredFetch } from "#adapters/llm/metered-fetch.ts";
import { pricesOf } from "#adapters/prices/index.ts";
import { knownValues } from "#adapters/redactor/known-values.ts";
import { limitBudgets } from "#core/budget.ts";
import { nanosPerUsd } from "#core/ledger.ts";
import { metering } from "#factory/metering.ts";
import { waitingLine } from "#factory/waiting-line.ts";
import { openGateway } from "../../branch-agent/gateway/server.ts";
import { libsqlJournal } from "../../branch-agent/journal/libsql.ts";
import type { Contender } from "../bus/contender.ts";
import { diskFlushMs } from "../bus/disk.ts";
import { errorLog } from "../bus/headquarters.ts";
import { latencyOf, type Plan, runRounds, type Slice } from "../bus/rounds.ts";
import { type Figure, type Options, type Report, rounded, tableOf } from "../figure.ts";
import { median, quantile } from "../stats.ts";
import { type Listening, startBareProxy, startProvider } from "./provider.ts";

const thorough: Plan = { inFlight: [1, 8], rounds: 10, sliceMs: 500, warmMs: 300, enoughMs: 60_000 };
const brief: Plan = { inFlight: [1], rounds: 2, sliceMs: 150, warmMs: 50, enoughMs: 5000 };
const anchor = "bare";
/** As a step of an agent's sends it, kilobytes. */
const prompt = "x".repeat(20 * 1024);
const body = JSON.stringify({ model: "scripted-1", max_tokens: 4096, stream: true, messages: [{ role: "user", content: prompt }] });

export async function benchGateway({ quick, seconds, say }: Options): Promise<Report> {
  const plan = quick ? brief : thorough;
  const sliceMs = seconds === null ? plan.sliceMs : (seconds * 1000) / (plan.rounds * plan.inFlight.length * 3);
  const folder = await mkdtemp(join(tmpdir(), "uac-bench-"));
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const provider = await startProvider();
    closers.unshift(provider.close);
    const bare = await startBareProxy(provider.url);
    closers.unshift(bare.close);
    const gateway = await openMetered(provider, folder);
    closers.unshift(gateway.close);
    const contenders = [
      caller("direct", "no proxy at all", provider.url),
      caller(anchor, "a proxy that does nothing but pass bytes on, over kept connections", bare.url),
      caller("gateway", "ours: token, reservation, the stream read, ledger entry on disk before the end of it", gateway.url, gateway.token),
    ];
    closers.unshift(...contenders.map(({ close }) => close));
    const flushMs = diskFlushMs(folder);
    const slices = await runRounds(contenders, { ...plan, sliceMs }, say);
    return reportOf(contenders, slices, plan.inFlight, flushMs);
  } finally {
    for (const close of closers) await close();
  }
}

async function openMetered(provider: Listening, folder: string) {
  const open = () => createClient({ url: `file:${join(folder, "journal.db")}` });
  const journal = await libsqlJournal(open(), open());
  const gateway = await openGateway({
    ids: randomIds,
    log: errorLog(knownValues()),
    metered: (meter, { wire, send }) => meteredFetch(meter, { provider: "scripted", wire, fetch: send }),
  });
  const line = waitingLine(systemClock, { most: 64, waitMs: 10_000 });
  const bounds = limitBudgets({ kind: "task", of: "bench", epoch: 1 }, { usd: 1_000_000 * nanosPerUsd, tokens: 1e15 });
  const meter = metering(
    { spending: journal, clock: systemClock, ids: randomIds, priceOf: pricesOf(), line, life: "bench", leaseMs: 60_000 },
    { task: "bench", epoch: 1, factory: "bench", persona: "Lisa", seat: "coder", bounds: () => bounds, spent: [] },
  );
  const key = { kind: "x-api-key", value: randomIds.secret(16) } as const;
  const desk = gateway.openDesk(meter, [{ provider: "scripted", wire: "anthropic", baseUrl: provider.url, key, billing: "metered" }]);
  return {
    url: desk.urlFor("scripted"),
    token: desk.token,
    async close() {
      await gateway.close();
      await journal.close();
    },
  };
}

/** One call after the other, over kept connections, each answer read to its end. */
function caller(name: string, about: string, url: string, token = "none"): Contender {
  const agent = new Agent({ keepAlive: true });
  const headers = { "content-type": "application/json", "content-length": body.length, "x-api-key": token };
  return {
    name,
    about,
    hand: () =>
      new Promise((resolve, reject) => {
        const began = performance.now();
        const call = ask(`${url}/v1/messages`, { agent, method: "POST", headers }, (answer) => {
          if (answer.statusCode !== 200) reject(new Error(`${name} answered ${answer.statusCode}`));
          answer.resume().once("end", () => resolve(performance.now() - began));
        });
        call.once("error", reject).end(body);
      }),
    widen: () => {},
    settled: async () => {},
    async close() {
      agent.destroy();
    },
  };
}

/** `added`: beyond what the same call takes without any proxy, in the same round. */
function reportOf(contenders: readonly Contender[], slices: readonly Slice[], widths: readonly number[], flushMs: number): Report {
  const figures: Figure[] = [];
  const add = (name: string, value: number, unit: string, of: string | null = null) => {
    figures.push({ name, value: rounded(value), unit, of });
    return String(rounded(value));
  };
  const of = (name: string, width: number) => slices.filter((slice) => slice.contender === name && slice.inFlight === width);
  const added = (name: string, width: number, share: number) => {
    const direct = of("direct", width);
    return of(name, width).map((slice, round) => quantile(slice.latencies, share) - quantile(direct[round]?.latencies ?? [], share));
  };

  const rows = contenders.flatMap(({ name }) =>
    widths.map((width) => {
      const at = (what: string) => `${name} ${what} at ${width}`;
      const { p50, p99, jobs } = latencyOf(of(name, width));
      const cells = [`${name}, ${width}`, add(at("p50"), p50, "ms"), add(at("p99"), p99, "ms"), String(jobs)];
      if (name === "direct") return cells;
      const parts = [0.5, 0.99].flatMap((share) => {
        const what = share === 0.5 ? "added p50" : "added p99";
        const [mine, bares] = [median(added(name, width, share)), median(added(anchor, width, share))];
        return [add(at(what), mine, "ms"), add(at(`${what} ratio`), mine / bares, "ratio", `${anchor} ${what} at ${width}`)];
      });
      return [...cells, ...parts];
    }),
  );
  const head = ["and calls in flight", "p50 ms", "p99 ms", "calls", "added p50", "of bare", "added p99", "of bare"];
  const notes = contenders.map(({ name, about }) => `  ${name}: ${about}`);
  notes.push(`  This disk keeps a page in ${add("disk flush p50", flushMs, "ms")} ms; a call waits for one.`);
  return { figures, table: `${tableOf([head, ...rows])}\n\n${notes.join("\n")}`, broken: null };
}
