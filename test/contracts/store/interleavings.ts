/**
 * Random steps, several at a time from the same reading of the task: as when a cron tick, a heartbeat, a result and the owner
 * meet. A trigger writes down every change of state that really happened.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { advance, attemptLimits, isTerminal, type TaskEvent, type TaskState, taskEvents, transitions } from "#core/task.ts";
import type { Task } from "#ports/tasks.ts";
import type { Bench } from "../store.contract.ts";
import { delegated, entry, newTask, result, settle, theTask } from "./samples.ts";

interface Move {
  event: TaskEvent;
  factory: "desk" | "den";
  /** Relative to the epoch that was read. */
  stale: number;
}

const move: fc.Arbitrary<Move> = fc.record({
  event: fc.constantFrom(...taskEvents),
  factory: fc.constantFrom("desk", "den"),
  stale: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(-1, 1) }),
});
/** What happens to a task that is not ended at once, more often than chance would have it. */
const likely: fc.Arbitrary<Move> = fc.record({
  event: fc.constantFrom("dispatch", "claim", "lose", "hold", "release", "pause", "resume"),
  factory: fc.constantFrom("desk", "den"),
  stale: fc.constant(0),
});
const rounds = fc.array(
  fc.array(fc.oneof({ weight: 4, arbitrary: likely }, { weight: 1, arbitrary: move }), { minLength: 1, maxLength: 4 }),
  {
    minLength: 4,
    maxLength: 14,
  },
);

export function interleavingCases(bench: Bench): void {
  it("never leave the table, never lower the epoch, and tell every step once", async () => {
    await bench.sql("create table steps_seen (old text, new text, old_epoch integer, new_epoch integer)");
    await bench.sql(`create trigger _watch after update of state, epoch on tasks when old.state <> new.state or old.epoch <> new.epoch
      begin insert into steps_seen values (old.state, new.state, old.epoch, new.epoch); end`);
    const seen = new Set<string>();
    try {
      await fc.assert(
        fc.asyncProperty(rounds, async (all) => {
          await bench.clear();
          await bench.sql("delete from steps_seen");
          await bench.store.tasks.create(newTask, delegated, 1);
          let now = 10;
          let won = 0;
          for (const moves of all) {
            const from = await theTask(bench);
            now += 10;
            const answers = await Promise.all(moves.map((each) => apply(bench, from, each, now)));
            won += answers.filter(Boolean).length;
          }
          const steps = await bench.sql("select * from steps_seen");
          for (const step of steps) {
            checkStep(step as unknown as Step);
            seen.add(`${step.old} ${step.new}`);
          }
          expect(steps, "a step for every call that won").toHaveLength(won);
          const stories = await bench.sql("select count(*) as n from task_events where kind <> 'delegated'");
          expect(stories[0]?.n, "a lost compare-and-set tells nothing").toBe(won);
          await checkRest(bench);
        }),
        { numRuns: 25 },
      );
    } finally {
      await bench.sql("drop trigger _watch");
      await bench.sql("drop table steps_seen");
    }
    expect(seen.size, "the walk saw much of the table").toBeGreaterThan(8);
  });
}

/** True if the store said that the task took the step. */
async function apply({ store }: Bench, from: Task, { event, factory, stale }: Move, now: number): Promise<boolean> {
  const epoch = from.epoch + stale;
  const said = { kind: event, text: event, code: event };
  switch (event) {
    case "dispatch":
      return store.tasks.dispatch(
        "task_1",
        epoch,
        { factory, places: 1, reason: "free", order: "sealed", orderId: `order_${epoch}_${factory}`, instruction: from.instruction },
        now,
      );
    case "claim":
      return (
        (await store.tasks.claim("task_1", epoch, { factory, order: `order_${epoch}_${factory}`, leaseUntil: now + 100 }, now)) ===
        "claimed"
      );
    case "lose":
    case "return": {
      const to = advance(from, event);
      return to !== null && store.tasks.requeue(event, { ...from, epoch }, { ...to, epoch: to.epoch + stale }, said, now);
    }
    case "retry": {
      const to = advance(from, event);
      if (to === null) return false;
      const seen = { ...from, epoch, factory };
      const again = to.state === "dead" ? to : { ...to, epoch: to.epoch + stale };
      return store.tasks.retry(seen, again, result({ epoch, outcome: "failed" }), { notBefore: now, text: "again" }, now);
    }
    case "succeed":
    case "fail":
    case "cancel": {
      const told = result({ epoch, usages: [entry({ id: `usage_${now}_${factory}` })] });
      return (await settle({ store }, event, factory, told, now)) === "accepted";
    }
    default:
      return store.tasks.move("task_1", epoch, event, said, now);
  }
}

interface Step {
  old: TaskState;
  new: TaskState;
  old_epoch: number;
  new_epoch: number;
}

function checkStep(step: Step) {
  const how = `${step.old}/${step.old_epoch} → ${step.new}/${step.new_epoch}`;
  const legal = taskEvents.some((event) => {
    const buried = (event === "lose" || event === "retry") && step.new === "dead" && transitions[step.old][event] !== undefined;
    return buried || transitions[step.old][event] === step.new;
  });
  expect(legal, how).toBe(true);
  const attemptOver =
    (step.new === "queued" && step.old !== "held" && step.old !== "waiting") || (step.old === "running" && step.new === "held");
  expect(step.new_epoch - step.old_epoch, how).toBe(attemptOver ? 1 : 0);
}

async function checkRest(bench: Bench) {
  const task = await theTask(bench);
  const leased = task.state === "running" || task.state === "awaiting_approval" || task.state === "paused";
  expect(task.leaseUntil !== null, `a lease in ${task.state}`).toBe(leased || task.state === "dispatched");
  expect(task.endedAt !== null, `an end in ${task.state}`).toBe(isTerminal(task.state));
  expect(task.lost <= attemptLimits.maxLost && task.failed <= attemptLimits.maxFailed).toBe(true);
  if (leased || task.state === "dispatched") expect(task.factory).not.toBeNull();
  if (task.state === "queued" || task.state === "held") expect(task.factory).toBeNull();

  const open = await bench.sql("select epoch from attempts where ended_at is null");
  expect(open, `open attempts in ${task.state}`).toEqual(leased || task.state === "dispatched" ? [{ epoch: task.epoch }] : []);
  const orders = await bench.store.outbox.due(1e9, 10);
  expect(orders.length, `orders to send in ${task.state}`).toBe(task.state === "dispatched" ? 1 : 0);
}
