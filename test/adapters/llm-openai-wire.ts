/** OpenAI's two wires as events, and what the three wires say for the same thing. */
import type { ServerResponse } from "node:http";
import type { Wire as WireName } from "#core/wire-usage.ts";
import { type Answer, type Event, end, start, stream, text, tool } from "./llm-wire.ts";

/** A chunk of Chat Completions. */
export const chunk = (delta: unknown, finish_reason: string | null = null, more: object = {}): Event => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1_795_000_000,
  model: "m-1",
  choices: [{ index: 0, delta, finish_reason }],
  ...more,
});

export const chatUsage = (usage: unknown): Event => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  model: "m-1",
  choices: [],
  usage,
});

/** Chunks and the end that OpenAI puts after them. */
export const chat =
  (chunks: readonly Event[], how: { end?: boolean } = {}): Answer =>
  (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    for (const one of chunks) response.write(`data: ${JSON.stringify(one)}\n\n`);
    if (how.end === false) return;
    response.end("data: [DONE]\n\n");
  };

export const chatCall = (given: { json?: string; input?: unknown; name?: string; id?: string; index?: number }): Event =>
  chunk({
    tool_calls: [
      {
        index: given.index ?? 0,
        ...(given.id !== "" && { id: given.id ?? "t_0" }),
        type: "function",
        function: { name: given.name ?? "look", arguments: given.input ?? given.json ?? "" },
      },
    ],
  });

/** The events of a response whose items are `items`; `end` is the last one's type, null for none. */
export function response(items: readonly Event[], end: string | null = "response.completed", more: object = {}): Event[] {
  const whole = { id: "resp_1", object: "response", model: "m-1", status: "in_progress", output: [], usage: null };
  const usage = { input_tokens: 10, output_tokens: 5, input_tokens_details: { cached_tokens: 0 } };
  return [
    { type: "response.created", response: whole },
    ...items.flatMap((item, output_index) => [
      { type: "response.output_item.added", output_index, item: { ...item, status: "in_progress" } },
      { type: "response.output_item.done", output_index, item },
    ]),
    ...(end ? [{ type: end, response: { ...whole, status: "completed", output: items, usage, ...more } }] : []),
  ];
}

export const said = (words: string, more: object = {}): Event => ({
  type: "message",
  id: "msg_1",
  status: "completed",
  role: "assistant",
  content: [{ type: "output_text", text: words, annotations: [] }],
  ...more,
});

export const called = (given: { json?: string; name?: string; id?: string; status?: string }): Event => ({
  type: "function_call",
  id: "fc_1",
  status: given.status ?? "completed",
  call_id: given.id ?? "t_0",
  name: given.name ?? "look",
  arguments: given.json ?? "{}",
});

/** The same things over each wire. */
export interface Speech {
  path: string;
  whole: Answer;
  /** Words, then nothing more. */
  cut: Answer;
  /** Some of it, and a body that stays open. */
  stalled: Answer;
  silent: Answer;
  /** One call, with this JSON as its input. */
  call(json: string, name?: string): Answer;
  /** One call that the length limit cut. */
  cutCall(json: string): Answer;
  /** A call without an id. */
  nameless: Answer;
  /** An error as an event, after a beginning. */
  failing(error: object): Answer;
  untold: Answer;
}

const anthropicText = [start(), ...text(0, "Hello.")];
const chatText = [chunk({ role: "assistant", content: "Hel" }), chunk({ content: "lo." })];
const chatEnd = [chunk({}, "stop"), chatUsage({ prompt_tokens: 10, completion_tokens: 5 })];

export const speeches: Readonly<Record<WireName, Speech>> = {
  anthropic: {
    path: "/v1/messages",
    whole: stream([...anthropicText, ...end()]),
    cut: stream([...anthropicText, ...end().slice(0, 1)]),
    stalled: stream(anthropicText, { end: false }),
    silent: stream([]),
    call: (json, name = "look") => stream([start(), ...tool(0, { json, name }), ...end("tool_use")]),
    cutCall: (json) => stream([...anthropicText, ...tool(1, { json }), ...end("max_tokens")]),
    nameless: stream([
      start(),
      { type: "content_block_start", index: 0, content_block: { type: "tool_use", name: "look", input: {} } },
      { type: "content_block_stop", index: 0 },
      ...end("tool_use"),
    ]),
    failing: (error) => stream([start(), { type: "error", error }]),
    untold: stream([start(null), ...text(0, "Hello."), ...end("end_turn", null)]),
  },
  chat: {
    path: "/chat/completions",
    whole: chat([...chatText, ...chatEnd]),
    cut: chat(chatText),
    stalled: chat(chatText, { end: false }),
    silent: chat([]),
    call: (json, name = "look") =>
      chat([
        chatCall({ name, json: json.slice(0, 3) }),
        chunk({ tool_calls: [{ index: 0, function: { arguments: json.slice(3) } }] }),
        chunk({}, "tool_calls"),
      ]),
    cutCall: (json) => chat([...chatText, chatCall({ json }), chunk({}, "length")]),
    nameless: chat([chatCall({ json: "{}", id: "" }), chunk({}, "tool_calls")]),
    failing: (error) => chat([...chatText, { error }]),
    untold: chat([...chatText, chunk({}, "stop")]),
  },
  responses: {
    path: "/responses",
    whole: stream(response([said("Hello.")])),
    cut: stream(response([said("Hello.")], null)),
    stalled: stream(response([said("Hello.")], null), { end: false }),
    silent: stream([]),
    call: (json, name = "look") => stream(response([called({ json, name })])),
    cutCall: (json) =>
      stream(
        response([said("Hello."), called({ json, status: "incomplete" })], "response.incomplete", {
          incomplete_details: { reason: "max_output_tokens" },
        }),
      ),
    nameless: stream(response([called({ id: "" })])),
    failing: (error) => stream([...response([], null), { type: "response.failed", response: { id: "resp_1", status: "failed", error } }]),
    untold: stream(response([said("Hello.")], "response.completed", { usage: null })),
  },
};

/** A server's answer for the contract suite: calls the first tool that is offered, and talks where there is none or once it has a result. */
export const converses =
  (wire: "chat" | "responses"): Answer =>
  (out, _count, body) => {
    const { model, tools = [], messages = [], input = [] } = body as Record<string, never>;
    const [first] = tools as { name?: string; function?: { name: string } }[];
    const heard = JSON.stringify([messages, input]);
    const name = first?.function?.name ?? first?.name;
    const calls = name !== undefined && !/"role":"tool"|function_call_output/.test(heard);
    if (wire === "responses") {
      stream(response([calls ? called({ name }) : said("I am a fake.")], "response.completed", { model }))(out, _count, body);
      return;
    }
    const piece = calls ? chatCall({ name, json: "{}" }) : chunk({ role: "assistant", content: "I am a fake." });
    const finish = [chunk({}, calls ? "tool_calls" : "stop"), chatUsage({ prompt_tokens: 10, completion_tokens: 5 })];
    chat([piece, ...finish].map((one) => ({ ...one, model })))(out, _count, body);
  };
