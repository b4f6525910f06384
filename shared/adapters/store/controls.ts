/** What factories are told to do: the step of the task and the word to its factory are one batch, so neither is without the other. */
import { and, eq, inArray, isNull, type SQL, sql } from "drizzle-orm";
import { type Control, controlSchema, instructionWith, type NewControl, type NewTaskControl } from "#core/control.ts";
import { leaseMs } from "#core/fleet.ts";
import { leasedStates, overBudgetCode } from "#core/task.ts";
import type { Controls } from "#ports/store.ts";
import type { Task } from "#ports/tasks.ts";
import { parseJson } from "./json.ts";
import { controls, facts, tasks } from "./schema.ts";
import { comma, type Database, ifChanged, insertIf, type Statement } from "./sql.ts";
import { after, at } from "./task-steps.ts";
import { tell } from "./task-story.ts";

const c = controls;
/** An attempt in any other state has ended, or has not begun. */
const open = comma(["dispatched", ...leasedStates].map((state) => sql`${state}`));

export function controlsOf({ q, write }: Database): Controls {
  /** The step of the task, unless the id is known. */
  function step(task: Task, control: NewTaskControl, reason: string, now: number): Statement {
    const fresh = sql`not exists (select 1 from ${c} where id = ${control.id})`;
    const here = and(eq(tasks.id, task.id), eq(tasks.epoch, task.epoch), fresh) as SQL;
    switch (control.do) {
      case "cancel":
        return q
          .update(tasks)
          .set({ cancelRequested: control.reason, updatedAt: now })
          .where(and(here, inArray(tasks.state, [...leasedStates]), isNull(tasks.cancelRequested)));
      case "pause":
        return q
          .update(tasks)
          .set({ ...after("pause", now), code: "paused", reason, updatedAt: now })
          .where(and(here, at(task.id, task.epoch, "pause")));
      case "resume":
        // Its factory may have been away for long: it gets one whole lease to be heard of.
        return q
          .update(tasks)
          .set({ ...after("resume", now), code: "running", reason, leaseUntil: now + leaseMs, updatedAt: now })
          .where(and(here, eq(tasks.state, "paused")));
      case "raise":
      case "finish":
        // Only what stands still at a budget: one that the owner paused goes on by the owner's word.
        return q
          .update(tasks)
          .set({ ...after("resume", now), code: "running", reason, leaseUntil: now + leaseMs, updatedAt: now })
          .where(and(here, eq(tasks.state, "paused"), eq(tasks.code, overBudgetCode)));
      case "approve":
        return q
          .update(tasks)
          .set({ ...after("resume", now), code: "running", reason, leaseUntil: now + leaseMs, updatedAt: now })
          .where(and(here, eq(tasks.state, "awaiting_approval")));
      case "steer":
        return q
          .update(tasks)
          .set({ instruction: instructionWith(task.instruction, control.text) ?? task.instruction, updatedAt: now })
          .where(and(here, eq(tasks.state, task.state), eq(tasks.instruction, task.instruction)));
    }
  }

  /** The control with the next number of its factory's, if the statement before it changed a row. */
  function record(factory: string, control: NewControl, condition: SQL, now: number, obeyedAt: number | null): [SQL, SQL] {
    const key = `ctl:${factory}`;
    const seq = sql`(select cast(value as integer) from ${facts} where key = ${key})`;
    return [
      insertIf(condition, facts, { key, value: "1" }, sql`on conflict (key) do update set value = value + 1`),
      insertIf(ifChanged, c, {
        id: control.id,
        factory,
        task: "task" in control ? control.task : null,
        epoch: "task" in control ? control.epoch : null,
        controlJson: sql`json_set(${JSON.stringify(control)}, '$.seq', ${seq})`,
        createdAt: now,
        obeyedAt,
      }),
    ];
  }

  const byId = (id: string) => q.select({ control_json: c.controlJson }).from(c).where(eq(c.id, id));

  return {
    async direct(task, control, entry, now) {
      // Nobody is to be told where nobody has it: the order that will be made of it says it.
      const [to, obeyedAt] = task.factory === null ? ["hq", now] : [task.factory, null];
      const results = await write(
        step(task, control, entry.text, now),
        ...record(to, control, ifChanged, now, obeyedAt),
        ...tell(task.id, task.epoch, entry, now),
        byId(control.id),
      );
      return read(results.at(-1)?.rows[0]);
    },

    async add(factory, control, now) {
      const unknown = sql`not exists (select 1 from ${c} where id = ${control.id})`;
      const results = await write(...record(factory, control, unknown, now, null), byId(control.id));
      const added = read(results.at(-1)?.rows[0]);
      if (!added) throw new Error(`control ${control.id} vanished`);
      return added;
    },

    async exchange(factory, obeyed, limit, now) {
      const mine = and(eq(c.factory, factory), isNull(c.obeyedAt)) as SQL;
      const said = sql`${c.id} in (select value from json_each(${JSON.stringify(obeyed)}))`;
      const over = sql`${c.task} is not null and not exists (select 1 from ${tasks}
        where "tasks"."id" = "controls"."task" and "tasks"."epoch" = "controls"."epoch" and "tasks"."state" in (${open}))`;
      const [, left] = await write(
        q
          .update(c)
          .set({ obeyedAt: now })
          .where(and(mine, sql`(${said} or ${over})`)),
        q.select({ control_json: c.controlJson }).from(c).where(mine).orderBy(sql`rowid`).limit(limit),
      );
      return left.rows.flatMap((row) => read(row as never) ?? []);
    },
  };
}

function read(row: Record<string, unknown> | undefined): Control | null {
  return row ? parseJson(controlSchema, String(row.control_json), "control_json") : null;
}
