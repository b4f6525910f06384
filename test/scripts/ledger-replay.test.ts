/** Recordings as providers send them, priced: nothing twice, nothing for nothing, and what can't be read is said. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pricedProviders, pricesOf } from "#adapters/prices/index.ts";
import { noUsage } from "#core/ledger.ts";
import { type ReplayDeps, replay, replayJson, replayText } from "../../scripts/ledger/replay.ts";

const deps: ReplayDeps = {
  priceOf: pricesOf(),
  knows: (provider) => pricedProviders.includes(provider),
  provider: null,
  now: Date.parse("2026-11-26T12:00:00Z"),
};
const played = (lines: readonly (object | string)[], changed: Partial<ReplayDeps> = {}) =>
  replay(
    lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))),
    { ...deps, ...changed },
  );
const model = "claude-opus-5-5";
/** What a call of it costs: $4, $0.20, $5, $8, $20 for a million. */
const opus = (input: number, read: number, w5: number, w1: number, output: number) =>
  input * 4000 + read * 200 + w5 * 5000 + w1 * 8000 + output * 20_000;

const start = (id: string, usage: object, more: object = {}) => ({
  type: "message_start",
  message: { id, type: "message", role: "assistant", model, content: [], stop_reason: null, usage },
  ...more,
});
const words = (text: string, more: object = {}) => ({
  type: "content_block_delta",
  index: 0,
  delta: { type: "text_delta", text },
  ...more,
});
const delta = (usage: object, stop_reason: string | null = "end_turn", more: object = {}) => ({
  ...{ type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage, ...more },
});
const stop = { type: "message_stop" };
const message = (id: string, usage: object | null, more: object = {}) => ({
  ...{
    id,
    type: "message",
    role: "assistant",
    model,
    stop_reason: "end_turn",
    content: [{ type: "text", text: "Hello there." }],
    usage,
    ...more,
  },
});
const completion = (id: string, usage: object | null, more: object = {}) => ({
  ...{ id, object: "chat.completion", created: 1_790_000_000, model: "gpt-5.5-2026-04-23", usage },
  ...{ choices: [{ index: 0, message: { role: "assistant", content: "Hello there." }, finish_reason: "stop" }], ...more },
});
const chunk = (id: string, choice: object | null, more: object = {}) => ({
  ...{
    id,
    object: "chat.completion.chunk",
    created: 1_790_000_000,
    model: "kimi-k3",
    choices: choice ? [{ index: 0, ...choice }] : [],
    ...more,
  },
});

describe("Anthropic's shapes", () => {
  it("a stream is one call: what its parts say adds up to nothing, the last word counts", async () => {
    const { total, problems, rows } = await played([
      start("msg_1", { input_tokens: 25, cache_read_input_tokens: 1000, cache_creation_input_tokens: 300, output_tokens: 1 }),
      { type: "ping" },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      words("Hello"),
      delta({ output_tokens: 10 }, null),
      words(" there."),
      delta({ input_tokens: 25, cache_read_input_tokens: 1000, cache_creation_input_tokens: 300, output_tokens: 15 }),
      { type: "content_block_stop", index: 0 },
      stop,
    ]);
    expect(problems).toEqual([]);
    expect(total).toEqual({
      ...{ calls: 1, unpriced: 0, cost: opus(25, 1000, 300, 0, 15) },
      usage: { ...noUsage, uncachedIn: 25, cacheRead: 1000, write5m: 300, output: 15 },
    });
    expect(rows).toMatchObject([{ provider: "anthropic", model, estimated: 0, interrupted: 0, assumed: 1 }]);
  });

  it("a message that is told again, whole or as a stream, is one call", async () => {
    const usage = {
      input_tokens: 100,
      output_tokens: 40,
      cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
    };
    const asKept = (output_tokens: number) => ({
      ...{
        type: "assistant",
        requestId: "req_1",
        timestamp: "2026-11-26T07:00:00Z",
        message: message("msg_1", { ...usage, output_tokens }),
      },
    });
    const { total } = await played([asKept(1), asKept(25), asKept(40), message("msg_1", usage), start("msg_1", usage), delta(usage), stop]);
    expect(total).toMatchObject({ calls: 1, cost: opus(100, 0, 10, 20, 40) });
  });

  it("counts that come late or null take nothing back", async () => {
    const { total } = await played(
      [
        start("msg_1", { input_tokens: 0, output_tokens: 0 }, { model: "glm-5.3" }),
        delta({ input_tokens: 1000, cache_read_input_tokens: 500, output_tokens: 20 }),
        delta({ input_tokens: null, output_tokens: 30 }),
        stop,
      ],
      { provider: "zai" },
    );
    expect(total).toMatchObject({ calls: 1, cost: 1000 * 1400 + 500 * 260 + 30 * 4400 });
  });

  it("two streams at once are told apart by their call", async () => {
    const [a, b] = [{ call: "a" }, { call: "b" }];
    const { total } = await played([
      start("msg_a", { input_tokens: 1, output_tokens: 1 }, a),
      start("msg_b", { input_tokens: 2, output_tokens: 1 }, b),
      words("x", a),
      delta({ output_tokens: 100 }, "end_turn", a),
      delta({ output_tokens: 200 }, "end_turn", b),
      { ...stop, ...a },
      { ...stop, ...b },
    ]);
    expect(total).toMatchObject({ calls: 2, cost: opus(3, 0, 0, 0, 300) });
  });
});

