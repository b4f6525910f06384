import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  advance,
  attemptLimits,
  isTerminal,
  leasedStates,
  newTask,
  sourcesOf,
  type TaskEvent,
  type TaskProgress,
  type TaskState,
  taskEvents,
  taskStates,
  terminalStates,
} from "#core/task.ts";

/** The design's table, written down a second time, by event instead of by state. `from > to`. */
const design: Record<TaskEvent, string> = {
  dispatch: "queued > dispatched",
  wait: "queued > waiting",
  hold: "queued running > held",
  release: "waiting held > queued",
  claim: "dispatched > running",
  ask: "running > awaiting_approval",
  pause: "running > paused",
  resume: "awaiting_approval paused > running",
  lose: "dispatched running awaiting_approval paused > queued",
  return: "dispatched running awaiting_approval paused > queued",
  retry: "running awaiting_approval paused > queued",
  succeed: "running awaiting_approval paused > succeeded",
  fail: "waiting held running awaiting_approval paused > failed",
  cancel: "queued waiting held dispatched running awaiting_approval paused > cancelled",
  expire: "queued waiting held dispatched > expired",
  bury: "dispatched running awaiting_approval paused > dead",
};

function designed(state: TaskState, event: TaskEvent): TaskState | null {
  const [from = "", to = ""] = design[event].split(" > ");
  return from.split(" ").includes(state) ? (to as TaskState) : null;
}

/** Events that end an attempt, so that the next one has a new epoch. */
const endsAttempt = (state: TaskState, event: TaskEvent) =>
  event === "lose" || event === "return" || event === "retry" || (event === "hold" && state === "running");

const every = taskStates.flatMap((state) => taskEvents.map((event) => ({ state, event })));
const fresh = (state: TaskState): TaskProgress => ({ state, epoch: 7, lost: 0, failed: 0 });

describe("the transition table", () => {
  it("has every state and event of the design", () => {
    expect(every).toHaveLength(12 * 16);
    expect(Object.keys(design).toSorted()).toEqual([...taskEvents].toSorted());
  });

  it.each(every)("$state, $event", ({ state, event }) => {
    const to = designed(state, event);
    expect(advance(fresh(state), event)).toEqual(
      to && {
        state: to,
        epoch: endsAttempt(state, event) ? 8 : 7,
        lost: event === "lose" ? 1 : 0,
        failed: event === "retry" ? 1 : 0,
      },
    );
    expect(sourcesOf(event).includes(state)).toBe(to !== null);
  });

  it("ends in five states, which nothing leaves", () => {
    expect([...terminalStates].toSorted()).toEqual(["cancelled", "dead", "expired", "failed", "succeeded"]);
    for (const state of taskStates) {
      expect(isTerminal(state)).toBe(taskEvents.every((event) => designed(state, event) === null));
    }
  });

  it("lets a factory lose every lease that it can hold, and the owner cancel whatever is not over", () => {
    expect(sourcesOf("lose").toSorted()).toEqual(["dispatched", ...leasedStates].toSorted());
    expect(sourcesOf("cancel").toSorted()).toEqual(taskStates.filter((state) => !isTerminal(state)).toSorted());
  });

  it("leads from every state to an end", () => {
    for (const start of taskStates) {
      const reached = new Set<TaskState>([start]);
      for (const state of reached) for (const event of taskEvents) reached.add(designed(state, event) ?? state);
      expect([...reached].some(isTerminal), start).toBe(true);
    }
  });
});

