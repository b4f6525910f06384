/** The story of a task: what happened, in HQ's words and in the factory's. */
import { and, desc, eq, type SQL, sql } from "drizzle-orm";
import type { Progress } from "#core/envelope.ts";
import type { StoredTaskEvent, TaskEventEntry, Tasks } from "#ports/tasks.ts";
import { attempts, taskEvents, tasks } from "./schema.ts";
import { type Database, ifChanged, insertIf, type Statement, showChange } from "./sql.ts";

/** The end of a long story is what is shown. */
const shown = 1000;

/** Progress of these kinds is told by the one who does the work. */
const working: readonly Progress["kind"][] = ["started", "step"];

export function taskStory({ q, run, write }: Database): Pick<Tasks, "note" | "progress" | "events"> {
  return {
    async note(id, epoch, entry, now) {
      const known = sql`exists (select 1 from ${tasks} where id = ${id})`;
      await write(insertIf(known, taskEvents, { task: id, epoch, at: now, ...entry }), showChange(ifChanged));
    },

    async progress(factory, told, now) {
      const lines = told.map(({ task, epoch, seq, at, kind, persona, text }): Statement[] => {
        // The story is written by those who had the attempt, late ones included.
        const had = sql`exists (select 1 from ${attempts} where task = ${task} and epoch = ${epoch} and factory = ${factory})`;
        const event = { task, epoch, seq, at: now, originAt: at, kind, text, factory, persona };
        const works = working.includes(kind) ? worker(persona, task, epoch) : [];
        return [insertIf(had, taskEvents, event, sql`on conflict do nothing`), showChange(ifChanged), ...works];
      });
      await write(...lines.flat());
    },

    async events(id) {
      const { at, originAt, epoch, kind, text, factory, persona } = taskEvents;
      const rows: StoredTaskEvent[] = await run(
        q
          .select({ at, originAt, epoch, kind, text, factory, persona })
          .from(taskEvents)
          .where(eq(taskEvents.task, id))
          .orderBy(desc(taskEvents.id))
          .limit(shown),
      );
      return rows.reverse();
    },
  };

  function worker(persona: string, task: string, epoch: number) {
    return [
      q
        .update(tasks)
        .set({ persona })
        .where(and(eq(tasks.id, task), eq(tasks.epoch, epoch), ifChanged)),
    ];
  }
}

/** Statements that tell what the compare-and-set before them did. */
export function tell(id: string, epoch: number | SQL, entry: TaskEventEntry, now: number): [Statement, Statement] {
  return [insertIf(ifChanged, taskEvents, { task: id, epoch, at: now, ...entry }), showChange(ifChanged)];
}