describe("OpenAI's shapes", () => {
  const inclusive = { prompt_tokens: 1000, completion_tokens: 50, prompt_tokens_details: { cached_tokens: 800 } };
  const gpt = 200 * 5000 + 800 * 500 + 50 * 30_000;

  it("what the cache held is inside of the prompt and counted once; reasoning is inside of the answer", async () => {
    const usage = { ...inclusive, completion_tokens_details: { reasoning_tokens: 30 } };
    const { total } = await played([completion("chatcmpl-1", usage), completion("chatcmpl-1", usage)]);
    expect(total).toEqual({
      calls: 1,
      unpriced: 0,
      cost: gpt,
      usage: { ...noUsage, uncachedIn: 200, cacheRead: 800, output: 50, reasoning: 30 },
    });
  });

  it("the last chunk's usage, without choices or a model, belongs to its stream", async () => {
    const { total, rows } = await played([
      chunk("c1", { delta: { content: "Hel" } }, { usage: null }),
      chunk("c2", { delta: { content: "Bye" } }),
      chunk("c1", { delta: { content: "lo" }, finish_reason: "stop" }),
      { id: "c1", object: "chat.completion.chunk", choices: [], usage: { prompt_tokens: 10, completion_tokens: 2, cached_tokens: 4 } },
      // Kimi's place for it.
      chunk("c2", { delta: {}, finish_reason: "stop", usage: { prompt_tokens: 7, completion_tokens: 1 } }),
    ]);
    expect(total).toMatchObject({ calls: 2, cost: (6 + 7) * 3000 + 4 * 300 + 3 * 15_000 });
    expect(rows).toMatchObject([{ provider: "kimi", model: "kimi-k3", estimated: 0, interrupted: 0 }]);
  });

  it("a response is one call, however often its events repeat it", async () => {
    const usage = { input_tokens: 1000, input_tokens_details: { cached_tokens: 800 }, output_tokens: 50, total_tokens: 1050 };
    const response = (status: string, used: object | null) => ({
      id: "resp_1",
      object: "response",
      status,
      model: "gpt-5.5",
      output: [],
      usage: used,
    });
    const { total, rows } = await played([
      { type: "response.created", response: response("in_progress", null) },
      { type: "response.in_progress", response: response("in_progress", null) },
      { type: "response.output_text.delta", item_id: "m", output_index: 0, content_index: 0, delta: "Hello" },
      { type: "response.output_text.done", text: "Hello" },
      { type: "response.completed", response: response("completed", usage) },
      response("completed", usage),
    ]);
    expect(total).toMatchObject({ calls: 1, cost: gpt });
    expect(rows).toMatchObject([{ estimated: 0, interrupted: 0 }]);
  });

  it("OpenRouter's own word for who served it is not taken for a provider", async () => {
    const { rows } = await played([completion("gen-1", inclusive, { provider: "DeepInfra", model: "z-ai/glm-4.7" })]);
    expect(rows).toMatchObject([{ provider: "openrouter", model: "z-ai/glm-4.7", total: { cost: 200 * 400 + 800 * 80 + 50 * 1750 } }]);
  });
});

