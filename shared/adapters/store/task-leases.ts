/** Leases: whose has run out, and how much of the time counts. Only HQ's clock decides, and only while HQ watches. */
import { and, asc, eq, inArray, isNull, lt, not, notInArray, or, type SQL, sql } from "drizzle-orm";
import { leaseMs, missedMs, unclaimedMs, unwatchedAfterMs } from "#core/fleet.ts";
import { leasedStates, type TaskState } from "#core/task.ts";
import type { Tasks } from "#ports/tasks.ts";
import { facts, tasks } from "./schema.ts";
import type { Database, Statement } from "./sql.ts";
import { taskColumns, toTask } from "./task-rows.ts";

/** One sweep of `expired`; the next tick goes on. */
const sweep = 50;

export function taskLeases({ q, run, write }: Database): Pick<Tasks, "expired" | "watched"> {
  /** No lease is longer than a whole one from now, so none is cut short; and after a clock that was set back none lasts longer. */
  const anew = (states: readonly TaskState[], until: number, where: SQL): Statement =>
    q
      .update(tasks)
      .set({ leaseUntil: until })
      .where(and(inArray(tasks.state, [...states]), where));

  const note = (key: string, value: string): Statement =>
    q.insert(facts).values({ key, value }).onConflictDoUpdate({ target: facts.key, set: { value } });

  return {
    async expired(now, unread) {
      // An order that an earlier version gave out has no lease of its own.
      const lapsed = or(lt(tasks.leaseUntil, now), and(isNull(tasks.leaseUntil), lt(tasks.updatedAt, now - unclaimedMs)));
      // A report that a living factory sent and that did not come may be the end of it: there is time to send it again.
      const mayBeTold = sql`exists (select 1 from factories as f where f.id = tasks.factory and f.told_to > f.heard_to
        and f.last_heartbeat_at > ${now - leaseMs} and tasks.lease_until > ${now - missedMs})`;
      // A factory that was retired resumes nothing.
      const there = sql`not exists (select 1 from factories as g where g.id = tasks.factory and g.status = 'retired')`;
      // Both wait for the owner, not for the factory.
      const rests = and(inArray(tasks.state, ["paused", "awaiting_approval"]), isNull(tasks.cancelRequested), there) as SQL;
      const rows = await run(
        q
          .select(taskColumns)
          .from(tasks)
          .where(
            and(
              inArray(tasks.state, ["dispatched", ...leasedStates]),
              lapsed,
              not(rests),
              not(mayBeTold),
              notInArray(tasks.factory, [...unread]),
            ),
          )
          .orderBy(asc(tasks.updatedAt))
          .limit(sweep),
      );
      return rows.map(toTask);
    },

    async watched(at, unread, now) {
      const unwatched = sql`not exists (select 1 from facts where key = 'last_tick' and cast(value as integer) between ${at - unwatchedAfterMs} and ${at})`;
      const [{ rows }] = await write(
        q.select({ value: facts.value }).from(facts).where(eq(facts.key, "last_tick")),
        anew(leasedStates, now + leaseMs, unwatched),
        anew(["dispatched"], now + unclaimedMs, unwatched),
        note("last_tick", String(at)),
        note("unread", JSON.stringify(unread)),
      );
      const before = rows[0]?.value;
      if (before === undefined) return null;
      const gap = at - Number(before);
      return gap >= 0 && gap <= unwatchedAfterMs ? 0 : gap;
    },
  };
}
