import type { Tasks } from "#ports/tasks.ts";
import { taskQueue } from "./queue.ts";
import type { Database } from "./sql.ts";
import { taskAttempts } from "./task-attempts.ts";
import { taskLeases } from "./task-leases.ts";
import { taskReading } from "./task-rows.ts";
import { taskSteps } from "./task-steps.ts";
import { taskStory } from "./task-story.ts";

export function tasksOf(database: Database): Tasks {
  return {
    ...taskReading(database),
    ...taskLeases(database),
    ...taskQueue(database),
    ...taskSteps(database),
    ...taskAttempts(database),
    ...taskStory(database),
  };
}
