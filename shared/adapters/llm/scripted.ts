/** A model that says what it is told to: the deterministic fake of the port, for tests. */
import { hasCode, UacError } from "#core/errors.ts";
import { noUsage, type Usage } from "#core/ledger.ts";
import type { Block, Llm, ModelReply, ModelRequest } from "#ports/llm.ts";
import type { Metering } from "#ports/metering.ts";

/** A text, tool calls, both, or an error to reject with. Ids of tool calls count up when none are given. */
export type ScriptedReply =
  | string
  | Error
  | {
      text?: string;
      tools?: readonly { name: string; input: unknown; id?: string }[];
      stop?: ModelReply["stop"];
      usage?: Partial<Usage>;
      usageSource?: ModelReply["usageSource"];
    };

/** Replies in order, or a function of the request and the number of the call, from 0. */
export type Script = readonly ScriptedReply[] | ((request: ModelRequest, call: number) => ScriptedReply | Promise<ScriptedReply>);

export interface ScriptedLlm extends Llm {
  /** Every request so far, oldest first, as it was at the time. */
  readonly requests: ModelRequest[];
}

/** Rejects with `internal` when a list has no reply left: a test that runs on is a failed test. */
export function scriptedLlm(script: Script, name: { provider?: string; model?: string } = {}): ScriptedLlm {
  const provider = name.provider ?? "scripted";
  const model = name.model ?? "scripted-1";
  const requests: ModelRequest[] = [];

  return {
    provider,
    model,
    requests,
    async complete(request) {
      if (request.signal?.aborted) throw new UacError("interrupted", "The model call was cancelled.");
      const call = requests.length;
      const { signal: _, ...kept } = request;
      requests.push(structuredClone(kept) as ModelRequest);
      const reply = typeof script === "function" ? await script(request, call) : script[call];
      if (reply === undefined) throw new UacError("internal", `The script has no reply ${call + 1}; it has ${script.length}.`);
      if (reply instanceof Error) throw reply;
      return toReply(typeof reply === "string" ? { text: reply } : reply, call, { provider, model });
    },
  };
}

function toReply(reply: Exclude<ScriptedReply, string | Error>, call: number, who: Pick<ModelReply, "provider" | "model">): ModelReply {
  const { text, tools = [] } = reply;
  const content: Block[] = [
    ...(text ? [{ type: "text" as const, text }] : []),
    ...tools.map(({ name, input, id }, i) => ({ type: "tool_use" as const, id: id ?? `call_${call}_${i}`, name, input })),
  ];
  return {
    content,
    stop: reply.stop ?? (tools.length > 0 ? "tool_use" : "end"),
    usage: { ...noUsage, uncachedIn: 100, output: 10, ...reply.usage },
    usageSource: reply.usageSource ?? "reported",
    ...who,
  };
}

/** `llm` under the meter, one call a try; for tests, since no provider is asked. `plan` is what each call reserves. */
export function meteredLlm(llm: Llm, metering: Metering, plan = { inputTokens: 1, maxOutput: 1 }): Llm {
  const { provider, model } = llm;
  return {
    ...llm,
    async complete(request) {
      const call = { provider, wire: "anthropic", model, try: 1, step: request.step ?? null, engine: "uac", billing: "metered" } as const;
      const open = await metering.open({ ...call, ...plan }, request.signal);
      const ids = { requestId: null, messageId: null };
      try {
        const reply = await llm.complete(request);
        await open.settle({ ...ids, usage: reply.usage, source: reply.usageSource, model: reply.model, outcome: "ok" });
        return reply;
      } catch (error) {
        const outcome = hasCode(error, "interrupted") ? "interrupted" : "failed";
        await open.settle({ ...ids, usage: noUsage, source: "missing", model, outcome });
        throw error;
      }
    },
  };
}
