/** The deck of a run: which faults, in which order. The seed and the number of tasks decide it, nothing else. */
import { type FaultKind, faultKinds } from "./faults.ts";
import { killPoints, losePoints, type Point } from "./points.ts";
import { randomFrom } from "./random.ts";
import type { Sabotage } from "./sabotage.ts";

export interface Planned {
  kind: FaultKind;
  /** Of kinds that wait for a process to come somewhere. */
  point: Point | null;
}

/** Tasks for each fault beyond the first round. */
const tasksPerFault = 4;
/** How often a kind is drawn after the first round: those that cost the run much time are rarer. */
const weights: Readonly<Record<FaultKind, number>> = {
  kill_at: 8,
  lost_reply: 5,
  cancel: 3,
  kill_branch: 3,
  duplicate: 2,
  reorder: 2,
  cut: 2,
  chat_lost_reply: 2,
  two_drains: 2,
  kill_redis: 2,
  wipe: 1,
  kill_hq: 1,
  freeze: 1,
  late_result: 1,
  half_open: 1,
  hq_away: 0.5,
  kill_database: 1,
  drain: 1,
};

/** What surely shows that a guard is missing. */
const shows: Readonly<Record<Sabotage, readonly Planned[]>> = {
  fence: [
    { kind: "late_result", point: null },
    { kind: "late_result", point: null },
  ],
  journal: [
    { kind: "kill_at", point: "branch.journal.settle:after" },
    { kind: "kill_at", point: "branch.journal.transcript.append:after" },
    { kind: "kill_at", point: "branch.bus.finish:before" },
  ],
  outbox: [
    { kind: "kill_at", point: "hq.store.tasks.dispatch:after" },
    { kind: "kill_at", point: "branch.bus.finish:before" },
  ],
};

/** Every kind once, and some kill points; beyond that one for every few tasks. With `sabotage` only what shows it. */
export function deckOf({ tasks, seed, sabotage }: { tasks: number; seed: number; sabotage: Sabotage | null }): Planned[] {
  if (sabotage) return [...shows[sabotage]];
  const random = randomFrom(seed);
  const kills = rounds(() => random.shuffled(killPoints));
  const losses = rounds(() => random.shuffled(losePoints));
  const planned = (kind: FaultKind): Planned => ({ kind, point: kind === "kill_at" ? kills() : kind === "lost_reply" ? losses() : null });
  const first = random.shuffled([...faultKinds, ...Array<FaultKind>(4).fill("kill_at"), "lost_reply" as const]);
  const more = Math.max(0, Math.floor(tasks / tasksPerFault) - first.length);
  const urn = faultKinds.flatMap((kind) => Array<FaultKind>(weights[kind] * 2).fill(kind));
  return [...first, ...Array.from({ length: more }, () => random.pick(urn))].map(planned);
}

/** One after the other, and a new list when the old one is through. */
function rounds<T>(list: () => readonly T[]): () => T {
  let left: T[] = [];
  return () => {
    if (left.length === 0) left = [...list()];
    return left.shift() as T;
  };
}
