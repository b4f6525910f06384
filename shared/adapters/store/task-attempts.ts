/** An attempt at a task: given to a factory, claimed by it, kept alive by it, ended by its result. */
import type { ResultSet } from "@libsql/client/web";
import { and, eq, gt, inArray, isNull, or, sql } from "drizzle-orm";
import { leaseMs, unclaimedMs } from "#core/fleet.ts";
import { leasedStates, placedStates } from "#core/task.ts";
import type { Tasks } from "#ports/tasks.ts";
import { noting } from "./incidents.ts";
import { recordOf } from "./ledger.ts";
import { noteTurn } from "./queue.ts";
import { hear } from "./reports.ts";
import { attempts, outbox, tasks } from "./schema.ts";
import { comma, type Database, hit, ifChanged, insertIf, type Statement, showChange } from "./sql.ts";
import { attemptEnd } from "./task-ends.ts";
import { after, at } from "./task-steps.ts";
import { tell } from "./task-story.ts";

const placed = sql`state in (${comma(placedStates.map((state) => sql`${state}`))})`;
const leased = sql`state in (${comma(leasedStates.map((state) => sql`${state}`))})`;

type Attempts = Pick<Tasks, "dispatch" | "claim" | "settle" | "retry" | "renew">;

export function taskAttempts(database: Database): Attempts {
  const { q, write, priceOf } = database;
  const { closeAttempt, withdrawOrder } = attemptEnd(database);
  return {
    async dispatch(id, epoch, { factory, places, reason, order, orderId, instruction }, now) {
      const fresh = { persona: null, leaseUntil: now + unclaimedMs, step: 0, liveCost: 0, liveTokens: 0 };
      const hasPlace = sql`(select count(*) from tasks as held where held.factory = ${factory} and held.${placed}) < ${places}`;
      const [dispatched] = await write(
        q
          .update(tasks)
          .set({ ...after("dispatch", now), ...fresh, factory, orderId, code: "dispatched", reason, updatedAt: now })
          .where(and(at(id, epoch, "dispatch"), hasPlace, eq(tasks.instruction, instruction))),
        ...tell(id, epoch, { kind: "dispatched", text: reason, factory }, now),
        insertIf(ifChanged, attempts, { task: id, epoch, factory, routeReason: reason, dispatchedAt: now }),
        insertIf(ifChanged, outbox, { factory, task: id, epoch, order, createdAt: now, notBefore: now }),
        noteTurn(id, now),
      );
      return hit(dispatched);
    },

    async claim(id, epoch, { factory, order, leaseUntil }, now) {
      const given = and(eq(tasks.factory, factory), eq(tasks.orderId, order));
      const reason = `${factory} claimed it`;
      const [claimed, , , , , held] = await write(
        q
          .update(tasks)
          .set({ ...after("claim", now), leaseUntil, code: "running", reason, updatedAt: now })
          .where(and(at(id, epoch, "claim"), given, or(isNull(tasks.deadline), gt(tasks.deadline, now)))),
        ...tell(id, epoch, { kind: "claimed", text: reason, factory }, now),
        q
          .update(attempts)
          .set({ claimedAt: now })
          .where(and(eq(attempts.task, id), eq(attempts.epoch, epoch), ifChanged)),
        withdrawOrder(id, epoch),
        q
          .update(tasks)
          .set({ leaseUntil: sql`max(lease_until, ${leaseUntil})` })
          .where(and(eq(tasks.id, id), eq(tasks.epoch, epoch), given, inArray(tasks.state, [...leasedStates]))),
      );
      if (hit(claimed)) return "claimed";
      return hit(held) ? "resumed" : "refused";
    },

    async settle(factory, { results, usages, incidents, heard }, now) {
      const statements = [
        ...recordOf(factory, [...usages, ...results.flatMap(({ result }) => result.usages)], now, priceOf),
        ...incidents.flatMap((incident) => noting(incident, now)),
        ...hear(factory, heard),
      ];
      const ends = results.map(({ event, result: { task, epoch, outcome, code, reason, persona, summary, receipt, log } }) => {
        const told = { code, reason, persona, summary, log, receiptJson: receipt && JSON.stringify(receipt) };
        const accepted = statements.push(
          q
            .update(tasks)
            .set({ ...after(event, now), ...told, ...(receipt && { step: receipt.steps }), leaseUntil: null, updatedAt: now })
            .where(and(at(task, epoch, event), eq(tasks.factory, factory))),
        );
        statements.push(...tell(task, epoch, { kind: outcome, text: reason, factory, persona }, now));
        statements.push(...closeAttempt(task, epoch, { outcome, reason, persona }, now));
        return accepted - 1;
      });
      const done = await write(...statements);
      return ends.map((at) => (hit(done[at] as ResultSet) ? "accepted" : "stale"));
    },

    async retry(from, to, result, { notBefore, text }, now) {
      const { code, persona, summary, receipt, log } = result;
      const { id, epoch, factory } = from;
      const usages = recordOf(factory ?? "", result.usages, now, priceOf);
      const dead = to.state === "dead";
      const kept = {
        persona,
        summary,
        log,
        receiptJson: receipt && JSON.stringify(receipt),
        ...(receipt && { step: receipt.steps }),
        endedAt: now,
      };
      const again = { factory: null, persona: null, orderId: null, step: 0, notBefore };
      const results = await write(
        ...usages,
        q
          .update(tasks)
          .set({ ...to, ...(dead ? kept : again), leaseUntil: null, code, reason: text, updatedAt: now })
          .where(and(at(id, epoch, "retry"), eq(tasks.factory, factory ?? ""), isNull(tasks.cancelRequested))),
        ...tell(id, epoch, { kind: dead ? "dead" : "retried", text, persona, ...(factory !== null && { factory }) }, now),
        ...closeAttempt(id, epoch, { outcome: "failed", reason: result.reason, persona }, now),
      );
      const moved = results[usages.length];
      return moved !== undefined && hit(moved);
    },

    async renew(factory, running, leaseUntil, now) {
      if (running.length === 0) return [];
      const told = sql`json_each(${JSON.stringify(running)}) as told`;
      const isIt = sql`tasks.id = told.value ->> 'task'`;
      const [, , seen] = await write(
        sql`update tasks set lease_until = ${leaseUntil}, step = told.value ->> 'step', live_cost = told.value ->> 'cost',
            live_tokens = told.value ->> 'tokens', updated_at = ${now}
          from ${told} where ${isIt} and epoch = told.value ->> 'epoch' and factory = ${factory} and ${leased} and cancel_requested is null`,
        showChange(ifChanged),
        sql`select told.value ->> 'task' as task, told.value ->> 'epoch' as epoch, tasks.epoch as current, state, factory, ${leased} as leased
          from ${told} left join tasks on ${isIt} order by told.key`,
      );
      return (seen.rows as unknown as Seen[]).flatMap((row) => {
        const reason = stopReason(row, factory);
        return reason === null ? [] : [{ task: row.task, epoch: row.epoch, reason }];
      });
    },
  };
}

/** A task as a factory told it, beside the one that HQ knows; null where HQ knows none. */
interface Seen {
  task: string;
  epoch: number;
  current: number | null;
  state: string | null;
  factory: string | null;
  leased: number | null;
}

function stopReason(row: Seen, factory: string): string | null {
  if (row.state === null) return "headquarters knows no such task";
  if (row.epoch !== row.current) return `attempt ${row.epoch} was given up; this is attempt ${row.current}`;
  if (row.leased !== 1) return `it is ${row.state}`;
  if (row.factory !== factory) return `it is with ${row.factory}`;
  return null;
}

/** What a factory holds stays with it as long as it lives: an order that waits for a slot, a result that waits for the bus. */
export function keepHeld(factory: string, holds: readonly { task: string; epoch: number }[], now: number): Statement {
  return sql`update tasks set lease_until = max(coalesce(lease_until, 0), ${now + leaseMs}) where factory = ${factory}
    and (state = 'dispatched' or ${leased}) and cancel_requested is null
    and exists (select 1 from json_each(${JSON.stringify(holds)}) as its
      where its.value ->> 'task' = tasks.id and its.value ->> 'epoch' = tasks.epoch)`;
}
