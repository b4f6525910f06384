/** However a network cuts or chops a reply, it is the whole message or an error: every prefix of a body, and any way to split it. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { llmFor } from "#adapters/llm/index.ts";
import { UacError } from "#core/errors.ts";
import type { Wire } from "#core/wire-usage.ts";
import type { ModelReply } from "#ports/llm.ts";
import { asking, fakeClock } from "../contracts/llm.contract.ts";
import { called, chatCall, chatUsage, chunk, response, said } from "./llm-openai-wire.ts";
import { type Event, end, frame, plainEndpoint, start, text, tool } from "./llm-wire.ts";

const words = "Grüße, 世界 👋";
const input = { path: "ä.ts", text: "naïve 👋" };
const json = JSON.stringify(input);

const bodies: Readonly<Record<Wire, readonly Event[]>> = {
  anthropic: [start(), ...text(0, words), ...tool(1, { json }), ...end("tool_use")],
  chat: [
    chunk({ role: "assistant", content: words }),
    chatCall({ json: json.slice(0, 9) }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: json.slice(9) } }] }),
    chunk({}, "tool_calls"),
    chatUsage({ prompt_tokens: 10, completion_tokens: 5 }),
  ],
  responses: response([said(words), called({ json })]),
};

/** What comes of a body that arrives in `pieces` and then ends. */
async function outcome(wire: Wire, pieces: readonly Uint8Array[]): Promise<ModelReply | UacError> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  const answer = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
  const llm = llmFor({ ...plainEndpoint, wire }, { clock: fakeClock(), fetch: answer, maxRetries: 0 });
  return llm.complete(asking("Hi")).catch((error: UacError) => error);
}

describe.each(Object.keys(bodies) as Wire[])("a reply over the wire %s", (wire) => {
  const bytes = new TextEncoder().encode(bodies[wire].map((event) => frame(event)).join(""));
  const content = [
    { type: "text", text: words },
    { type: "tool_use", id: "t_0", name: "look", input },
  ].map((block) => (wire === "anthropic" && block.type === "tool_use" ? { ...block, id: "t_1" } : block));

  it("that is cut anywhere is the whole message or none", async () => {
    const wholeAt: number[] = [];
    for (let length = 0; length <= bytes.length; length++) {
      const result = await outcome(wire, [bytes.slice(0, length)]);
      if (result instanceof UacError) {
        expect(result.code).toBe("llm_incomplete");
        continue;
      }
      expect(result).toMatchObject({ content, stop: "tool_use" });
      wholeAt.push(length);
    }
    // Chat Completions' last event is no part of the message: only what it used. Two bytes end an event.
    const usage = wire === "chat" ? frame(bodies.chat.at(-1) as Event).length : 0;
    expect(wholeAt[0]).toBeGreaterThanOrEqual(bytes.length - usage - 2);
    expect(wholeAt.at(-1)).toBe(bytes.length);
  });

  it("that comes in any pieces is the same, with all that it used", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 40 }), async (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((to, i) => bytes.slice(at[i], to));
        expect(await outcome(wire, pieces)).toMatchObject({ content, usage: { uncachedIn: 10, output: 5 }, usageSource: "reported" });
      }),
      { numRuns: 60 },
    );
  });
});
