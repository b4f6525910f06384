/** What the end of an attempt takes with it, where the compare-and-set before it in the batch found its task. */
import { and, eq, isNull } from "drizzle-orm";
import { attempts, outbox } from "./schema.ts";
import { type Database, ifChanged, type Statement } from "./sql.ts";

export function attemptEnd({ q }: Database) {
  /** An order that was claimed, or must not be any more, goes to the bus neither for the first time nor again. */
  function withdrawOrder(task: string, epoch: number): Statement {
    return q.delete(outbox).where(and(eq(outbox.task, task), eq(outbox.epoch, epoch), ifChanged));
  }

  function closeAttempt(
    task: string,
    epoch: number,
    end: { outcome: string; reason: string; persona?: string },
    now: number,
  ): [Statement, Statement] {
    const open = and(eq(attempts.task, task), eq(attempts.epoch, epoch), isNull(attempts.endedAt), ifChanged);
    return [
      q
        .update(attempts)
        .set({ ...end, endedAt: now })
        .where(open),
      withdrawOrder(task, epoch),
    ];
  }

  return { closeAttempt, withdrawOrder };
}
