/** Steps of a task that HQ takes by itself. Each is a compare-and-set on epoch and state; a lost one leaves no trace. */
import { and, eq, inArray, isNull, or, type SQL, sql } from "drizzle-orm";
import { UacError } from "#core/errors.ts";
import { sourcesOf, type TaskEvent, type TaskState, terminalStates, transitions } from "#core/task.ts";
import type { Tasks } from "#ports/tasks.ts";
import { isCurrent } from "./questions.ts";
import { unmet } from "./queue.ts";
import { tasks } from "./schema.ts";
import { always, type Database, hit, ifChanged, insertIf, type Statement, showChange } from "./sql.ts";
import { attemptEnd } from "./task-ends.ts";
import { tell } from "./task-story.ts";

/** Steps with a method of their own: they write more than the state. */
const ownMethod: readonly TaskEvent[] = ["dispatch", "claim", "lose", "return", "retry"];
/** Steps that leave the task with its factory. */
const keepsLease: readonly TaskEvent[] = ["ask", "pause", "resume"];

/** States in which nobody has it. */
const nobodysYet = ["queued", "waiting", "held"] as const satisfies TaskState[];

/** How the attempt ended that a requeued task leaves behind. */
const attemptOutcomes = { lose: "lost", return: "returned" } as const;

type Steps = Pick<Tasks, "create" | "move" | "change" | "requeue">;

export function taskSteps(database: Database): Steps {
  const { q, write } = database;
  const { closeAttempt } = attemptEnd(database);
  return {
    async create({ limits, follow, ...task }, event, now, needs = []) {
      const begun = { state: "queued" as const, epoch: 1, createdAt: now, updatedAt: now };
      const row = { ...task, ...begun, limitsJson: JSON.stringify(limits), followJson: follow && JSON.stringify(follow) };
      const [created] = await write(
        insertIf(always, tasks, { ...row, reason: event.text }, sql`on conflict do nothing`),
        ...tell(task.id, 1, event, now),
        ...(needs.length > 0 ? waitFor(task.id, needs, now) : []),
      );
      return hit(created);
    },

    async move(id, epoch, event, { code, from, ...entry }, now) {
      if (ownMethod.includes(event)) {
        throw new UacError("illegal_transition", `A task can't be moved by "${event}": use the method that is made for it.`);
      }
      const left = keepsLease.includes(event) ? {} : { leaseUntil: null };
      const backAtHq = event === "hold" ? { factory: null, persona: null, orderId: null, step: 0 } : {};
      const [moved] = await write(
        q
          .update(tasks)
          .set({ ...after(event, now), ...left, ...backAtHq, code, reason: entry.text, updatedAt: now })
          .where(and(at(id, epoch, event), from && eq(tasks.state, from))),
        ...tell(id, epoch, entry, now),
        ...(keepsLease.includes(event) ? [] : closeAttempt(id, epoch, { outcome: outcomeOf(event), reason: entry.text }, now)),
      );
      return hit(moved);
    },

    async change(id, epoch, wishes, question, now) {
      const others = Object.entries(wishes).map(([name, value]) => sql`${tasks[name as keyof typeof wishes]} is not ${value}`);
      if (others.length === 0) return false;
      const [changed] = await write(
        q
          .update(tasks)
          .set({ ...wishes, updatedAt: now })
          .where(and(eq(tasks.id, id), eq(tasks.epoch, epoch), inArray(tasks.state, nobodysYet), isCurrent(question), or(...others))),
        showChange(ifChanged),
      );
      return hit(changed);
    },

    async requeue(event, from, to, { code, ...entry }, now) {
      const lost = event === "lose";
      const dead = to.state === "dead";
      if (!dead && (to.state !== "queued" || to.epoch !== from.epoch + 1)) {
        throw new UacError("illegal_transition", `Task ${from.id} can't go from ${from.state} to ${to.state} by being requeued.`);
      }
      // A lease renewed since `from` was read means that the factory is back: then nothing was lost.
      const silent = lost ? sql`lease_until is ${from.leaseUntil}` : undefined;
      const again = { factory: null, persona: null, orderId: null, step: 0 };
      const [requeued] = await write(
        q
          .update(tasks)
          .set({
            ...to,
            ...(dead ? { endedAt: now } : again),
            leaseUntil: null,
            code,
            reason: entry.text,
            updatedAt: now,
          })
          .where(and(at(from.id, from.epoch, event), eq(tasks.state, from.state), isNull(tasks.cancelRequested), silent)),
        ...tell(from.id, from.epoch, entry, now),
        ...closeAttempt(from.id, from.epoch, { outcome: attemptOutcomes[event], reason: entry.text }, now),
      );
      return hit(requeued);
    },
  };

  /** A task that was just created waits, unless all that it needs has succeeded already. */
  function waitFor(id: string, needs: readonly string[], now: number): Statement[] {
    const reason = `waits for ${needs.join(", ")}`;
    return [
      sql`insert into dependencies (task, needs) select distinct ${id}, value from json_each(${JSON.stringify(needs)}) where ${ifChanged}`,
      q
        .update(tasks)
        .set({ ...after("wait", now), code: "waiting", reason })
        .where(and(at(id, 1, "wait"), ifChanged, unmet)),
      ...tell(id, 1, { kind: "waiting", text: reason }, now),
    ];
  }
}

/** How an attempt ended that a plain step ends. */
function outcomeOf(event: TaskEvent): string {
  return transitions.running[event] ?? transitions.dispatched[event] ?? event;
}

/** The `where` of a compare-and-set: this task at this epoch, in a state from which `event` is legal. */
export function at(id: string, epoch: number, event: TaskEvent): SQL {
  return and(eq(tasks.id, id), eq(tasks.epoch, epoch), inArray(tasks.state, sourcesOf(event))) as SQL;
}

/** What `event` sets, by the transition table, whatever legal state it finds. */
export function after(event: TaskEvent, now: number) {
  const cases = sourcesOf(event).map((state) => sql`when ${state} then ${transitions[state][event]}`);
  const state = sql`case state ${sql.join(cases, sql` `)} end`;
  const ends = sourcesOf(event).every((from) => terminal.includes(transitions[from][event]));
  // A held task that ran had an attempt, which ends: what that still says is then stale.
  const epoch = event === "hold" ? sql`epoch + (state = 'running')` : sql`epoch`;
  return ends ? { state, endedAt: now } : { state, epoch };
}

const terminal: readonly (string | undefined)[] = terminalStates;
