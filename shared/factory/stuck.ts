/** Is an agent going round in circles? It is told so once, and ended if that does not help. */
import type { Entry } from "#ports/transcript.ts";
import { toolUses } from "./shown.ts";

export interface Circle {
  /** Why the run is over; null while it is not. */
  end: string | null;
  /** What the agent is to be told before its next reply. */
  hint: string | null;
}

interface Step {
  /** Empty: nothing was called. */
  calls: string;
  /** Asked for only where calls are alike: outputs may be long. */
  results(): string;
  failed: boolean;
}

interface Pattern {
  /** How many of the last steps make it. */
  length(steps: readonly Step[]): number;
  /** So many are worth a word; null: it is told by other means. */
  soft: number | null;
  /** So many end the run. */
  hard: number;
  /** "it …" */
  does(steps: number): string;
  instead: string;
}

const patterns: readonly Pattern[] = [
  {
    length: (steps) => streak(steps, (step, last) => step.calls !== "" && isSame(step, last)),
    soft: 3,
    hard: 5,
    does: (steps) => `made the same call ${steps} times in a row without getting further`,
    instead: "Its result will not change. Look at something else, or change something first.",
  },
  {
    length: (steps) => streak(steps, (step, last) => step.failed && step.calls === last.calls),
    soft: 3,
    hard: 5,
    does: (steps) => `made the same failing call ${steps} times in a row`,
    instead: "Read what the error says, and do it another way.",
  },
  {
    length: alternation,
    soft: 6,
    hard: 10,
    does: (steps) => `went back and forth between the same two calls for ${steps} steps`,
    instead: "Neither result will change. Do something else.",
  },
  {
    length: (steps) => streak(steps, (step) => step.calls === ""),
    soft: null,
    hard: 3,
    does: (steps) => `talked ${steps} times in a row without calling a tool`,
    instead: "",
  },
];

/** How long something took differs from run to run, and is no news: `0.6 s`, `254.7ms`, `duration_ms 12.5`. */
const durations = /\bduration_ms [\d.]+|\b\d+(\.\d+)? ?m?s\b/g;

/** To be asked when the last reply's calls have their results. What was done before the owner last said something does not count. */
export function circleIn(entries: readonly Entry[]): Circle {
  const steps = lastSteps(entries);
  for (const { length, soft, hard, does, instead } of patterns) {
    const found = length(steps);
    if (found >= hard) return { end: `it ${does(found)}`, hint: null };
    if (found === soft) return { end: null, hint: unlessSaid(entries, `You ${does(found)}. ${instead} If you can't go on, call finish.`) };
  }
  return { end: null, hint: null };
}

/** A run that was killed after it was told is not told again. */
function unlessSaid(entries: readonly Entry[], hint: string): string | null {
  const at = entries.findLastIndex((entry) => entry.type === "assistant");
  return entries.slice(at + 1).some((entry) => entry.type === "user" && entry.text === hint) ? null : hint;
}

function lastSteps(entries: readonly Entry[]): Step[] {
  const most = Math.max(...patterns.map(({ hard }) => hard));
  const since = entries.slice(entries.findLastIndex((entry) => entry.type === "user" && entry.control !== undefined) + 1);
  const replies = since.flatMap((entry, index) => (entry.type === "assistant" ? [{ content: entry.content, index }] : []));
  return replies.slice(-most).map(({ content, index }) => {
    const uses = toolUses(content);
    const results = uses.map((use) => resultOf(use.id, since.slice(index + 1)));
    const calls = uses.map(({ name, input }) => JSON.stringify([name, input])).join();
    const told = () => JSON.stringify(results.map((result) => result?.content.replaceAll(durations, "")));
    return { calls, results: told, failed: uses.length > 0 && results.every((result) => result?.isError) };
  });
}

function resultOf(id: string, rest: readonly Entry[]) {
  const result = rest.find((entry) => entry.type === "result" && entry.toolUseId === id);
  return result?.type === "result" ? result : undefined;
}

function isSame(a: Step, b: Step): boolean {
  return a === b || (a.calls === b.calls && a.results() === b.results());
}

/** Steps at the end that are all as `like` says, compared with the last. */
function streak(steps: readonly Step[], like: (step: Step, last: Step) => boolean): number {
  const last = steps.at(-1);
  return last ? steps.length - 1 - steps.findLastIndex((step) => !like(step, last)) : 0;
}

/** Steps at the end of the form A, B, A, B, …; 0 where the last two are alike. */
function alternation(steps: readonly Step[]): number {
  const [before, last] = steps.slice(-2);
  if (!before || !last || isSame(before, last) || before.calls === "" || last.calls === "") return 0;
  return steps.length - 1 - steps.findLastIndex((step, i) => !isSame(step, (steps.length - 1 - i) % 2 === 0 ? last : before));
}
