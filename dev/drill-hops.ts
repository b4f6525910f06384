/** A task's story as hops. HQ's times are HQ's clock, a factory's are its own: on one machine they are the same. */
import type { StoredTaskEvent, Task } from "#ports/tasks.ts";

export interface Hop {
  hop: string;
  /** Null: it did not happen. */
  ms: number | null;
}

type Moment = "received" | "delegated" | "dispatched" | "published" | "claimed" | "started" | "worked" | "settled" | "told";

const path: readonly [hop: string, from: Moment, to: Moment][] = [
  ["Telegram's update stored → Simone delegates", "received", "delegated"],
  ["delegated → routed, signed, in the outbox", "delegated", "dispatched"],
  ["outbox → bus", "dispatched", "published"],
  ["bus → branch → claimed at HQ", "published", "claimed"],
  ["Homer takes it in → Lisa at work", "claimed", "started"],
  ["Lisa works: edits, tests, commit, receipt", "started", "worked"],
  ["receipt → bus → HQ settles", "worked", "settled"],
  ["HQ → Telegram confirms the completion", "settled", "told"],
];

/** One hop a line, in order; a hop after a gap is missing too. */
export function hops(task: Task | null, events: readonly StoredTaskEvent[]): Hop[] {
  const last = (kind: string) => events.findLast((event) => event.kind === kind);
  const moments: Record<Moment, number | null> = {
    received: task?.receivedAt ?? null,
    delegated: last("delegated")?.at ?? null,
    dispatched: last("dispatched")?.at ?? null,
    published: last("published")?.at ?? null,
    claimed: last("claimed")?.at ?? null,
    started: last("started")?.originAt ?? null,
    worked: last("finished")?.originAt ?? null,
    settled: task?.endedAt ?? null,
    told: last("told")?.at ?? null,
  };
  return path.map(([hop, from, to]) => {
    const [a, b] = [moments[from], moments[to]];
    return { hop, ms: a === null || b === null ? null : Math.max(0, b - a) };
  });
}
