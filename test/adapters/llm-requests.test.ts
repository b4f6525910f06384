/** What all three wires can say, each in its own words: images, and how much to think. */
import { describe, expect, it } from "vitest";
import { llmFor } from "#adapters/llm/index.ts";
import { presets } from "#adapters/llm/presets.ts";
import { type Wire, wires } from "#core/wire-usage.ts";
import type { ModelRequest } from "#ports/llm.ts";
import { asking } from "../contracts/llm.contract.ts";
import { endpointOf } from "../support/endpoint.ts";
import { speeches } from "./llm-openai-wire.ts";
import { against } from "./llm-wire.ts";

async function sent(provider: string, wire: Wire, request: ModelRequest) {
  const { ask, wire: server } = await against([speeches[wire].whole], { provider, wire });
  await ask(request);
  return server.requests[0]?.body ?? {};
}

describe("half a character", () => {
  const half = "cut \ud83d";
  const images = [{ type: "image" as const, mediaType: "image/png" as const, data: "iVBORw0KGgo=" }];
  const cut = asking(half, {
    messages: [
      { role: "user", content: [{ type: "text", text: `${half} and \u{1f600}` }] },
      { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "read", input: { path: half, [half]: [half, 1, null] } }] },
      { role: "user", content: [{ type: "tool_result", id: "t1", content: half, isError: false, images }] },
    ],
    system: half,
  });

  it.each(wires)("leaves as a replacement mark over %s: an escape of half a pair is no JSON to a provider", async (wire) => {
    const provider = wire === "anthropic" ? "anthropic" : "openai";
    const text = JSON.stringify(await sent(provider, wire, cut));
    expect(text).not.toMatch(/\\ud[89a-f]/i);
    expect(text.match(/cut \ufffd/g)?.length).toBe(wire === "anthropic" ? 6 : 7);
    expect(text).toContain("and \u{1f600}");
    expect(text).toContain(images[0]?.data);
  });
});

describe("an image", () => {
  const image = { type: "image" as const, mediaType: "image/png" as const, data: "iVBORw0KGgo=" };
  const shown = asking("Hi", { messages: [{ role: "user", content: [image, { type: "text", text: "What is it?" }] }] });
  const url = "data:image/png;base64,iVBORw0KGgo=";

  it("goes along over every wire", async () => {
    const [anthropic] = (await sent("anthropic", "anthropic", shown)).messages as { content: unknown[] }[];
    expect(anthropic?.content[0]).toEqual({ type: "image", source: { type: "base64", media_type: "image/png", data: image.data } });
    const [, chat] = (await sent("openai", "chat", shown)).messages as { content: unknown[] }[];
    expect(chat?.content).toEqual([
      { type: "image_url", image_url: { url } },
      { type: "text", text: "What is it?" },
    ]);
    const [responses] = (await sent("openai", "responses", shown)).input as { content: unknown[] }[];
    expect(responses?.content).toEqual([
      { type: "input_image", image_url: url, detail: "auto" },
      { type: "input_text", text: "What is it?" },
    ]);
  });

  const call = { type: "tool_use" as const, id: "t1", name: "read", input: { path: "a.png" } };
  const result = { type: "tool_result" as const, id: "t1", content: "a.png: 1 × 1", isError: false, images: [image] };
  const read = asking("Hi", {
    messages: [
      { role: "assistant", content: [call] },
      { role: "user", content: [result, { ...result, id: "t2", images: [] }, { type: "text", text: "Go on." }] },
    ],
  });

  it("that a tool found goes along in its result, or right after the results where those are texts", async () => {
    const [, anthropic] = (await sent("anthropic", "anthropic", read)).messages as { content: unknown[] }[];
    expect(anthropic?.content).toMatchObject([
      {
        type: "tool_result",
        tool_use_id: "t1",
        content: [
          { type: "text", text: result.content },
          { type: "image", source: { type: "base64", media_type: "image/png", data: image.data } },
        ],
      },
      { type: "tool_result", tool_use_id: "t2", content: result.content },
      { type: "text", text: "Go on." },
    ]);
    const [, , ...chat] = (await sent("openai", "chat", read)).messages as unknown[];
    const label = "[the image of: a.png: 1 × 1]";
    expect(chat).toEqual([
      { role: "tool", tool_call_id: "t1", content: result.content },
      { role: "tool", tool_call_id: "t2", content: result.content },
      {
        role: "user",
        content: [
          { type: "text", text: label },
          { type: "image_url", image_url: { url } },
          { type: "text", text: "Go on." },
        ],
      },
    ]);
    const [, ...responses] = (await sent("openai", "responses", read)).input as unknown[];
    const shownThere = { type: "input_image", image_url: url, detail: "auto" };
    expect(responses).toEqual([
      { type: "function_call_output", call_id: "t1", output: result.content },
      { type: "function_call_output", call_id: "t2", output: result.content },
      { role: "user", content: [{ type: "input_text", text: label }, shownThere, { type: "input_text", text: "Go on." }] },
    ]);
  });

  it.each([
    ["zai", "anthropic"],
    ["deepseek", "chat"],
    ["scripted", "responses"],
  ] as const)("that a tool found is a word to a model that sees none: %s, %s", async (provider, wire) => {
    const body = JSON.stringify(await sent(provider, wire, read));
    expect(body).toContain("this model can't see images");
    expect(body).not.toContain(image.data);
  });

  it.each([
    ["zai", "anthropic"],
    ["deepseek", "chat"],
    ["scripted", "responses"],
  ] as const)("is a word to a model that sees none: %s, %s", async (provider, wire) => {
    const body = JSON.stringify(await sent(provider, wire, shown));
    expect(body).toContain("this model can't see images");
    expect(body).not.toContain(image.data);
  });
});

