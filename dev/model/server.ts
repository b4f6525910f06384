/**
 * The stand-in model: a local server that speaks the three real wires (`wires/`) and does two narrow jobs honestly
 * (`front-desk.ts`, `coder.ts`). It decides from the request alone, so a conversation may go on after any crash.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { type Wire, wires as wireNames } from "#core/wire-usage.ts";
import { type BehaveOptions, type Behaviour, isBehaviour, misbehave, type Role, roleOf } from "./behaviour.ts";
import { code } from "./coder.ts";
import { readConversation } from "./conversation.ts";
import { attend, introduction } from "./front-desk.ts";
import { refusalOf, refuseOver, reply, send } from "./send.ts";
import { type Cache, meter, type Says, toMessage, type WireRequest } from "./wire.ts";
import { anthropicWire } from "./wires/anthropic.ts";
import { chatWire } from "./wires/chat.ts";
import { responsesWire } from "./wires/responses.ts";
import type { Refusal, ServedWire } from "./wires/served-wire.ts";

export const wires: Readonly<Record<Wire, ServedWire>> = { anthropic: anthropicWire, chat: chatWire, responses: responsesWire };

const maxBodyBytes = 32 * 1024 * 1024;
const maxLog = 1000;
const invalid: Refusal = { status: 400, type: "invalid_request_error", message: "" };

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
  wire: Wire;
  headers: IncomingMessage["headers"];
  /** Whatever the wire, in the words of Anthropic's. */
  body: WireRequest;
  behaviour: Behaviour;
  says: Says;
}

export interface Model {
  /** What ANTHROPIC_BASE_URL is set to. */
  url: string;
  /** What the base URL of this wire's family is set to: OpenAI's ends in a version. */
  urlFor(wire: Wire): string;
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

  async function complete(name: Wire, incoming: IncomingMessage, response: ServerResponse) {
    const wire = wires[name];
    const refuse = (refusal: Refusal) => refuseOver(wire, response, refusal);
    const given = incoming.headers["x-api-key"] ?? incoming.headers.authorization?.replace(/^Bearer /i, "");
    if (options.apiKey && given !== options.apiKey)
      return refuse({ ...invalid, status: 401, type: "authentication_error", message: "invalid key" });
    const lack = wire.lacks(incoming.headers);
    if (lack) return refuse({ ...invalid, message: lack });
    const raw = await json(incoming);
    let body: WireRequest;
    try {
      body = wire.read(raw);
    } catch (error) {
      if (!(error instanceof z.ZodError)) throw error;
      return refuse({ ...invalid, message: z.prettifyError(error) });
    }

    const role = roleOf(new Set(body.tools?.map((tool) => tool.name)));
    count++;
    const behaviour = mannerOf(role, incoming.headers["x-scripted-behaviour"]);
    const says = misbehave(behaviour, role, count) ?? options.says?.(body) ?? answer(body, role);
    requests.push({ count, role, wire: name, headers: incoming.headers, body, behaviour, says });
    if (requests.length > maxLog) requests.shift();

    const [kind, figure = ""] = behaviour.split(":");
    if (kind === "slow") await sleep(Number(figure));
    const refusal = refusalOf(behaviour, name);
    if (refusal) return refuse(refusal);
    const message = toMessage(says, body.model, meter(body, cache, wire.caches), kind === "refuses" ? "refusal" : undefined);
    send({ wire, response, message, behaviour, body: raw, streams: body.stream === true });
  }

  const server = createServer((incoming, response) => {
    route(incoming, response).catch((error) => refuse(response, { ...invalid, message: String(error) }));
  });

  async function route(incoming: IncomingMessage, response: ServerResponse) {
    const { method } = incoming;
    const path = incoming.url?.split("?")[0];
    const wire = wireNames.find((name) => wires[name].path === path);
    if (method === "POST" && wire) return complete(wire, incoming, response);
    if (method === "GET" && path === "/healthz") return reply(response, 200, { ok: true });
    if (method === "POST" && path === "/dev/behave") {
      const wish = (await json(incoming)) as { behaviour?: unknown } & BehaveOptions;
      if (!isBehaviour(wish.behaviour)) return refuse(response, { ...invalid, message: `no behaviour ${wish.behaviour}` });
      behave(wish.behaviour, { ...(wish.times && { times: wish.times }), ...(wish.role && { role: wish.role }) });
      return reply(response, 200, { ok: true });
    }
    refuse(response, { status: 404, type: "not_found_error", message: `no route ${method} ${path}` });
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : options.port;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    urlFor: (wire) => (wire === "anthropic" ? url : `${url}/v1`),
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

/** Outside of any wire: in the words of Anthropic's. */
function refuse(response: ServerResponse, refusal: Refusal) {
  refuseOver(wires.anthropic, response, refusal);
}
