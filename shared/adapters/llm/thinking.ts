/** How a provider is told how much to think. None of it is sent where a request does not say. */
import type { Thinking } from "#ports/llm.ts";

/**
 * `adaptive`: Anthropic's current models, on or off and an effort. `budget`: tokens, as Anthropic had it before and its imitators have.
 * `switch`: on or off, without a measure. `effort`: Chat Completions' word for it. `reasoning`: the same as Responses and OpenRouter say it.
 */
export type ThinkingStyle = "adaptive" | "budget" | "switch" | "effort" | "reasoning";

/** The least budget that the wire allows, tokens. */
const leastBudget = 1024;

/** Fields of a request's body. `alwaysThinks`: being told not to is refused, so nothing is said. */
export function thinkingFields(
  style: ThinkingStyle | undefined,
  level: Thinking | undefined,
  { maxTokens, alwaysThinks = false }: { maxTokens: number; alwaysThinks?: boolean },
): Record<string, unknown> {
  if (style === undefined || level === undefined || (level === "off" && alwaysThinks)) return {};
  const off = { thinking: { type: "disabled" } };
  switch (style) {
    case "adaptive":
      return level === "off" ? off : { thinking: { type: "adaptive" }, output_config: { effort: level } };
    case "budget": {
      // The budget is part of the reply's tokens and has to leave room for an answer.
      const budget_tokens = Math.floor(maxTokens * (level === "low" ? 0.25 : 0.75));
      if (level === "off") return off;
      return budget_tokens < leastBudget ? {} : { thinking: { type: "enabled", budget_tokens } };
    }
    case "switch":
      return level === "off" ? off : { thinking: { type: "enabled" } };
    case "effort":
      return { reasoning_effort: effort(level) };
    case "reasoning":
      return { reasoning: { effort: effort(level) } };
  }
}

function effort(level: Thinking): string {
  return level === "off" ? "none" : level;
}
