/** Recordings that others made: whatever their tools write around what a provider sent, no call is lost, none is of another's size. */
import { describe, expect, it } from "vitest";
import { pricedProviders, pricesOf } from "#adapters/prices/index.ts";
import { linesOf } from "../../scripts/ledger/lines.ts";
import { replay, replayJson, replayText } from "../../scripts/ledger/replay.ts";

const now = Date.parse("2026-11-26T12:00:00Z");
const played = (lines: readonly (object | string | null)[]) =>
  replay(
    lines.map((line) => (line === null || typeof line === "string" ? line : JSON.stringify(line))),
    { priceOf: pricesOf(), knows: (provider) => pricedProviders.includes(provider), provider: null, now },
  );

const message = (id: string, usage: object, more: object = {}) => ({
  ...{ id, type: "message", role: "assistant", model: "claude-opus-5-5", content: [], stop_reason: "end_turn", usage, ...more },
});
const start = (id: string, usage: object) => ({ type: "message_start", message: { ...message(id, usage), stop_reason: null } });
const delta = (usage: object) => ({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage });
const stop = { type: "message_stop" };
const completion = (more: object = {}) => ({
  ...{ id: "chatcmpl-1", object: "chat.completion", created: 1_790_000_000, model: "gpt-5.5" },
  ...{ choices: [{ index: 0, message: { role: "assistant", content: "Hi." }, finish_reason: "stop" }] },
  ...{ usage: { prompt_tokens: 20, completion_tokens: 2, total_tokens: 22 }, ...more },
});

describe("lines", () => {
  const text = async (...chunks: string[]) => {
    const lines: (string | null)[] = [];
    for await (const line of linesOf(
      (async function* () {
        yield* chunks;
      })(),
    ))
      lines.push(line);
    return lines;
  };

  it("end at line feeds alone: what JSON may hold as it is cuts no object in two", async () => {
    const spoken = JSON.stringify(
      message("m", { input_tokens: 1, output_tokens: 2 }, { content: [{ type: "text", text: "a\u2028b\u2029c" }] }),
    );
    const lines = await text(`${spoken}\r\n${spoken}`);
    expect(lines).toHaveLength(2);
    expect(await played(lines)).toMatchObject({ problems: [], total: { calls: 1 } });
  });

  it("are whole, wherever the reading was cut", async () => {
    expect(await text("a", "b\nc", "\n", "\nd\n")).toEqual(["ab", "c", "", "d"]);
    expect(await text()).toEqual([]);
  });

  it("that are too long are no more than named", async () => {
    const mebi = "x".repeat(1024 * 1024);
    const lines = await text(...Array.from({ length: 65 }, () => mebi), "\n{}");
    expect(lines).toEqual([null, "{}"]);
    expect((await played([null])).problems).toMatchObject([{ line: 1, what: "is too long" }]);
  });
});

describe("a stream", () => {
  it("is over with its end: a part without a beginning is no part of the one before", async () => {
    const { total, problems } = await played([
      start("m1", { input_tokens: 10, output_tokens: 1 }),
      delta({ output_tokens: 5 }),
      stop,
      delta({ input_tokens: 7, output_tokens: 900 }),
      stop,
    ]);
    expect(total).toMatchObject({ calls: 1, usage: { uncachedIn: 10, output: 5 } });
    expect(problems).toMatchObject([{ line: 4, what: "says no model" }]);
  });

  it("keeps its writes for an hour, whatever zeros come behind", async () => {
    const { total } = await played([
      start("m1", {
        input_tokens: 25,
        cache_creation_input_tokens: 500,
        cache_creation: { ephemeral_1h_input_tokens: 500 },
        output_tokens: 1,
      }),
      delta({ output_tokens: 15, cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 } }),
      stop,
    ]);
    expect(total).toMatchObject({ usage: { write5m: 0, write1h: 500 }, cost: 25 * 4000 + 500 * 8000 + 15 * 20_000 });
  });
});