it("takes a usage alone, and what is said beside a body: provider, model, wire, time", async () => {
  const of = (id: string) => message(id, { input_tokens: 100, output_tokens: 0 }, { content: [] });
  const { rows, problems } = await played([
    { provider: "openai", model: "gpt-5.5", usage: { input_tokens: 100, output_tokens: 10 } },
    { provider: "zai", model: "glm-4.6", wire: "chat", usage: { prompt_tokens: 100, completion_tokens: 10 } },
    { provider: "deepseek", model: "deepseek-v4-pro", at: "2026-11-26T02:00:00Z", body: of("m1") },
    { provider: "deepseek", model: "deepseek-v4-pro", at: Date.parse("2026-11-26T05:00:00Z"), body: of("m2") },
  ]);
  expect(problems).toEqual([]);
  expect(rows.map(({ provider, total }) => [provider, total.cost])).toEqual([
    ["openai", 100 * 5000 + 10 * 30_000],
    ["deepseek", 100 * 1320 + 100 * 660],
    ["zai", 100 * 600 + 10 * 2200],
  ]);
});

describe("what was cut is never nothing", () => {
  it.each<[string, object[], number]>([
    [
      "a stream before its last word",
      [start("m", { input_tokens: 100, output_tokens: 1 }), words("x".repeat(300))],
      opus(100, 0, 0, 0, 100),
    ],
    [
      "one that had told more than was recorded",
      [start("m", { input_tokens: 100, output_tokens: 1 }), delta({ output_tokens: 50 }, null)],
      opus(100, 0, 0, 0, 50),
    ],
    [
      "one that an error ended",
      [start("m", { input_tokens: 100, output_tokens: 0 }), { type: "error", error: { type: "overloaded_error" } }],
      opus(100, 0, 0, 0, 1),
    ],
    [
      "one that had told nothing, of a known request",
      [start("m", {}, { request: { messages: "y".repeat(284) } }), words("abc")],
      opus(100, 0, 0, 0, 1),
    ],
    [
      "a tool's input",
      [
        start("m", { input_tokens: 1 }),
        { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: "ü".repeat(30) } },
      ],
      opus(1, 0, 0, 0, 20),
    ],
  ])("%s", async (_, lines, cost) => {
    const result = await played(lines);
    expect(result.total).toMatchObject({ calls: 1, cost });
    expect(result.rows).toMatchObject([{ interrupted: 1, estimated: 1 }]);
    expect(replayText(result)).toMatch(/1 of 1 calls interrupted: output estimated/);
  });

  it("whose input nobody recorded is a floor, and the total incomplete", async () => {
    const result = await played([chunk("c1", { delta: { content: "x".repeat(30) } })]);
    expect(result.total).toMatchObject({ calls: 1, cost: 10 * 15_000, usage: { output: 10 } });
    expect(result.rows).toMatchObject([{ interrupted: 1, inputUnknown: 1 }]);
    expect(replayJson(result)).toMatchObject({ complete: false });
    expect(replayText(result)).toContain("the price is a floor");
  });

  it("nor is a whole answer without a usage", async () => {
    const result = await played([message("m1", null), completion("c1", null, { model: "gpt-5.5" })]);
    expect(result.total).toMatchObject({ calls: 2, usage: { output: 8 } });
    expect(result.rows.map(({ estimated, interrupted }) => [estimated, interrupted])).toEqual([
      [1, 0],
      [1, 0],
    ]);
  });
});

describe("a model that no list knows", () => {
  it("is unpriced, never $0, and the total says so", async () => {
    const result = await played([
      message("m1", { input_tokens: 1, output_tokens: 1 }, { model: "claude-opus-9" }),
      message("m2", { input_tokens: 1, output_tokens: 0 }, { content: [] }),
    ]);
    expect(result.total).toMatchObject({ calls: 2, unpriced: 1, cost: 4000 });
    expect(replayText(result)).toMatch(/claude-opus-9 .* unpriced/);
    expect(replayText(result)).toMatch(/total +incomplete .*≥ <\$0\.0001 \(1 call unpriced\)/);
    expect(replayJson(result)).toMatchObject({ complete: false, models: [{ total: { usd: "0.000004" } }, { total: { usd: null } }] });
  });

  it("nor is a provider that none knows anybody else's", async () => {
    const { total } = await played([{ provider: "acme", ...message("m1", { input_tokens: 1, output_tokens: 1 }) }]);
    expect(total).toMatchObject({ calls: 1, unpriced: 1 });
  });

  it("is priced by the name that answered, where the one asked for is an alias", async () => {
    const { rows } = await played([
      { provider: "openai", model: "ours", body: completion("c1", { prompt_tokens: 10, completion_tokens: 0 }, { choices: [] }) },
    ]);
    expect(rows).toMatchObject([{ model: "gpt-5.5-2026-04-23", total: { cost: 50_000, unpriced: 0 } }]);
  });
});

