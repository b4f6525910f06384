/** A raw HTTP server that answers what a test wrote: the wire as it is in the wild. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished } from "vitest";
import { type LlmDeps, llmFor } from "#adapters/llm/index.ts";
import type { Endpoint } from "#core/endpoint.ts";
import { UacError } from "#core/errors.ts";
import type { LlmFailure, ModelRequest } from "#ports/llm.ts";
import { asking, fakeClock } from "../contracts/llm.contract.ts";

export type Answer = (response: ServerResponse, count: number, body: Record<string, unknown>) => void;

export interface Wire {
  url: string;
  requests: { headers: IncomingHttpHeaders; path: string; body: Record<string, unknown> }[];
  close(): Promise<void>;
}

/** Answers in order; the last one goes on for ever. */
export async function startWire(...answers: Answer[]): Promise<Wire> {
  const requests: Wire["requests"] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString() || "{}");
    requests.push({ headers: incoming.headers, path: incoming.url ?? "", body });
    const answer = answers[Math.min(requests.length, answers.length) - 1];
    answer?.(response, requests.length, body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export type Event = { type?: string; [key: string]: unknown };

/** A stream of events, named where they have a type of their own; without `end` the body stays open. */
export const stream =
  (events: readonly Event[], how: { end?: boolean; type?: string; named?: boolean } = {}): Answer =>
  (response) => {
    response.writeHead(200, { "content-type": how.type ?? "text/event-stream" });
    for (const event of events) response.write(frame(event, how.named));
    if (how.end !== false) response.end();
  };

export function frame(event: Event, named = true): string {
  return `${named && event.type ? `event: ${event.type}\n` : ""}data: ${JSON.stringify(event)}\n\n`;
}

/** A body as somebody's wire had it, byte for byte. */
export const raw =
  (body: string, type = "text/event-stream"): Answer =>
  (response) => {
    response.writeHead(200, { "content-type": type });
    response.end(body);
  };

/** A plain body. */
export const plain =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };

export const start = (usage: unknown = { input_tokens: 10, output_tokens: 1 }): Event => ({
  type: "message_start",
  message: { id: "msg_1", type: "message", role: "assistant", model: "m-1", content: [], stop_reason: null, usage },
});

export const text = (index: number, words: string): Event[] => [
  { type: "content_block_start", index, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index, delta: { type: "text_delta", text: words } },
  { type: "content_block_stop", index },
];

/** A tool call whose input comes as `json`, or at once as `input`. */
export const tool = (index: number, given: { json?: string; input?: unknown; name?: string }): Event[] => [
  {
    type: "content_block_start",
    index,
    content_block: { type: "tool_use", id: `t_${index}`, name: given.name ?? "look", input: given.input ?? {} },
  },
  ...(given.json === undefined
    ? []
    : [{ type: "content_block_delta", index, delta: { type: "input_json_delta", partial_json: given.json } }]),
  { type: "content_block_stop", index },
];

export const end = (stop_reason: string | null = "end_turn", usage: unknown = { output_tokens: 5 }): Event[] => [
  { type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage },
  { type: "message_stop" },
];

export const whole: Event[] = [start(), ...text(0, "Hello."), ...end()];

export type Given = Partial<Endpoint> & Partial<Omit<LlmDeps, "clock">> & { clock?: ReturnType<typeof fakeClock> };

/** A client of a server that answers as told: Anthropic's, unless another wire is given. */
export async function against(answers: readonly Answer[], more: Given = {}) {
  const wire: Wire = await startWire(...answers);
  onTestFinished(() => wire.close());
  const { clock = fakeClock(), fetch: fetcher, maxRetries, silenceMs, longestMs, annotate, ...endpoint } = more;
  const llm = llmFor(
    { ...plainEndpoint, baseUrl: wire.url, ...endpoint },
    {
      clock,
      ...(fetcher && { fetch: fetcher }),
      ...(maxRetries !== undefined && { maxRetries }),
      ...(silenceMs !== undefined && { silenceMs }),
      ...(longestMs !== undefined && { longestMs }),
      ...(annotate !== undefined && { annotate }),
    },
  );
  return { wire, clock, llm, ask: (request: ModelRequest = asking("Hi")) => llm.complete(request) };
}

export const plainEndpoint: Endpoint = {
  provider: "anthropic",
  wire: "anthropic",
  model: "m-1",
  baseUrl: "http://127.0.0.1:1",
  key: { kind: "x-api-key", value: "key-of-a-test" },
  billing: "metered",
  window: 200_000,
};

/** What the first request fails with. */
export async function failure(answers: readonly Answer[], more: Given = {}) {
  const { ask, ...rest } = await against(answers, more);
  const error = await ask().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UacError);
  return { error: error as LlmFailure, ...rest };
}