it("batches' results are calls, and said to be of a batch", async () => {
  const result = await played([
    { custom_id: "a", result: { type: "succeeded", message: message("m1", { input_tokens: 10, output_tokens: 34 }) } },
    { custom_id: "b", result: { type: "errored", error: { type: "error", error: { type: "invalid_request_error" } } } },
    { custom_id: "c", result: { type: "expired" } },
    { id: "batch_req_1", custom_id: "d", response: { status_code: 200, request_id: "r", body: completion() }, error: null },
    { id: "batch_req_2", custom_id: "e", response: null, error: { code: "batch_expired", message: "…" } },
    {
      custom_id: "f",
      result: { type: "succeeded", message: message("m2", { input_tokens: 1, output_tokens: 1 }, { model: "claude-opus-9" }) },
    },
    completion({ id: "chatcmpl-2", service_tier: "default" }),
    completion({ id: "chatcmpl-3", service_tier: "flex" }),
  ]);
  expect(result.problems).toEqual([]);
  expect(result.total).toMatchObject({ calls: 5, unpriced: 1 });
  expect(result.rows.map(({ model, tiered }) => [model, tiered])).toEqual([
    ["claude-opus-5-5", 1],
    ["gpt-5.5", 2],
    ["claude-opus-9", 1],
  ]);
  expect(replayText(result)).toContain("openai gpt-5.5: 2 of 3 calls of a batch or another tier");
});

it("what Claude Code keeps beside the answers is passed over", async () => {
  const of = { sessionId: "s", uuid: "u", timestamp: "2026-11-26T07:00:00Z" };
  const { total, problems } = await played([
    { type: "summary", summary: "What was done", leafUuid: "l" },
    { type: "file-history-snapshot", messageId: "x", snapshot: {}, isSnapshotUpdate: false },
    { ...of, type: "user", message: { role: "user", content: "Do it." } },
    { ...of, type: "system", subtype: "compact_boundary", content: "…" },
    { ...of, type: "assistant", message: message("m1", { input_tokens: 3, output_tokens: 4 }) },
    { ...of, type: "assistant", message: message("m2", { input_tokens: 0, output_tokens: 0 }, { model: "<synthetic>" }) },
  ]);
  expect(problems).toEqual([]);
  expect(total).toMatchObject({ calls: 1, cost: 3 * 4000 + 4 * 20_000 });
});

describe("a usage that nothing would be read of is a line that can't be read, not a call of one token", () => {
  it.each([
    [
      { provider: "anthropic", model: "claude-opus-5-5", wire: "anthropic", usage: { prompt_tokens: 9, completion_tokens: 9 } },
      /can't be counted/,
    ],
    [{ provider: "openai", model: "gpt-5.5", wire: "chat", usage: { input_tokens: 9, output_tokens: 9 } }, /can't be counted/],
    [{ provider: "openai", model: "gpt-5.5", usage: { inputTokens: 9, outputTokens: 9 } }, /it has inputTokens, outputTokens/],
    [{ ...completion(), wire: "anthropic" }, /names the wire anthropic: its body is one of chat; leave the wire out/],
    [{ ...message("m", { input_tokens: 1, output_tokens: 1 }), at: "yesterday" }, /says at is "yesterday": that is no time; write/],
    ["\u001f\uFFFD\b\0\0compressed", /^line 1 is no text in UTF-8: .*; unpack it/],
  ])("%o", async (line, text) => {
    const result = await played([line]);
    expect(result.total.calls).toBe(0);
    expect(replayText(result).split("\n").at(-1)).toMatch(text);
  });
});

it("providers in another case, times in seconds and no time at all are understood", async () => {
  const usage = { input_tokens: 100, output_tokens: 0 };
  const { rows, problems } = await played([
    { provider: "OpenAI", model: "gpt-5.5", usage },
    { provider: "zai", model: "glm-5.3-flash", at: Date.parse("2026-09-01") / 1000, usage },
    { provider: "zai", model: "glm-5.3-flash", at: "2026-09-20", usage },
    completion({ id: "c0", created: 0, model: "deepseek-v4-pro" }),
  ]);
  expect(problems).toEqual([]);
  expect(rows.map(({ provider, total }) => [provider, total.unpriced, total.cost])).toEqual([
    ["openai", 0, 100 * 5000],
    ["zai", 0, 100 * 75 + 100 * 150],
    ["deepseek", 0, 20 * 660 + 2 * 1980],
  ]);
});

it("neither depth nor number nor control characters of what is no recording get in the way", async () => {
  const deep = `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`;
  const good = JSON.stringify(message("m1", { input_tokens: 1, output_tokens: 1 }));
  const result = await played([
    good.replace('"content":[]', `"content":[${deep}]`),
    good.replace('"input_tokens":1', `"input_tokens":1,"odd":${deep}`),
    ...Array.from({ length: 60 }, () => "\u001b[2J"),
  ]);
  expect(result.total).toMatchObject({ calls: 1, usage: { uncachedIn: 1, output: 1 } });
  expect(replayText(result)).not.toContain("\u001b");
  expect(replayText(result).split("\n").at(-1)).toBe("and 10 more, which --json lists");
  expect(replayJson(result)).toMatchObject({ problems: { length: 60 } });
});
