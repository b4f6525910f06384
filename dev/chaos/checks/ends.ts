/** Every job became one task, every task came to one end, and a result was accepted once. */
import { isTerminal, terminalStates } from "#core/task.ts";
import type { AttemptRow, Evidence, TaskRow } from "../evidence.ts";
import { type Invariant, invariant } from "./invariant.ts";

/** States that a result leads to. */
const byResult = ["succeeded", "failed"];
const most = 3;

export function endsOnce({ jobs, tasks, events, attempts, cancelled, hopeless, lives }: Evidence): Invariant {
  const broken = jobs.flatMap((job) => {
    const its = tasks.filter((task) => task.job === job);
    return its.length === 1 ? [] : [`job ${job} became ${its.length} tasks`];
  });
  for (const task of tasks) {
    const story = events.filter((event) => event.task === task.id);
    const own = attempts.filter((attempt) => attempt.task === task.id);
    broken.push(
      ...wrongEnd(
        task,
        story.map(({ kind }) => kind),
        own,
        cancelled,
      ).map((what) => `task ${task.id} (job ${task.job}) ${what}`),
    );
  }
  /** A factory that was killed three times over the same attempt takes it for what kills it. */
  const isPoison = ({ id, epoch, code, factory }: TaskRow) => {
    const claimedAt = attempts.find((attempt) => attempt.task === id && attempt.epoch === epoch)?.claimedAt ?? Number.POSITIVE_INFINITY;
    const killed = (lives.get(factory ?? "") ?? []).filter(({ how, until }) => how === "killed" && (until ?? 0) > claimedAt);
    return code === "poison" && killed.length >= most;
  };
  const failed = tasks.filter((task) => task.state === "failed" && !hopeless.has(task.job) && !isPoison(task));
  broken.push(...failed.map(({ id, code, reason }) => `task ${id} failed, though nothing was wrong with its job: ${code}, ${reason}`));
  const counts = Object.fromEntries(terminalStates.map((state) => [state, tasks.filter((task) => task.state === state).length]));
  return invariant("one end, one accepted result", tasks.length, broken, { ...counts, attempts: attempts.length });
}

function wrongEnd(task: TaskRow, kinds: readonly string[], attempts: readonly AttemptRow[], cancelled: ReadonlySet<string>): string[] {
  if (!isTerminal(task.state)) return [`has no end: it is ${task.state}, attempt ${task.epoch} (${task.reason})`];
  const ends = kinds.filter((kind) => (terminalStates as readonly string[]).includes(kind));
  const accepted = attempts.filter(({ outcome }) => outcome !== null && byResult.includes(outcome));
  const open = attempts.filter(({ outcome }) => outcome === null);
  const wrong: string[] = [];
  if (task.state === "dead") {
    // Its last attempt's loss is its end, and no result of any was taken.
    if (task.lost < most) wrong.push(`is dead after ${task.lost} lost attempts: ${task.reason}`);
    if (ends.length > 0) wrong.push(`is dead, and its story tells of: ${ends.join(", ")}`);
  } else if (ends.length !== 1 || ends[0] !== task.state) {
    wrong.push(`is ${task.state}, and its story has the ends: ${ends.join(", ") || "none"}`);
  }
  if (byResult.includes(task.state) && (accepted.length !== 1 || accepted[0]?.epoch !== task.epoch)) {
    wrong.push(`took results of attempts ${accepted.map(({ epoch }) => epoch).join(", ") || "none"}; its last attempt is ${task.epoch}`);
  }
  if (task.state === "cancelled" && !cancelled.has(task.id)) wrong.push(`is cancelled, which nobody asked for: ${task.reason}`);
  if (open.length > 0) wrong.push(`is over, and its attempt ${open.map(({ epoch }) => epoch).join(", ")} is not`);
  return wrong;
}
