/** When an agent's run is over before its work is, and why. */
import type { Budget } from "#core/budget.ts";
import { type ErrorCode, hasCode, publicMessage, UacError } from "#core/errors.ts";
import type { LlmFailure } from "#ports/llm.ts";
import type { OverBudget } from "#ports/metering.ts";
import type { Entry } from "#ports/transcript.ts";
import type { AgentRun, End } from "./agent-run.ts";
import { circleIn } from "./stuck.ts";

/** Replies in a row that are no legal call (unknown tool, bad input, no call at all) before the run ends. */
const maxFormatErrors = 3;

export const paused = { kind: "paused" } as const;

export function stopped(code: string, reason: string, budget?: Budget): End {
  return { kind: "stopped", code, reason, ...(budget && { budget }) };
}

/** What a failed model call means for the run. Anything but a failure of the model is thrown on. */
export function modelFailure(run: AgentRun, error: unknown): End {
  if (run.signal.aborted) return stopped("interrupted", abortReason(run.signal));
  if (isOverBudget(error)) return stopped(limitOf(error.budget), publicMessage(error), error.budget);
  const code = error instanceof UacError ? modelFailures[error.code] : undefined;
  if (!code) throw error;
  return stopped(code, `the model could not be used: ${publicMessage(error)}`);
}

const modelFailures: Partial<Record<ErrorCode, string>> = {
  llm_unreachable: "model_unreachable",
  llm_refused: "model_refused",
  llm_incomplete: "model_garbage",
  limit_reached: "model_unreachable",
};

export function isOverBudget(error: unknown): error is OverBudget {
  return hasCode(error, "over_budget") && "budget" in error;
}

/** The request was longer than the model's window. */
export function isOverflow(error: unknown): boolean {
  return hasCode(error, "llm_refused") && (error as LlmFailure).overflow === true;
}

/** The word for a run that ended at this budget. */
export function limitOf({ unit }: Pick<Budget, "unit">): "cost_limit" | "token_limit" {
  return unit === "usd" ? "cost_limit" : "token_limit";
}

/** To be asked before each call of the model. Null: it may be made. */
export function overLimit(run: AgentRun, entries: readonly Entry[]): End | null {
  const { limits } = run;
  const total = run.spent();
  const ended = run.endedBy?.();
  if (run.signal.aborted) return stopped("interrupted", abortReason(run.signal));
  if (ended) return stopped(ended.code, ended.reason);
  if (stepsOf(entries) >= limits.steps) return stopped("step_limit", `it used all of its ${limits.steps} steps`);
  // What stands still at a budget may be let further than its limits: its meter says where it ends.
  if (!run.atCap && total.cost >= limits.usd) return stopped("cost_limit", "it used up its budget");
  if (!run.atCap && total.tokens >= limits.tokens) return stopped("token_limit", `it used all of its ${limits.tokens} tokens`);
  if (run.clock.now() >= run.deadline()) return stopped("time_limit", "its time was up");
  const circle = circleIn(entries).end;
  if (circle) return stopped("stuck", circle);
  if (formatErrors(entries) >= maxFormatErrors) {
    return stopped("format_errors", `the model's replies were unusable ${maxFormatErrors} times in a row`);
  }
  return null;
}

export function stepsOf(entries: readonly Entry[]): number {
  return entries.filter((entry) => entry.type === "assistant").length;
}

/** How many replies at the end were errors of form: nothing but refused calls, or no call at all. */
function formatErrors(entries: readonly Entry[]): number {
  let count = 0;
  for (const entry of entries.toReversed()) {
    if (entry.type === "result" && !entry.refused) break;
    if (entry.type === "assistant") count += 1;
  }
  return count;
}

function abortReason(signal: AbortSignal) {
  return signal.reason instanceof Error ? publicMessage(signal.reason) : String(signal.reason ?? "it was stopped");
}
