/**
 * A model without latency that plays the script, as a program of its own: what it does is no load on what is measured. It speaks the
 * Anthropic wire, whole or streamed, and keeps when each request came and how much of it the one before had not said.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type Says, toMessage } from "../../dev/model/wire.ts";
import { anthropicWire } from "../../dev/model/wires/anthropic.ts";
import { unspoilt } from "../../dev/model/wires/served-wire.ts";
import { type Act, acts } from "./script.ts";

export interface Request {
  /** Milliseconds since 1970, with fractions. */
  came: number;
  answered: number;
  bytes: number;
  /** Characters of what is not the same as in the request before, from the first difference on. */
  fresh: number;
  /** The request before is a prefix of this one: a cache holds all of it. */
  goesOn: boolean;
}

/** Four bytes a token. */
function usageOf(bytes: number) {
  const input_tokens = Math.ceil(bytes / 4);
  const uncached = { cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
  return { ...uncached, input_tokens, cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 } };
}
const now = () => performance.timeOrigin + performance.now();

function inputOf(act: Act): Record<string, unknown> {
  if (act.tool === "edit") return { path: act.path, edits: [{ old: act.old, new: act.new }] };
  return act.tool === "read" ? { path: act.path } : { command: act.command };
}

function says(step: number): Says {
  const act = acts[step];
  if (act) return { call: { name: act.tool, input: inputOf(act) } };
  return { call: { name: "finish", input: { status: "done", summary: "The totals count every item." } } };
}

/** The parts of a request in the order in which a cache keeps them. Its marks move, and are no part of what is kept. */
function partsOf(body: Record<string, unknown>): string[] {
  const list = (value: unknown) => (Array.isArray(value) ? value : [value ?? null]);
  const plain = (value: unknown) => JSON.stringify(value, (key, inner) => (key === "cache_control" ? undefined : inner));
  const said = list(body.messages).flatMap((message: { role: string; content: unknown }) =>
    list(message.content).map((part) => message.role + plain(part)),
  );
  return [...list(body.tools).map(plain), ...list(body.system).map(plain), ...said];
}

let requests: Request[] = [];
let before: string[] = [];

const server = createServer(async (incoming, response) => {
  if (incoming.method === "GET") {
    response.end(JSON.stringify(requests));
    requests = [];
    before = [];
    return;
  }
  const raw = await bodyOf(incoming);
  const came = now();
  const body = JSON.parse(raw);
  const parts = partsOf(body);
  const same = before.findIndex((part, i) => part !== parts[i]);
  const fresh = parts.slice(same === -1 ? before.length : same).join("").length;
  const step = body.messages.filter((message: { role: string }) => message.role === "assistant").length;
  const bytes = Buffer.byteLength(raw);
  const message = toMessage(says(step), body.model, usageOf(bytes));
  if (body.stream) {
    const frames = [...anthropicWire.frames(message, unspoilt, body)];
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(frames.map(({ event, data }) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`).join(""));
  } else {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(message));
  }
  requests.push({ came, answered: now(), bytes, fresh, goesOn: same === -1 });
  before = parts;
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`));

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
