/** The life of a task: its states, the one transition table, and what each event does to the counters. Pure. */

export const taskStates = [
  "queued",
  "waiting",
  "held",
  "dispatched",
  "running",
  "awaiting_approval",
  "paused",
  "succeeded",
  "failed",
  "cancelled",
  "expired",
  "dead",
] as const;
export type TaskState = (typeof taskStates)[number];

export const terminalStates = ["succeeded", "failed", "cancelled", "expired", "dead"] as const satisfies TaskState[];

/** Ends after which the owner may have a task done again, as a new one. */
export const replayable: readonly TaskState[] = ["failed", "cancelled", "expired", "dead"];

/** States in which a factory holds the task's lease. */
export const leasedStates = ["running", "awaiting_approval", "paused"] as const satisfies TaskState[];

/** The code of a task that is paused since a budget is used up. */
export const overBudgetCode = "budget";

/** States in which a task takes a place at its factory. */
export const placedStates = ["dispatched", ...leasedStates] as const satisfies TaskState[];

export const taskEvents = [
  "dispatch",
  "wait",
  "hold",
  "release",
  "claim",
  "ask",
  "pause",
  "resume",
  "lose",
  "return",
  "retry",
  "succeed",
  "fail",
  "cancel",
  "expire",
  "bury",
] as const;
export type TaskEvent = (typeof taskEvents)[number];

/**
 * The transition table. `lose`: the factory vanished (before or after its claim). `return`: it gave the task back unharmed,
 * which counts against nobody. `retry`: an attempt failed and another is allowed. All three start a new epoch, so that
 * whatever the old attempt still says is stale; so does `hold` of a running task, which ends its attempt. `bury`: too many
 * attempts. A result may come in from `awaiting_approval` and `paused` too: it was on its way before the factory heard.
 */
export const transitions: Record<TaskState, Partial<Record<TaskEvent, TaskState>>> = {
  queued: { dispatch: "dispatched", wait: "waiting", hold: "held", cancel: "cancelled", expire: "expired" },
  waiting: { release: "queued", cancel: "cancelled", expire: "expired", fail: "failed" },
  held: { release: "queued", cancel: "cancelled", expire: "expired", fail: "failed" },
  dispatched: { claim: "running", lose: "queued", return: "queued", cancel: "cancelled", expire: "expired", bury: "dead" },
  running: {
    ask: "awaiting_approval",
    pause: "paused",
    hold: "held",
    succeed: "succeeded",
    fail: "failed",
    cancel: "cancelled",
    lose: "queued",
    return: "queued",
    retry: "queued",
    bury: "dead",
  },
  awaiting_approval: {
    resume: "running",
    succeed: "succeeded",
    fail: "failed",
    cancel: "cancelled",
    lose: "queued",
    return: "queued",
    retry: "queued",
    bury: "dead",
  },
  paused: {
    resume: "running",
    succeed: "succeeded",
    fail: "failed",
    cancel: "cancelled",
    lose: "queued",
    return: "queued",
    retry: "queued",
    bury: "dead",
  },
  succeeded: {},
  failed: {},
  cancelled: {},
  expired: {},
  dead: {},
};

/** The part of a task that events change. `epoch` counts attempts from 1 and never falls. */
export interface TaskProgress {
  state: TaskState;
  epoch: number;
  lost: number;
  failed: number;
}

/** How often an attempt may be lost or fail before the task is dead. */
export interface AttemptLimits {
  maxLost: number;
  maxFailed: number;
}

export const attemptLimits: AttemptLimits = { maxLost: 3, maxFailed: 3 };

export const newTask: TaskProgress = { state: "queued", epoch: 1, lost: 0, failed: 0 };

export function isTerminal(state: TaskState): boolean {
  return (terminalStates as readonly TaskState[]).includes(state);
}

/** The states from which `event` is legal: the `IN (…)` of every compare-and-set. */
export function sourcesOf(event: TaskEvent): TaskState[] {
  return taskStates.filter((state) => transitions[state][event] !== undefined);
}

/** The task after `event`, or null where the table has no such step. A lost or retried attempt beyond its limit is buried. */
export function advance(task: TaskProgress, event: TaskEvent, limits: AttemptLimits = attemptLimits): TaskProgress | null {
  const next = transitions[task.state][event];
  if (!next) return null;
  if (event === "hold" && task.state === "running") return { ...task, state: next, epoch: task.epoch + 1 };
  if (event === "return") return { ...task, state: next, epoch: task.epoch + 1 };
  if (event !== "lose" && event !== "retry") return { ...task, state: next };

  const lost = task.lost + (event === "lose" ? 1 : 0);
  const failed = task.failed + (event === "retry" ? 1 : 0);
  if (lost >= limits.maxLost || failed >= limits.maxFailed) return { ...task, state: "dead", lost, failed };
  return { state: next, epoch: task.epoch + 1, lost, failed };
}
