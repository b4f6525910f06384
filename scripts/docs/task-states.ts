/** docs/task-states.md, from the one transition table. */
import {
  attemptLimits,
  isTerminal,
  leasedStates,
  sourcesOf,
  type TaskEvent,
  type TaskState,
  taskEvents,
  taskStates,
  transitions,
} from "#core/task.ts";

const meaning: Record<TaskState, string> = {
  queued: "waits in the database for its time, its turn and a factory with a free slot",
  waiting: "waits for other tasks, all of which must succeed first",
  held: "waits for a person, a budget or a factory; its reason says which",
  dispatched: "its order is on the bus, not claimed yet",
  running: "a factory claimed it and holds its lease",
  awaiting_approval: "the owner is asked; the factory holds the lease",
  paused: "stopped for now; the factory holds the lease",
  succeeded: "done, with a receipt of what was measured",
  failed: "the attempt ended without what was asked for, and another would too; or a task that it needed did not succeed",
  cancelled: "the owner called it off",
  expired: "it had not begun by the deadline that the owner set",
  dead: "too many lost or failed attempts; the owner may replay it as a new task",
};

const events: Record<TaskEvent, string> = {
  dispatch: "a factory was chosen and the order is in the outbox",
  wait: "it needs a task that has not succeeded yet; at its creation",
  hold: "something must be decided or become available first",
  release: "what it waited for is there",
  claim: "the factory asked HQ and got the Ops Token",
  ask: "the owner has to approve a step",
  pause: "stop for now",
  resume: "go on",
  lose: "the factory vanished, before or after its claim: a new epoch, or dead",
  return: "the factory gave it back unharmed: a new epoch, and counted against nobody",
  retry: "the attempt failed for a reason of the hour: a new epoch after a wait, or dead",
  succeed: "a result with its receipt was accepted",
  fail: "it ended without success",
  cancel: "the owner called it off",
  expire: "its deadline passed before it had begun",
  bury: "no further attempt makes sense",
};

/** The whole page, ending in a newline. */
export function renderTaskStates(): string {
  const steps = (state: TaskState) => Object.entries(transitions[state]) as [TaskEvent, TaskState][];
  return [
    "# Task states",
    "",
    "Written by `npm run docs` from the transition table in `shared/core/task.ts`; a test compares.",
    "",
    "| state | means | next |",
    "|---|---|---|",
    ...taskStates.map((state) => `| \`${state}\` | ${meaning[state]} | ${nextOf(state)} |`),
    "",
    `A factory holds the lease in ${list(leasedStates)}. ${sentence(list(taskStates.filter(isTerminal)))} are final.`,
    "",
    "| event | means | from |",
    "|---|---|---|",
    ...taskEvents.map((event) => `| \`${event}\` | ${events[event]} | ${list(sourcesOf(event))} |`),
    "",
    "`lose`, `return` and `retry` start a new epoch, so that whatever the old attempt still says is stale. Lost and failed attempts are counted apart:",
    `after ${attemptLimits.maxLost} lost or ${attemptLimits.maxFailed} failed attempts the task is \`dead\`.`,
    "",
    "```mermaid",
    "stateDiagram-v2",
    "  [*] --> queued",
    ...taskStates.flatMap((state) => steps(state).map(([event, next]) => `  ${state} --> ${next}: ${event}`)),
    ...taskStates.filter(isTerminal).map((state) => `  ${state} --> [*]`),
    "```",
    "",
  ].join("\n");

  function nextOf(state: TaskState) {
    if (isTerminal(state)) return "–";
    return steps(state)
      .map(([event, next]) => `${next} (${event})`)
      .join(", ");
  }
}

function list(states: readonly TaskState[]) {
  return states.map((state) => `\`${state}\``).join(", ");
}

function sentence(text: string) {
  return text.replace(/, ([^,]+)$/, " and $1");
}
