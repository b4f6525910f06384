/**
 * The stand-in model: a local server that speaks the real Anthropic Messages wire and does two narrow jobs honestly
 * (`front-desk.ts`, `coder.ts`). It decides from the request alone, so a conversation may go on after any crash.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { type BehaveOptions, type Behaviour, isBehaviour, misbehave, type Role, roleOf } from "./behaviour.ts";
import { code } from "./coder.ts";
import { readConversation } from "./conversation.ts";
import { attend, introduction } from "./front-desk.ts";
import { type Cache, meter, newId, requestSchema, type Says, toEvents, toMessage, type WireMessage, type WireRequest } from "./wire.ts";

const maxBodyBytes = 32 * 1024 * 1024;
const maxLog = 1000;

export interface ModelOptions {
  /** 0, the default, is any free port. */
  port?: number;
  /** Asked for as `x-api-key` or as a bearer token; without it anyone may call. */
  apiKey?: string;
  /** A behaviour for the n-th request, from 1; null leaves it to `behave`. */
  chaos?: (count: number) => Behaviour | null;
  /** What it says to an engine whose tools it does not know; null leaves it to introduce itself. */
  says?: (request: WireRequest) => Says | null;
}

export interface LoggedRequest {
  count: number;
  role: Role;
  headers: IncomingMessage["headers"];
  body: WireRequest;
  behaviour: Behaviour;
  says: Says;
}

export interface Model {
  /** What ANTHROPIC_BASE_URL is set to. */
  url: string;
  /** The last thousand requests that were understood, oldest first. */
  requests: LoggedRequest[];
  behave(behaviour: Behaviour, options?: BehaveOptions): void;
  close(): Promise<void>;
}

/** Listens on the loopback interface only. */
export async function startModel(options: ModelOptions = {}): Promise<Model> {
  const requests: LoggedRequest[] = [];
  const cache: Cache = new Map();
  let count = 0;
  let manner: { behaviour: Behaviour } & BehaveOptions = { behaviour: "honest" };

  const behave: Model["behave"] = (behaviour, how = {}) => {
    manner = { behaviour, ...how };
  };

  function mannerOf(role: Role, header: unknown): Behaviour {
    if (isBehaviour(header)) return header;
    const chaotic = options.chaos?.(count);
    if (chaotic) return chaotic;
    if (manner.role && manner.role !== role) return "honest";
    const { behaviour, times } = manner;
    if (times !== undefined) manner = times > 1 ? { ...manner, times: times - 1 } : { behaviour: "honest" };
    return behaviour;
  }

  async function messages(incoming: IncomingMessage, response: ServerResponse) {
    const given = incoming.headers["x-api-key"] ?? incoming.headers.authorization?.replace(/^Bearer /i, "");
    if (options.apiKey && given !== options.apiKey) return fail(response, 401, "authentication_error", "invalid x-api-key");
    if (!incoming.headers["anthropic-version"])
      return fail(response, 400, "invalid_request_error", "anthropic-version: header is required");
    const parsed = requestSchema.safeParse(await json(incoming));
    if (!parsed.success) return fail(response, 400, "invalid_request_error", z.prettifyError(parsed.error));

    const body = parsed.data;
    const role = roleOf(new Set(body.tools?.map((tool) => tool.name)));
    count++;
    const behaviour = mannerOf(role, incoming.headers["x-scripted-behaviour"]);
    const says = misbehave(behaviour, role, count) ?? options.says?.(body) ?? answer(body, role);
    requests.push({ count, role, headers: incoming.headers, body, behaviour, says });
    if (requests.length > maxLog) requests.shift();

    const [kind, figure = ""] = behaviour.split(":");
    if (kind === "slow") await sleep(Number(figure));
    if (kind === "overloaded") return fail(response, 529, "overloaded_error", "Overloaded");
    if (kind === "status") return fail(response, Number(figure), "api_error", "The stand-in was told to fail.");
    const message = toMessage(says, body.model, meter(body, cache), kind === "refuses" ? "refusal" : undefined);
    if (body.stream) await stream(response, message, behaviour);
    else reply(response, 200, message);
  }

  const server = createServer((incoming, response) => {
    route(incoming, response).catch((error) => fail(response, 400, "invalid_request_error", String(error)));
  });

  async function route(incoming: IncomingMessage, response: ServerResponse) {
    const { method } = incoming;
    const path = incoming.url?.split("?")[0];
    if (method === "POST" && path === "/v1/messages") return messages(incoming, response);
    if (method === "GET" && path === "/healthz") return reply(response, 200, { ok: true });
    if (method === "POST" && path === "/dev/behave") {
      const wish = (await json(incoming)) as { behaviour?: unknown } & BehaveOptions;
      if (!isBehaviour(wish.behaviour)) return fail(response, 400, "invalid_request_error", `no behaviour ${wish.behaviour}`);
      behave(wish.behaviour, { ...(wish.times && { times: wish.times }), ...(wish.role && { role: wish.role }) });
      return reply(response, 200, { ok: true });
    }
    fail(response, 404, "not_found_error", `no route ${method} ${path}`);
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : options.port;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    behave,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(request: WireRequest, role: Role): Says {
  if (role === "front-desk") return attend(readConversation(request, "last"));
  if (role === "coder") return code(readConversation(request, "first"));
  return { text: introduction };
}

async function stream(response: ServerResponse, message: WireMessage, behaviour: Behaviour) {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", "request-id": newId("req") });
  // Two objects in a row: what some endpoints send, and what must never run.
  const events = [...toEvents(message, behaviour === "garbage" ? (json) => json + json : undefined)];
  const broken = behaviour === "cuts-stream" || behaviour === "stalls";
  for (const [event, data] of broken ? events.slice(0, Math.ceil(events.length / 2)) : events) {
    response.write(`event: ${event}\ndata: ${JSON.stringify({ type: event, ...(data as object) })}\n\n`);
  }
  if (behaviour !== "stalls") response.end();
}

async function json(incoming: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > maxBodyBytes) throw new Error("the body is too large");
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

function reply(response: ServerResponse, status: number, body: unknown) {
  response.writeHead(status, { "content-type": "application/json", "request-id": newId("req") });
  response.end(JSON.stringify(body));
}

function fail(response: ServerResponse, status: number, type: string, message: string) {
  if (response.headersSent) return response.end();
  reply(response, status, { type: "error", error: { type, message }, request_id: newId("req") });
}