describe("lost and failed attempts", () => {
  const leased = ["running", "awaiting_approval", "paused"] as const;

  it.each([
    ["lose", "lost", attemptLimits.maxLost],
    ["retry", "failed", attemptLimits.maxFailed],
  ] as const)("%s: dead exactly at the limit, in the epoch of the last attempt", (event, counter, limit) => {
    for (const state of leased) {
      for (let before = 0; before < limit + 2; before += 1) {
        const task: TaskProgress = { state, epoch: 5, lost: 0, failed: 0, [counter]: before };
        const dead = before + 1 >= limit;
        expect(advance(task, event)).toEqual({ ...task, [counter]: before + 1, state: dead ? "dead" : "queued", epoch: dead ? 5 : 6 });
      }
    }
  });

  it("are counted apart", () => {
    expect(advance({ state: "running", epoch: 3, lost: 2, failed: 0 }, "retry")).toEqual({ state: "queued", epoch: 4, lost: 2, failed: 1 });
    expect(advance({ state: "running", epoch: 3, lost: 0, failed: 1 }, "lose")).toEqual({ state: "queued", epoch: 4, lost: 1, failed: 1 });
  });

  it("an order lost before its claim is lost too", () => {
    expect(advance({ state: "dispatched", epoch: 1, lost: 0, failed: 0 }, "lose")).toEqual({
      state: "queued",
      epoch: 2,
      lost: 1,
      failed: 0,
    });
  });

  it("giving a task back counts as neither", () => {
    const task: TaskProgress = { state: "running", epoch: 3, lost: 2, failed: 2 };
    expect(advance(task, "return")).toEqual({ ...task, state: "queued", epoch: 4 });
  });

  it("with limits of one, the first is the last", () => {
    expect(advance({ ...newTask, state: "running" }, "lose", { maxLost: 1, maxFailed: 9 })?.state).toBe("dead");
    expect(advance({ ...newTask, state: "running" }, "retry", { maxLost: 9, maxFailed: 1 })?.state).toBe("dead");
  });
});

describe("any sequence of events", () => {
  const events = fc.array(fc.constantFrom(...taskEvents), { maxLength: 60 });
  /** Drives a task; an illegal event leaves it where it was, as a refused compare-and-set does. */
  const drive = (sequence: readonly TaskEvent[]) => {
    const path = [newTask];
    for (const event of sequence) {
      const task = path.at(-1) ?? newTask;
      path.push(advance(task, event) ?? task);
    }
    return path;
  };

  it("never lowers a counter, raises the epoch by at most one, and keeps an end", () =>
    fc.assert(
      fc.property(events, (sequence) => {
        const path = drive(sequence);
        for (const [i, task] of path.slice(1).entries()) {
          const before = path[i] ?? newTask;
          expect(task.epoch - before.epoch).toBeOneOf([0, 1]);
          expect(task.lost - before.lost).toBeOneOf([0, 1]);
          expect(task.failed - before.failed).toBeOneOf([0, 1]);
          if (isTerminal(before.state)) expect(task).toEqual(before);
        }
      }),
    ));

  it("never runs two attempts in one epoch", () =>
    fc.assert(
      fc.property(events, (sequence) => {
        let task = newTask;
        const claimed = new Set<number>();
        for (const event of sequence) {
          const next = advance(task, event);
          if (next && event === "claim") {
            expect(claimed.has(next.epoch)).toBe(false);
            claimed.add(next.epoch);
          }
          task = next ?? task;
        }
      }),
    ));

  it("is dead as soon as a counter is at its limit, and has not passed it", () =>
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), (sequence, maxLost, maxFailed) => {
        let task = newTask;
        for (const event of sequence) task = advance(task, event, { maxLost, maxFailed }) ?? task;
        expect(task.lost).toBeLessThanOrEqual(maxLost);
        expect(task.failed).toBeLessThanOrEqual(maxFailed);
        if (task.lost === maxLost || task.failed === maxFailed) expect(task.state).toBe("dead");
      }),
    ));

  it("does not change what it was given", () =>
    fc.assert(
      fc.property(fc.constantFrom(...taskStates), fc.constantFrom(...taskEvents), (state, event) => {
        const task = Object.freeze(fresh(state));
        advance(task, event);
        expect(task).toEqual(fresh(state));
      }),
    ));
});
