/**
 * One agent at work: model call, tools, model call, … until it ends, always with a reason. Each model reply and each
 * tool result is stored before it is acted on, so a killed run goes on from its transcript and repeats nothing.
 */
import { hasCode } from "#core/errors.ts";
import type { ModelReply } from "#ports/llm.ts";
import type { Entry } from "#ports/transcript.ts";
import { actOnReply } from "./act.ts";
import type { AgentEnd, AgentRun, End, Progress } from "./agent-run.ts";
import { makeRoom } from "./compact.ts";
import { isOverBudget, isOverflow, modelFailure, overLimit, paused, stepsOf } from "./run-ends.ts";
import { describe, toMessages, toolSpecs, withOwnIds } from "./shown.ts";
import { circleIn } from "./stuck.ts";

const maxTokensPerReply = 8192;
/** Others' calls held the budget for as long as a call waits: asked again after so long, until the run's own time is up. */
const othersMs = 5000;

/** Runs to its end. Rejects only if the transcript, the ledger or what a tool writes to is out of reach: then it goes on from its transcript. */
export async function runAgent(run: AgentRun): Promise<AgentEnd> {
  const entries = await run.transcript.load();
  const progress: Progress = {
    entries,
    async append(entry) {
      await run.transcript.append(entries.length, entry);
      entries.push(entry);
    },
  };
  const tools = toolSpecs(run.tools);
  /** The provider found the next request too long. */
  let overflowed = false;
  if (entries.length === 0) await progress.append({ type: "user", text: run.prompt });

  for (;;) {
    const steps = stepsOf(entries);
    const acted = await actOnReply(run, progress);
    const heard = await hear(run, progress, acted);
    const end = (heard ? null : acted) ?? overLimit(run, entries);
    if (end) return { ...end, steps };
    const { hint } = circleIn(entries);
    if (hint) await progress.append({ type: "user", text: hint });
    if (run.mayGoOn?.() === false) return { ...paused, steps };

    const request = {
      system: run.system,
      messages: [...run.preface, ...toMessages(entries)],
      tools,
      maxTokens: maxTokensPerReply,
      step: steps + 1,
      signal: run.signal,
    };
    let reply: ModelReply;
    try {
      const room = await makeRoom(run, progress, { request, overflowed });
      overflowed = false;
      if (room === "made") continue;
      if (room !== "enough") return { ...room, steps };
      reply = await run.llm.complete(request);
    } catch (error) {
      if (isOverflow(error) && !run.signal.aborted) {
        overflowed = true;
        continue;
      }
      if (run.atCap && isOverBudget(error) && !run.signal.aborted) {
        await run.atCap(error);
        continue;
      }
      if (run.atCap && hasCode(error, "limit_reached") && !run.signal.aborted) {
        await run.clock.sleep(othersMs, run.signal);
        continue;
      }
      return { ...modelFailure(run, error), steps };
    }
    const content = withOwnIds(reply.content, entries);
    await progress.append({ type: "assistant", content, stop: reply.stop, ...used(reply) });
    run.onStep?.(steps + 1, describe(content));
  }
}

/** True if something was said that the model has not heard. A run that can't go on, or goes on another time, hears nothing more. */
async function hear(run: AgentRun, { entries, append }: Progress, acted: End | null): Promise<boolean> {
  if (!run.between || acted?.kind === "stopped" || acted?.kind === "paused") return false;
  const heard = await run.between(entries);
  for (const entry of heard) await append(entry);
  return heard.length > 0;
}

function used({ usage, usageSource, model }: ModelReply): Pick<Extract<Entry, { type: "assistant" }>, "used"> {
  const input = usage.uncachedIn + usage.cacheRead + usage.write5m + usage.write1h;
  return usageSource === "reported" ? { used: { input, output: usage.output, model } } : {};
}
