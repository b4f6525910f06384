/** All that the first page shows, in one round trip. */
import { and, asc, count, desc, eq, gte, inArray, isNotNull, isNull, sql } from "drizzle-orm";
import { factories, facts, incidents, letters, outbox, tasks } from "#adapters/store/schema.ts";
import { usageDaily } from "#adapters/store/usage-daily.ts";
import { dayMs, startOfDay } from "#core/day.ts";
import { type FactoryFacts, factoryFactsSchema } from "#core/envelope.ts";
import { type Liveness, leaseMs, liveness, staleAfterMs } from "#core/fleet.ts";
import { noTotal } from "#core/ledger.ts";
import type { Question } from "#core/question.ts";
import { leasedStates, type TaskState } from "#core/task.ts";
import type { DashboardDb } from "../db.ts";
import { parsed } from "../stored.ts";
import { asQuestions, openAsks } from "./asks.query.ts";
import { addMoney, dailyColumns, type Money, slice } from "./spent.query.ts";

export const cardsShown = 50;
const rowsRead = { fleet: 500, active: 200, held: 20, recent: 8, incidents: 20 };
/** An order is normally on the bus within a second; after these attempts the bus is at fault. */
const outboxAttempts = 3;

const activeStates: TaskState[] = ["dispatched", ...leasedStates];
const openStates: TaskState[] = ["queued", "waiting", "held", ...activeStates];

export interface ActiveTask {
  id: string;
  title: string;
  state: TaskState;
  factory: string | null;
  persona: string | null;
  leaseUntil: number | null;
  step: number;
}

export interface FactoryRow {
  id: string;
  name: string;
  role: "headquarters" | "branch";
  liveness: Liveness;
  statusAt: number;
  statusReason: string;
  enrolledAt: number;
  lastHeartbeatAt: number | null;
  rttMs: number | null;
  connectedSince: number | null;
  facts: FactoryFacts | null;
  tasks: ActiveTask[];
  today: Money;
}

export interface Corporation {
  /** Every factory that is not retired, those with trouble first. */
  fleet: FactoryRow[];
  /** What waits for the owner's answer, oldest first. */
  asks: Question[];
  open: Partial<Record<TaskState, number>>;
  held: { id: string; title: string; reason: string; updatedAt: number }[];
  recent: { id: string; title: string; state: TaskState; factory: string | null; persona: string | null; updatedAt: number }[];
  incidents: { kind: string; factory: string | null; text: string; at: number }[];
  lettersDropped: number;
  unsent: { orders: number; error: string };
  /** When the minute tick last ran; null before the first. */
  tickedAt: number | null;
  today: Money;
  /** Spent today by those who are no factory of the list: headquarters' own turns, retired factories. */
  elsewhere: (Money & { factory: string })[];
  /** When this page shows something else though nothing was written. */
  changesAt: number;
}

/** `now` is HQ's clock; "today" begins at midnight UTC. */
export async function loadCorporation(db: DashboardDb, now: number): Promise<Corporation> {
  const midnight = startOfDay(now);
  const active = { id: tasks.id, title: tasks.title, state: tasks.state, factory: tasks.factory, persona: tasks.persona };
  const [fleet, busy, counts, held, recent, spent, strange, dropped, unsent, ticked, asked] = await db.batch([
    db.select().from(factories).orderBy(asc(factories.name)).limit(rowsRead.fleet),
    db
      .select({ ...active, leaseUntil: tasks.leaseUntil, step: tasks.step })
      .from(tasks)
      .where(inArray(tasks.state, activeStates))
      .orderBy(asc(tasks.createdAt))
      .limit(rowsRead.active),
    db.select({ state: tasks.state, n: count() }).from(tasks).where(inArray(tasks.state, openStates)).groupBy(tasks.state),
    db
      .select({ id: tasks.id, title: tasks.title, reason: tasks.reason, updatedAt: tasks.updatedAt })
      .from(tasks)
      .where(eq(tasks.state, "held"))
      .orderBy(asc(tasks.createdAt))
      .limit(rowsRead.held),
    db
      .select({ ...active, updatedAt: tasks.updatedAt })
      .from(tasks)
      .orderBy(desc(tasks.createdAt))
      .limit(rowsRead.recent),
    db
      .select({ factory: usageDaily.factory, ...dailyColumns })
      .from(usageDaily)
      .where(gte(usageDaily.day, midnight))
      .groupBy(usageDaily.factory),
    db
      .select({ kind: incidents.kind, factory: incidents.factory, text: incidents.text, at: incidents.at })
      .from(incidents)
      .where(gte(incidents.at, now - dayMs))
      .orderBy(desc(incidents.id))
      .limit(rowsRead.incidents),
    db
      .select({ n: count() })
      .from(letters)
      .where(and(isNull(letters.sentAt), isNotNull(letters.droppedAt), gte(letters.droppedAt, now - dayMs))),
    db
      .select({ n: count(), error: sql<string | null>`max(${outbox.error})` })
      .from(outbox)
      .where(and(isNull(outbox.sentAt), gte(outbox.attempts, outboxAttempts))),
    db.select({ value: facts.value }).from(facts).where(eq(facts.key, "last_tick")),
    openAsks(db),
  ]);

  const bills = new Map(spent.map((row) => [row.factory, slice(row)]));
  const here = fleet.filter((row) => row.status !== "retired");
  const known = new Set(here.map((row) => row.id));
  return {
    fleet: here.map((row) => ({
      id: row.id,
      name: row.name,
      role: row.role,
      liveness: liveness(row, now),
      statusAt: row.statusAt,
      statusReason: row.statusReason,
      enrolledAt: row.enrolledAt,
      lastHeartbeatAt: row.lastHeartbeatAt,
      rttMs: row.rttMs,
      connectedSince: row.connectedSince,
      facts: parsed(factoryFactsSchema, row.factsJson),
      tasks: busy.filter((task) => task.factory === row.id),
      today: bills.get(row.id) ?? noTotal,
    })),
    asks: asQuestions(asked),
    open: Object.fromEntries(counts.map((row) => [row.state, row.n])),
    held,
    recent,
    incidents: strange,
    lettersDropped: dropped[0]?.n ?? 0,
    unsent: { orders: unsent[0]?.n ?? 0, error: unsent[0]?.error ?? "" },
    tickedAt: ticked[0] ? Number(ticked[0].value) : null,
    today: [...bills.values()].reduce<Money>(addMoney, noTotal),
    elsewhere: [...bills].filter(([factory]) => !known.has(factory)).map(([factory, bill]) => ({ factory, ...bill })),
    changesAt: Math.min(midnight + dayMs, ...here.flatMap((row) => turnsAt(row.lastHeartbeatAt)).filter((at) => at > now)),
  };
}

/** When a silent factory turns stale, then offline; `liveness` says "older than", hence the millisecond. */
function turnsAt(heartbeat: number | null): number[] {
  return heartbeat === null ? [] : [heartbeat + staleAfterMs + 1, heartbeat + leaseMs + 1];
}