describe("a line that can't be read", () => {
  const good = message("m1", { input_tokens: 10, output_tokens: 1 });
  it.each<[string, object | string, RegExp]>([
    ["no JSON", '{"type":', /^line 2 is not JSON: \{"type":: .*; write one whole JSON object on each line$/],
    ["a list", "[1]", /^line 2 is not an object: /],
    ["a number", "3", /^line 2 is not an object: /],
    ["another kind of thing", { type: "invoice" }, /^line 2 is of a kind that is not known: invoice: /],
    ["nothing in it", {}, /^line 2 holds no usage: /],
    [
      "tokens as text",
      message("m2", { input_tokens: "10", output_tokens: 1 }),
      /^line 2 says usage.input_tokens is "10": tokens are whole numbers/,
    ],
    ["negative tokens", message("m2", { input_tokens: -1, output_tokens: 1 }), /usage.input_tokens is -1/],
    [
      "half a token inside",
      completion("c", { prompt_tokens: 1, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 0.5 } }),
      /usage.prompt_tokens_details.cached_tokens is 0.5/,
    ],
    ["more than there are", message("m2", { input_tokens: 1e12, output_tokens: 1 }), /usage.input_tokens is 1000000000000/],
    ["a wire that is none", { ...good, wire: "soap" }, /^line 2 names the wire "soap": there are anthropic, chat, responses; /],
    ["no model", { usage: { input_tokens: 1, output_tokens: 1 } }, /^line 2 says no model: .*; add "model"/],
    [
      "a model that many sell, and no provider",
      message("m2", { input_tokens: 1 }, { model: "llama-4" }),
      /^line 2 says no provider of llama-4: .*; add "provider"/,
    ],
    [
      "a part of no stream",
      { ...delta({ output_tokens: 5 }), call: "other" },
      /^line 2 says no model: it belongs to no message that began before it; /,
    ],
  ])("%s: said with its number, why and what to do; the rest is priced, the total incomplete", async (_, bad, text) => {
    const result = await played([good, bad, message("m3", { input_tokens: 10, output_tokens: 1 })]);
    expect(result.total).toMatchObject({ calls: 2, cost: 2 * opus(10, 0, 0, 0, 1) });
    expect(result.problems).toHaveLength(1);
    expect(replayText(result).split("\n").at(-1)).toMatch(text);
    expect(replayText(result)).toContain("1 line is not in the total:");
    expect(replayJson(result)).toMatchObject({ complete: false, problems: [{ line: 2 }] });
  });

  it("is no empty one, and no mark of the file's encoding", async () => {
    expect(await played([`\uFEFF${JSON.stringify(good)}`, "", "  "])).toMatchObject({ total: { calls: 1 }, problems: [] });
  });

  it("never ends the reading, whatever it holds", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.string(),
            fc.json(),
            fc.jsonValue().map((usage) => JSON.stringify({ ...good, usage })),
          ),
        ),
        async (lines) => {
          const { total } = await played(lines);
          expect(Number.isSafeInteger(total.cost)).toBe(true);
        },
      ),
    ));
});

it("prices every call once, in whatever order and however often whole answers are told", () => {
  const count = fc.nat(1_000_000);
  const calls = fc.uniqueArray(fc.record({ id: fc.nat(50), input: count, read: count, w5: count, output: count }), {
    selector: ({ id }) => id,
  });
  return fc.assert(
    fc.asyncProperty(calls, fc.array(fc.nat(200), { maxLength: 60 }), async (list, again) => {
      const lines = list.map(({ id, input, read, w5, output }) =>
        message(`msg_${id}`, {
          input_tokens: input + 1,
          cache_read_input_tokens: read,
          cache_creation_input_tokens: w5,
          output_tokens: output + 1,
        }),
      );
      const repeated = again.flatMap((at) => (lines.length === 0 ? [] : [lines[at % lines.length] as object]));
      const { total } = await played([...repeated, ...lines]);
      expect(total).toMatchObject({
        calls: list.length,
        cost: list.reduce((sum, { input, read, w5, output }) => sum + opus(input + 1, read, w5, 0, output + 1), 0),
      });
    }),
  );
});
