/** Sealed orders on their way to the bus. */
import { and, asc, eq, isNull, lte, sql } from "drizzle-orm";
import type { Outbox } from "#ports/store.ts";
import { outbox } from "./schema.ts";
import { type Database, ifChanged, showChange } from "./sql.ts";

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

    async sent(row, now) {
      await write(
        q
          .update(outbox)
          .set({ sentAt: now, error: "" })
          .where(and(eq(outbox.id, row.id), isNull(outbox.sentAt))),
        showChange(ifChanged),
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
