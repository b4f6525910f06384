/** What every `Llm` must do. Run against the in-process fake and against real adapters over HTTP. */
import { describe, expect, it } from "vitest";
import { UacError } from "#core/errors.ts";
import { tokensOf, usageSchema } from "#core/ledger.ts";
import type { Clock } from "#ports/clock.ts";
import type { Llm, Message, ModelRequest } from "#ports/llm.ts";

/** Time that passes only by sleeping, and then at once. */
export function fakeClock(): Clock & { slept: number[] } {
  let now = Date.UTC(2026, 10, 1);
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    async sleep(ms) {
      slept.push(ms);
      now += ms;
    },
  };
}

export function asking(text: string, more: Partial<ModelRequest> = {}): ModelRequest {
  const messages: Message[] = [{ role: "user", content: [{ type: "text", text }] }];
  return { system: "You help.", messages, tools: [], maxTokens: 1024, ...more };
}

export interface LlmUnderTest {
  /** Answers in words to `asking("Who are you?")`. */
  talks: Llm;
  /** Calls a tool of `toolRequest` at first, and answers in words once it has a result. */
  calls: Llm;
  toolRequest: ModelRequest;
}

/** `make` is called once a test. */
export function llmContract(name: string, make: () => Promise<LlmUnderTest>): void {
  describe(`Llm contract: ${name}`, () => {
    it("names its provider and its model", async () => {
      const { talks } = await make();
      expect(talks.provider).not.toBe("");
      expect(talks.model).not.toBe("");
    });

    it("answers in words, with usage", async () => {
      const { talks } = await make();
      const reply = await talks.complete(asking("Who are you?"));
      expect(reply.stop).toBe("end");
      expect(reply.content).toEqual([{ type: "text", text: expect.stringMatching(/\w/) }]);
      expect(reply.model).toBe(talks.model);
      expect(usageSchema.safeParse(reply.usage).success).toBe(true);
      expect(reply.usageSource).toBe("reported");
      expect(tokensOf(reply.usage)).toBeGreaterThan(0);
    });

    it("calls a tool that was offered, then goes on with its result", async () => {
      const { calls, toolRequest } = await make();
      const reply = await calls.complete(toolRequest);
      expect(reply.stop).toBe("tool_use");
      const call = reply.content.find((block) => block.type === "tool_use");
      if (!call) throw new Error("no tool call");
      expect(toolRequest.tools.map((tool) => tool.name)).toContain(call.name);
      expect(call.id).not.toBe("");
      expect(call.input).toBeTypeOf("object");

      const next = await calls.complete({
        ...toolRequest,
        messages: [
          ...toolRequest.messages,
          { role: "assistant", content: reply.content },
          { role: "user", content: [{ type: "tool_result", id: call.id, content: "All is well.", isError: false }] },
        ],
      });
      expect(next.stop).toBe("end");
    });

    it("rejects as interrupted under an aborted signal", async () => {
      const { talks } = await make();
      const error = await talks.complete(asking("Who are you?", { signal: AbortSignal.abort() })).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UacError);
      expect((error as UacError).code).toBe("interrupted");
    });
  });
}