describe("how much to think", () => {
  const level = (thinking: "off" | "low" | "high", maxTokens = 8192) => asking("Hi", { thinking, maxTokens });

  it.each([
    ["anthropic", "anthropic", "off", { thinking: { type: "disabled" } }],
    ["anthropic", "anthropic", "low", { thinking: { type: "adaptive" }, output_config: { effort: "low" } }],
    ["anthropic", "anthropic", "high", { thinking: { type: "adaptive" }, output_config: { effort: "high" } }],
    ["zai", "anthropic", "off", { thinking: { type: "disabled" } }],
    ["zai", "anthropic", "low", { thinking: { type: "enabled", budget_tokens: 2048 } }],
    ["zai", "anthropic", "high", { thinking: { type: "enabled", budget_tokens: 6144 } }],
    ["zai", "chat", "high", { thinking: { type: "enabled" } }],
    ["deepseek", "chat", "off", { thinking: { type: "disabled" } }],
    ["gemini", "chat", "low", { reasoning_effort: "low" }],
    ["openai", "chat", "off", { reasoning_effort: "none" }],
    ["openai", "responses", "high", { reasoning: { effort: "high" } }],
    ["openrouter", "chat", "off", { reasoning: { effort: "none" } }],
  ] as const)("is said as %s wants it over %s: %s", async (provider, wire, thinking, fields) => {
    expect(await sent(provider, wire, level(thinking))).toMatchObject(fields);
  });

  it("leaves room for an answer: too few tokens for a budget are none", async () => {
    expect(await sent("zai", "anthropic", level("low", 2000))).not.toHaveProperty("thinking");
  });

  it.each(wires)("is not said where nobody said it: %s", async (wire) => {
    const said = Object.keys(await sent("openai", wire, asking("Hi")));
    expect(said.filter((name) => /think|reason|effort|output_config/.test(name))).toEqual([]);
  });
});

describe("a provider of the table", () => {
  it.each(Object.entries(presets))("%s has an address for its own wire, and an adapter", (name, preset) => {
    const baseUrl = preset.urls[preset.wire] ?? "http://127.0.0.1:1";
    expect(URL.canParse(baseUrl)).toBe(true);
    const clock = { now: () => 0, sleep: async () => {} };
    const llm = llmFor(endpointOf({ provider: name, apiKey: "k", baseUrl }), { clock });
    expect(llm).toMatchObject({ provider: name, model: preset.model });
  });
});
