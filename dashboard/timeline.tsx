/** Where a task's time went: intake, queue, delivery and run apart, then every line of its story. */
import { isTerminal } from "#core/task.ts";
import { Clock } from "./figures.tsx";
import type { Attempt, StoryLine, TaskRecord } from "./panels/task.query.ts";
import { measured, plain } from "./text.ts";

export interface Phase {
  kind: "intake" | "queue" | "delivery" | "run";
  /** The attempt it belongs to; 0 before the first. */
  epoch: number;
  from: number;
  to: number;
}

const phaseWords: Readonly<Record<Phase["kind"], string>> = {
  intake: "read and delegated",
  queue: "queued or held",
  delivery: "on the bus",
  run: "worked on",
};

/** Consecutive phases from the owner's message to the end, or to `now` if it goes on. */
export function phasesOf(task: TaskRecord, attempts: readonly Attempt[], now: number): Phase[] {
  const end = task.endedAt ?? now;
  const phases: Phase[] = [{ kind: "intake", epoch: 0, from: task.receivedAt, to: task.createdAt }];
  let at = task.createdAt;
  for (const attempt of attempts) {
    const { epoch, dispatchedAt, claimedAt } = attempt;
    const over = attempt.endedAt ?? end;
    phases.push({ kind: "queue", epoch, from: at, to: dispatchedAt });
    phases.push({ kind: "delivery", epoch, from: dispatchedAt, to: claimedAt ?? over });
    if (claimedAt !== null) phases.push({ kind: "run", epoch, from: claimedAt, to: over });
    at = over;
  }
  if (at < end && !(isTerminal(task.state) && attempts.length > 0)) phases.push({ kind: "queue", epoch: 0, from: at, to: end });
  return phases.filter((phase) => phase.to > phase.from);
}

export function Timeline({ task, attempts, events, now }: { task: TaskRecord; attempts: Attempt[]; events: StoryLine[]; now: number }) {
  const phases = phasesOf(task, attempts, now);
  const total = phases.reduce((sum, phase) => sum + phase.to - phase.from, 0);
  return (
    <section aria-labelledby="timeline">
      <h2 id="timeline">Timeline</h2>
      <Bar phases={phases} total={total} />
      <table class="phases">
        <caption class="hidden">How long each part took</caption>
        <tbody>
          {phases.map((phase) => (
            <tr>
              <th scope="row">
                <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
                  <rect width="10" height="10" rx="2" class={phase.kind} />
                </svg>
                {phaseWords[phase.kind]}
                {attempts.length > 1 && phase.epoch > 0 && <span class="aside"> attempt {phase.epoch}</span>}
              </th>
              <td>{measured(phase.to - phase.from)}</td>
            </tr>
          ))}
          <tr class="total">
            <th scope="row">{isTerminal(task.state) ? "from message to end" : "so far"}</th>
            <td>{measured(total)}</td>
          </tr>
        </tbody>
      </table>
      <Story events={events} start={task.receivedAt} />
    </section>
  );
}

const barWidth = 1000;
/** So that a phase of milliseconds is still seen beside one of minutes. */
const leastWidth = 6;

function Bar({ phases, total }: { phases: Phase[]; total: number }) {
  const spare = barWidth - phases.length * leastWidth;
  let x = 0;
  return (
    <svg class="bar" viewBox={`0 0 ${barWidth} 12`} preserveAspectRatio="none" aria-hidden="true">
      {phases.map((phase) => {
        const width = leastWidth + (spare * (phase.to - phase.from)) / Math.max(1, total);
        x += width;
        return <rect x={(x - width).toFixed(1)} width={Math.max(1, width - 2).toFixed(1)} height="12" class={phase.kind} />;
      })}
    </svg>
  );
}

/**
 * Milliseconds since the line before. A factory's lines reach headquarters together, so between two of them its own clock
 * counts; clocks of two machines are never compared.
 */
export function hop(event: StoryLine, before: StoryLine | undefined, start: number): number {
  if (!before) return event.at - start;
  const sameClock = event.factory === before.factory && event.originAt !== null && before.originAt !== null;
  return sameClock ? (event.originAt ?? 0) - (before.originAt ?? 0) : event.at - before.at;
}

function Story({ events, start }: { events: StoryLine[]; start: number }) {
  return (
    <ol class="story">
      {events.map((event, i) => (
        <li id={`e-${event.id}`}>
          <Clock at={event.at} />
          <span class="hop">+{measured(hop(event, events[i - 1], start))}</span>
          <div>
            <strong>{plain(event.kind)}</strong> {plain(event.text)}
            {event.factory !== null && (
              <span class="aside"> {[event.persona, event.factory].filter((part) => part !== null && part !== "").join(" @ ")}</span>
            )}
          </div>
        </li>
      ))}
    </ol>
  );
}
