/** What goes first, and what waits for what. The rule is told in docs/queue.md; all of it is SQL, read by indexes. */
import { and, asc, eq, inArray, lte, type SQL, sql } from "drizzle-orm";
import { placedStates, sourcesOf, type TaskState, terminalStates } from "#core/task.ts";
import type { Queue } from "#ports/tasks.ts";
import { dependencies, facts, tasks } from "./schema.ts";
import { comma, type Database, ifChanged, insertIf } from "./sql.ts";
import { taskColumns, toTask } from "./task-rows.ts";

/** So many tasks of one route are looked at: as many as are given out in one go. */
const perRoute = 10;

const among = (states: readonly TaskState[]) => sql`(${comma(states.map((state) => sql`${state}`))})`;
const broken = among(terminalStates.filter((state) => state !== "succeeded"));

/** True of a row of `tasks` that needs one that has not succeeded. */
export const unmet = sql`exists (select 1 from dependencies as d join tasks as n on n.id = d.needs
  where d.task = "tasks"."id" and n.state <> 'succeeded')`;

/** Within a chat and among chats that are level: urgent, then due, then old. */
const urgentFirst = sql`priority desc, deadline is null, deadline, created_at, line`;
/** Among chats: whose turn it is, then who was served longest ago. */
const fairFirst = sql`priority desc, turn, served, deadline is null, deadline, created_at, line`;

/**
 * `turn`: the place in its chat's own line, behind what the chat has under way. A route on which a task is held can't go now, and
 * what waits there takes no turn from what can (`stuck`). `place`: among those of its route.
 */
function lineUp(now: number, limit: number): SQL {
  return sql`(
    with ready as (
      select id, rowid as line, chat, priority, deadline, created_at, wanted, workspace, kind,
        max(state = 'held') over (partition by wanted, workspace, kind) as stuck
      from tasks
      where state in ('queued', 'held') and (not_before is null or not_before <= ${now})
        and (deadline is null or deadline > ${now}) and not ${unmet}
    ),
    chats as (
      select chat,
        (select count(*) from tasks as t where t.chat = c.chat and t.state in ${among(placedStates)}) as busy,
        coalesce((select cast(value as integer) from facts where key = 'served:' || c.chat), 0) as served
      from (select distinct chat from ready) as c
    ),
    turns as (
      select ready.*, served, busy + row_number() over (partition by ready.chat, stuck order by ${urgentFirst}) as turn
      from ready join chats on chats.chat = ready.chat
    ),
    routes as (
      select *, row_number() over (partition by wanted, workspace, kind order by ${fairFirst}) as place from turns
    ),
    shown as (select * from routes where place <= ${perRoute} order by place, stuck, ${fairFirst} limit ${limit})
    select id, row_number() over (order by ${fairFirst}) as rank from shown
  ) as ranked`;
}

/** In the batch of a dispatch: its chat was served now. */
export function noteTurn(task: string, now: number): SQL {
  const key = sql`(select 'served:' || chat from tasks where id = ${task})`;
  return insertIf(ifChanged, facts, { key, value: String(now) }, sql`on conflict (key) do update set value = excluded.value`);
}

export function taskQueue({ q, run }: Database): Queue {
  return {
    async ready(now, limit) {
      const rows = await run(
        q.select(taskColumns).from(tasks).innerJoin(lineUp(now, limit), sql`ranked.id = ${tasks.id}`).orderBy(sql`ranked.rank`),
      );
      return rows.map(toTask);
    },

    async overdue(now, limit) {
      const rows = await run(
        q
          .select(taskColumns)
          .from(tasks)
          .where(and(lte(tasks.deadline, now), inArray(tasks.state, sourcesOf("expire"))))
          .orderBy(asc(tasks.deadline))
          .limit(limit),
      );
      return rows.map(toTask);
    },

    async unblocked(needs, limit) {
      const spoilt = sql<string | null>`(select n.id || ' ' || n.state from dependencies as d join tasks as n on n.id = d.needs
        where d.task = "tasks"."id" and n.state in ${broken} order by n.id limit 1)`;
      const waits =
        needs === null
          ? sql`true`
          : sql`"tasks"."id" in (select task from dependencies where needs in (select value from json_each(${JSON.stringify(needs)})))`;
      const rows = await run(
        q
          .select({ ...taskColumns, spoilt })
          .from(tasks)
          .where(sql`state = 'waiting' and ${waits} and (not ${unmet} or ${spoilt} is not null)`)
          .orderBy(asc(tasks.createdAt))
          .limit(limit),
      );
      return rows.map(({ spoilt: by, ...row }) => {
        const [id, state] = by?.split(" ") ?? [];
        return { task: toTask(row), broken: id === undefined ? null : { id, state: state as TaskState } };
      });
    },

    known: (ids) =>
      run(
        q
          .select({ id: tasks.id, state: tasks.state })
          .from(tasks)
          .where(inArray(tasks.id, [...ids])),
      ),

    needs: (id) =>
      run(
        q
          .select({ id: tasks.id, state: tasks.state })
          .from(dependencies)
          .innerJoin(tasks, eq(tasks.id, dependencies.needs))
          .where(eq(dependencies.task, id))
          .orderBy(asc(tasks.id)),
      ),

    async replayOf(id) {
      const [row] = await run(q.select(taskColumns).from(tasks).where(eq(tasks.replayOf, id)));
      return row ? toTask(row) : null;
    },
  };
}
