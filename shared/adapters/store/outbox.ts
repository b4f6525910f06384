/** Sealed orders, until they are claimed or withdrawn. */
import { and, asc, eq, isNull, lte, sql } from "drizzle-orm";
import { orderAgainMs } from "#core/fleet.ts";
import type { Outbox } from "#ports/store.ts";
import { outbox } from "./schema.ts";
import { type Database, ifChanged, type Statement, showChange } from "./sql.ts";
import { tell } from "./task-story.ts";

export function outboxOf({ q, run, write }: Database): Outbox {
  return {
    due(now, limit) {
      const { id, factory, task, epoch, order } = outbox;
      return run(
        q
          .select({ id, factory, task, epoch, order })
          .from(outbox)
          .where(and(isNull(outbox.sentAt), lte(outbox.notBefore, now)))
          .orderBy(asc(outbox.id))
          .limit(limit),
      );
    },

    async sent(row, entry, now) {
      await write(
        q
          .update(outbox)
          .set({ sentAt: now, error: "" })
          .where(and(eq(outbox.id, row.id), isNull(outbox.sentAt))),
        ...tell(row.task, row.epoch, entry, now),
      );
    },

    async retryAt(row, at, error) {
      await write(
        q
          .update(outbox)
          .set({ notBefore: at, error, attempts: sql`attempts + 1` })
          .where(and(eq(outbox.id, row.id), isNull(outbox.sentAt))),
        showChange(ifChanged),
      );
    },
  };
}

/** Lets orders that are not with their factory be published once more: neither named by it, nor on their way since a moment ago. */
export function astray(factory: string, named: readonly { task: string; epoch: number }[], now: number): Statement {
  return sql`update outbox set sent_at = null, not_before = ${now} where factory = ${factory} and sent_at <= ${now - orderAgainMs}
    and not exists (select 1 from json_each(${JSON.stringify(named)}) as its
      where its.value ->> 'task' = outbox.task and its.value ->> 'epoch' = outbox.epoch)`;
}
