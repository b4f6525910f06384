/** Interleaved rounds: every contender in each of them, in an order that rotates, so that no one has the machine's best moments. */
import { quantile } from "../stats.ts";
import type { Contender } from "./contender.ts";

export interface Plan {
  inFlight: readonly number[];
  rounds: number;
  /** One contender sends for so long, milliseconds. */
  sliceMs: number;
  /** Before the rounds, for each contender and width. */
  warmMs: number;
  /** After so long no further round begins, if two are done. */
  enoughMs: number;
}

export interface Slice {
  contender: string;
  inFlight: number;
  round: number;
  /** Until what follows the last job is done, too. */
  perSecond: number;
  /** Milliseconds from the sending until the receiver has it, job by job. */
  latencies: number[];
}

/** Jobs that are missing for so long are lost: then nothing was measured. */
const lostAfterMs = 60_000;

export async function runRounds(contenders: readonly Contender[], plan: Plan, say: (line: string) => void): Promise<Slice[]> {
  for (const contender of contenders) {
    for (const inFlight of plan.inFlight) await slice(contender, inFlight, plan.warmMs);
  }
  const slices: Slice[] = [];
  const began = performance.now();
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const inFlight of plan.inFlight) {
      const first = round % contenders.length;
      for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
        slices.push({ contender: contender.name, inFlight, round, ...(await slice(contender, inFlight, plan.sliceMs)) });
      }
    }
    say(`round ${round + 1} of ${plan.rounds}`);
    if (round > 0 && performance.now() - began > plan.enoughMs) break;
  }
  return slices;
}

/** A closed loop: `inFlight` jobs are under way, and where one arrives the next is sent, until the time is up. */
async function slice(contender: Contender, inFlight: number, ms: number) {
  contender.widen(inFlight);
  const latencies: number[] = [];
  const began = performance.now();
  const lane = async () => {
    do latencies.push(await contender.hand());
    while (performance.now() - began < ms);
  };
  await inTime(contender.name, Promise.all(Array.from({ length: inFlight }, lane)).then(contender.settled));
  return { latencies, perSecond: (latencies.length * 1000) / (performance.now() - began) };
}

async function inTime(name: string, work: Promise<unknown>) {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${name}: jobs did not arrive within ${lostAfterMs / 1000} s`)), lostAfterMs);
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Latencies of all rounds together. */
export function latencyOf(slices: readonly Slice[]) {
  const all = slices.flatMap(({ latencies }) => latencies);
  return { jobs: all.length, p50: quantile(all, 0.5), p99: quantile(all, 0.99) };
}
