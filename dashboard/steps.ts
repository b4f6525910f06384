/** What each step of a task did, as its story tells, and in a sentence or more why the task cost what it cost. */
import { showCost, showNanos, type Total, tokensOf } from "#core/ledger.ts";
import type { CostParts } from "#core/prices.ts";
import type { StoryLine } from "./panels/task.query.ts";
import type { Step, TaskCost } from "./panels/task-cost.query.ts";
import { digits, many, percent, plain } from "./text.ts";

export interface ToldStep extends Step {
  /** What it called, or said; null where the story does not tell. */
  did: string | null;
  /** How often in a row the same was called, this step included. */
  times: number;
}

/** A line of a step comes after its reply, and before the next one's, on one clock: that of the factory. */
export function told(steps: readonly Step[], events: readonly StoryLine[]): ToldStep[] {
  const lines = events.filter((event) => event.kind === "step" && event.originAt !== null);
  const all: ToldStep[] = [];
  for (const [i, step] of steps.entries()) {
    const next = steps[i + 1];
    const until = next?.epoch === step.epoch ? next.endedAt : Number.POSITIVE_INFINITY;
    const line = lines.find(
      ({ epoch, originAt }) => epoch === step.epoch && originAt !== null && originAt >= step.endedAt && originAt < until,
    );
    const before = all.at(-1);
    const same = before?.epoch === step.epoch && before.did !== null && before.did === line?.text;
    all.push({ ...step, did: line?.text ?? null, times: same ? before.times + 1 : 1 });
  }
  return all;
}

/** `7`, or `2.7` in a later attempt. */
export function stepName({ epoch, step }: Pick<Step, "epoch" | "step">): string {
  return epoch > 1 ? `${epoch}.${step}` : String(step);
}

/** The biggest step first, then what was paid for twice. */
export function reasons({ dearest, again, attempts }: TaskCost, steps: readonly ToldStep[], total: Total): string[] {
  const share = (cost: number) => (cost > 0 ? ` (${percent(cost, total.cost)})` : "");
  return [
    dearest ? dearestStep(dearest, steps, total) : `No call has a price; together they used ${digits(tokensOf(total.usage))} tokens.`,
    ...(again.calls > 0
      ? [`${many(again.calls, "call")} repeated a step that had one already: ${showCost(again)}${share(again.cost)}.`]
      : []),
    ...longestLoop(steps).map(
      ({ steps: loop, cost }) =>
        `${loop.length} steps in a row (${stepName(loop[0] as ToldStep)} to ${stepName(loop.at(-1) as ToldStep)}) did the same, for ${showNanos(cost)}${share(cost)}.`,
    ),
    ...(attempts.length > 1
      ? [`Attempts: ${attempts.map((one) => `${one.epoch} cost ${showCost(one)}${share(one.cost)}`).join(", ")}.`]
      : []),
  ];
}

function dearestStep(dearest: Step, steps: readonly ToldStep[], total: Total): string {
  const did = steps.find(({ epoch, step }) => epoch === dearest.epoch && step === dearest.step)?.did ?? null;
  const who = [...dearest.personas, ...dearest.models].map(plain).join(", ");
  const tries = dearest.calls > 1 ? ` in ${many(dearest.calls, "call")}` : "";
  // At a price of nothing no step is the dearest.
  if (total.cost === 0) return `Its calls cost nothing at list price; together they used ${digits(tokensOf(total.usage))} tokens.`;
  const most = mostOf(dearest.parts);
  return `Step ${stepName(dearest)} cost most: ${showCost(dearest)}${tries}, ${percent(dearest.cost, total.cost)} of the task${most} (${who}${did === null ? "" : `: ${short(plain(did))}`}).`;
}

const partNames: Readonly<Record<keyof CostParts, string>> = {
  input: "input that was in no cache",
  cacheRead: "input read from the cache",
  cacheWrite: "writing the cache",
  output: "output",
};

function mostOf(parts: CostParts | null): string {
  if (!parts) return "";
  const [dearest, ...others] = (Object.entries(parts) as [keyof CostParts, number][]).toSorted((a, b) => b[1] - a[1]);
  if (!dearest || dearest[1] === 0) return "";
  const isMost = dearest[1] > others.reduce((sum, [, cost]) => sum + cost, 0);
  return `, ${isMost ? "most" : "the largest part"} of it ${partNames[dearest[0]]}`;
}

/** The longest run of steps that did the same; none where every step did something else than the one before. */
function longestLoop(steps: readonly ToldStep[]): { steps: ToldStep[]; cost: number }[] {
  const end = steps.reduce((best, step, i) => (step.times > (steps[best]?.times ?? 1) ? i : best), -1);
  const times = steps[end]?.times ?? 1;
  if (times === 1) return [];
  const loop = steps.slice(end + 1 - times, end + 1);
  return [{ steps: loop, cost: loop.reduce((sum, step) => sum + step.cost, 0) }];
}

const longest = 80;
function short(text: string): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
