/** `npm run bench -- bus`: how long a job takes from sender to receiver, and how many a second, each way on the same Redis in the same run. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRedis } from "../../dev/redis.ts";
import { type Figure, type Options, type Report, rounded, tableOf } from "../figure.ts";
import { median, spread } from "../stats.ts";
import { bareRedis } from "./bare.ts";
import { bullMq } from "./bullmq.ts";
import type { Contender } from "./contender.ts";
import { diskFlushMs } from "./disk.ts";
import { openHq } from "./headquarters.ts";
import { signedPort } from "./port.ts";
import { latencyOf, type Plan, runRounds, type Slice } from "./rounds.ts";
import { wholePath } from "./whole.ts";

const thorough: Plan = { inFlight: [1, 10, 50], rounds: 5, sliceMs: 900, warmMs: 200, enoughMs: 70_000 };
const brief: Plan = { inFlight: [1, 10], rounds: 2, sliceMs: 150, warmMs: 50, enoughMs: 5000 };
const anchor = "bare";

export async function benchBus({ quick, seconds, say }: Options): Promise<Report> {
  const plan = quick ? brief : thorough;
  // Longer rounds where more time is given; a run is about 80 slices of the default length.
  const sliceMs = seconds === null ? plan.sliceMs : (seconds * 1000) / (plan.rounds * plan.inFlight.length * 4);
  const folder = await mkdtemp(join(tmpdir(), "uac-bench-"));
  // No rewrite of the append-only file in the middle of somebody's round.
  const redis = await startRedis({ args: ["--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0"] });
  const closers: (() => Promise<unknown>)[] = [redis.stop, () => rm(folder, { recursive: true, force: true })];
  try {
    const headquarters = await openHq(redis.url, folder);
    closers.unshift(headquarters.close);
    const contenders: Contender[] = [];
    for (const open of [
      () => bareRedis(redis.url),
      () => signedPort(headquarters, redis.url, folder),
      () => wholePath(headquarters, redis.url, folder),
      () => bullMq(redis),
    ]) {
      const contender = await open();
      contenders.push(contender);
      closers.unshift(contender.close);
    }
    const flushes = [diskFlushMs(folder)];
    const slices = await runRounds(contenders, { ...plan, sliceMs }, say);
    flushes.push(diskFlushMs(folder));
    return reportOf(contenders, slices, plan.inFlight, median(flushes));
  } finally {
    for (const close of closers) await close();
  }
}

function reportOf(contenders: readonly Contender[], slices: readonly Slice[], widths: readonly number[], flushMs: number): Report {
  const figures: Figure[] = [];
  const add: Add = (name, value, unit, of = null) => {
    figures.push({ name, value: rounded(value), unit, of });
    return String(rounded(value));
  };
  /** Round by round against the anchor of the same round, so that what slows the machine slows both; then the median. */
  const ratio = (name: string, values: readonly number[], anchors: readonly number[], of: string) =>
    add(name, median(values.map((value, round) => value / (anchors[round] ?? Number.NaN))), "ratio", of);
  const apart = (name: string, values: readonly number[]) => `±${add(`${name}, spread of rounds`, spread(values) * 50, "±%", name)} %`;
  const of = (contender: string, inFlight: number) =>
    slices.filter((slice) => slice.contender === contender && slice.inFlight === inFlight);
  const p50s = (contender: string) => of(contender, 1).map((slice) => latencyOf([slice]).p50);
  const rates = (contender: string, inFlight: number) => of(contender, inFlight).map(({ perSecond }) => perSecond);

  const rows = contenders.map(({ name }) => {
    const { p50, p99, jobs } = latencyOf(of(name, 1));
    const latency = [
      add(`${name} p50`, p50, "ms"),
      add(`${name} p99`, p99, "ms"),
      ratio(`${name} p50 ratio`, p50s(name), p50s(anchor), `${anchor} p50`),
      apart(`${name} p50`, p50s(name)),
      String(jobs),
    ];
    const throughput = widths.flatMap((width) => {
      const [metric, values] = [`jobs/s at ${width}`, rates(name, width)];
      return [
        add(`${name} ${metric}`, median(values), "jobs/s"),
        ratio(`${name} ${metric} ratio`, values, rates(anchor, width), `${anchor} ${metric}`),
        apart(`${name} ${metric}`, values),
      ];
    });
    return [name, ...latency, ...throughput];
  });
  const head = [
    "",
    "p50 ms",
    "p99 ms",
    "of bare",
    "spread",
    "jobs",
    ...widths.flatMap((width) => [`jobs/s at ${width}`, "of bare", "spread"]),
  ];
  const notes = contenders.map(({ name, about }) => `  ${name}: ${about}`);
  notes.push(`  This disk keeps a page in ${add("disk flush p50", flushMs, "ms")} ms: every commit of journal and database waits so long.`);
  return { figures, table: `${tableOf([head, ...rows])}\n\n${notes.join("\n")}`, broken: null };
}

type Add = (name: string, value: number, unit: string, of?: string | null) => string;
