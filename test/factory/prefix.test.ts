/** What was sent once is sent the same again, byte for byte and over every wire: only so does a provider's cache know it. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { toMessages as toAnthropic } from "#adapters/llm/anthropic-request.ts";
import { toChat } from "#adapters/llm/chat-request.ts";
import type { Place } from "#adapters/llm/place.ts";
import { waysOf } from "#adapters/llm/presets.ts";
import { toResponses } from "#adapters/llm/responses-request.ts";
import { noUsage } from "#core/ledger.ts";
import { defaultLimits } from "#core/limits.ts";
import { type Wire, wires } from "#core/wire-usage.ts";
import { finishTool } from "#factory/finish.ts";
import type { Block, Llm, ModelReply, ModelRequest } from "#ports/llm.ts";
import type { Tool } from "#ports/tool.ts";
import type { Entry } from "#ports/transcript.ts";
import { agentBench, memoryTranscript, spyTool } from "./agent.ts";

const build = { anthropic: toAnthropic, chat: toChat, responses: toResponses };
const marks = /,?"cache_control":\{"type":"ephemeral"\}/g;

/** What of a request goes before the messages, and the messages, without marks for the cache. */
function onTheWire(request: ModelRequest, provider: string, wire: Wire): { head: string; messages: string } {
  const place: Place = { provider, wire, model: "m", ...waysOf(provider) };
  const { messages, input, ...head } = build[wire](request, place) as unknown as Record<string, unknown>;
  const bytes = (value: unknown) => JSON.stringify(value).replaceAll(marks, "");
  // Its brackets are closed again later, after what is new.
  return { head: bytes(head), messages: bytes(messages ?? input).replace(/[\]}]+$/, "") };
}

type Step = { blocks: Block[]; output: number; steer: boolean };

const anyBlock: fc.Arbitrary<Block> = fc.oneof(
  fc.string({ maxLength: 20 }).map((text): Block => ({ type: "text", text })),
  fc
    .tuple(fc.constantFrom("anthropic", "zai", "deepseek"), fc.constantFrom(...wires), fc.string({ maxLength: 9 }))
    .map(([provider, wire, text]): Block => {
      const raw = {
        anthropic: { type: "thinking", thinking: text, signature: "s" },
        chat: { on: "message", fields: { reasoning_content: text } },
      };
      return {
        type: "opaque",
        provider,
        wire,
        raw: wire === "responses" ? { on: "item", item: { type: "reasoning", id: text } } : raw[wire],
      };
    }),
  fc
    .tuple(fc.constantFrom("look", "fly", "once"), fc.integer())
    .map(([name, n]): Block => ({ type: "tool_use", id: `id_${n}`, name, input: { n } })),
);
const anyStep: fc.Arbitrary<Step> = fc.record({
  blocks: fc.array(anyBlock, { maxLength: 4 }),
  output: fc.integer({ min: 0, max: 9000 }),
  steer: fc.boolean(),
});

it("begins like the request before, whatever the model says and does, but for where room was made", async () => {
  let compared = 0;
  let shortened = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStep, { minLength: 2, maxLength: 25 }),
      fc.constantFrom("anthropic", "zai", "deepseek"),
      async (steps, provider) => {
        const transcript = memoryTranscript();
        const compactions = () => transcript.entries.filter(({ type }) => type === "compaction").length;
        const sent: { request: ModelRequest; compactions: number }[] = [];
        const replies = () => transcript.entries.filter(({ type }) => type === "assistant").length;
        const llm: Llm = {
          ...{ provider, model: "m", window: 8000 },
          async complete(request): Promise<ModelReply> {
            const usage = { ...noUsage, uncachedIn: Math.ceil(JSON.stringify(request.messages).length / 4), output: 10 };
            const told = { usage, usageSource: "reported", provider, model: "m" } as const;
            if (request.tools.length === 0) return { ...told, content: [{ type: "text", text: "In short." }], stop: "end" };
            const { signal: _, ...kept } = request;
            sent.push({ request: structuredClone(kept) as ModelRequest, compactions: compactions() });
            const done: Block = { type: "tool_use", id: "end", name: "finish", input: { status: "done", summary: "Done." } };
            return { ...told, content: steps[replies()]?.blocks ?? [done], stop: "tool_use" };
          },
        };
        const answer = () => "x".repeat(steps[replies() - 1]?.output ?? 0);
        const tools = [finishTool as Tool, spyTool("look", { answer }).tool, spyTool("once", { answer, repeatable: false }).tool];
        const between = async (entries: readonly Entry[]): Promise<Entry[]> => {
          const control = `control_${replies()}`;
          const isSaid = entries.some((entry) => entry.type === "user" && entry.control === control);
          return steps[replies()]?.steer && !isSaid ? [{ type: "user", text: "Mind the gap.", control }] : [];
        };
        await agentBench([], { llm, tools, transcript, between, limits: { ...defaultLimits, tokens: 1e9, usd: 1e12 } }).start();

        for (const wire of wires) {
          const requests = sent.map((one) => ({ ...one, ...onTheWire(one.request, provider, wire) }));
          for (const [i, next] of requests.slice(1).entries()) {
            const before = requests[i];
            expect(next.head).toBe(before?.head);
            if (before?.compactions !== next.compactions) shortened += 1;
            else expect(next.messages.startsWith(before.messages)).toBe(true);
            compared += 1;
          }
        }
      },
    ),
    { numRuns: 150 },
  );
  expect(compared).toBeGreaterThan(1000);
  expect(shortened).toBeGreaterThan(10);
});

it("has its four marks for the cache on the system prompt, the last tool and the last two messages of the user's", async () => {
  const bench = agentBench((_, call) => ({ tools: [{ name: "look", input: { n: call } }] }), {
    tools: [finishTool as Tool, spyTool("look").tool],
    limits: { ...defaultLimits, steps: 6 },
  });
  await bench.start();
  const place: Place = { provider: "anthropic", wire: "anthropic", model: "m", ...waysOf("anthropic") };
  for (const request of bench.llm.requests) {
    const { system, tools, messages } = toAnthropic(request, place);
    const isMarked = (part: unknown) => JSON.stringify(part).includes("cache_control");
    expect([system, tools?.at(-1)].map(isMarked)).toEqual([true, true]);
    expect(tools?.slice(0, -1).some(isMarked)).toBe(false);
    const users = messages.filter(({ role }) => role === "user");
    expect(messages.filter(isMarked)).toEqual(users.slice(-2));
  }
});
