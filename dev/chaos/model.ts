/**
 * The town's model server, and its own log: what it was asked, by which run of which process, and what it answered. Every
 * answer has a number of its own as its output tokens, so that a ledger entry says which answer it is about.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { newId, requestSchema, toMessage } from "../model/wire.ts";
import { toEvents } from "../model/wires/anthropic.ts";
import { type Speaker, say, speakerOf } from "./script.ts";

/** Input tokens of every call: small, so that no budget is in the way. */
const inputTokens = 100;

export interface Call extends Speaker {
  /** Unique; the output tokens of its answer. From 1001: no other number in an entry is as large. */
  serial: number;
  /** The run of the process that asked. */
  life: string;
  /** Machine time, ms. */
  askedAt: number;
  /** When the whole answer was handed to the network; null while it is not, and for a call whose asker went away first. */
  answeredAt: number | null;
  /** The asker closed the connection before it was answered. */
  cutOff: boolean;
}

export interface ChaosModel {
  /** Base address for one run of one process. */
  urlFor(life: string): string;
  calls: readonly Call[];
  /** Asked and not answered yet. */
  inFlight(): number;
  /** Awaited before each answer: how long a call takes, or until when it is held. */
  pace: (call: Call) => Promise<void>;
  close(): Promise<void>;
}

export async function startChaosModel(seed: number): Promise<ChaosModel> {
  const calls: Call[] = [];

  async function messages(life: string, incoming: IncomingMessage, response: ServerResponse) {
    const body = requestSchema.parse(JSON.parse(await textOf(incoming)));
    const call: Call = {
      ...speakerOf(body),
      serial: 1001 + calls.length,
      life,
      askedAt: Date.now(),
      answeredAt: null,
      cutOff: false,
    };
    calls.push(call);
    response.on("close", () => {
      call.cutOff = call.answeredAt === null;
    });
    await model.pace(call);
    if (response.destroyed) return;
    const usage = {
      input_tokens: inputTokens,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    };
    const said = toMessage(say(body, call, seed), body.model, usage);
    const message = { ...said, usage: { ...said.usage, output_tokens: call.serial } };
    const events = [...toEvents(message)].map(
      ([event, data]) => `event: ${event}\ndata: ${JSON.stringify({ type: event, ...(data as object) })}\n\n`,
    );
    response.on("finish", () => {
      call.answeredAt = Date.now();
    });
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "request-id": newId("req") }).end(events.join(""));
  }

  const server = createServer((incoming, response) => {
    const [, life] = /^\/life\/([^/]+)\/v1\/messages/.exec(incoming.url ?? "") ?? [];
    if (life === undefined) return void response.writeHead(404).end();
    messages(life, incoming, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(400);
      response.end(String(error));
    });
  });
  // What goes to and from a process that is stopped has to wait for it.
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;

  const model: ChaosModel = {
    urlFor: (life) => `http://127.0.0.1:${port}/life/${life}`,
    calls,
    inFlight: () => calls.filter((call) => call.answeredAt === null && !call.cutOff).length,
    pace: () => sleep(1, undefined),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return model;
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
