/**
 * A gateway that speaks Upstash's REST protocol over a Redis of one's own, so that the transport for Upstash runs against a real
 * Redis on one machine. For development and tests: it serves loopback alone, and holds every request in memory.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connectionsTo } from "./connections.ts";
import type { Fault } from "./faults.ts";
import { type Call, itemOf, parseCall, Refused } from "./protocol.ts";

export interface UpstashGateway {
  /** `http://127.0.0.1:<port>`. As BUS_URL: `upstash+` before it. */
  url: string;
  /** Since the start, those that were answered with a fault among them. Upstash bills commands, a Worker is allowed requests. */
  readonly served: { requests: number; commands: number };
  /** The next `times` requests meet this fault; null ends it. */
  play(fault: Fault | null, times?: number): void;
  close(): Promise<void>;
}

interface GatewayOptions {
  redisUrl: string;
  /** What clients must send as `Authorization: Bearer …`, or as `?_token=`. */
  token: string;
  /** 0 or none: a free one. */
  port?: number;
}

/** As Upstash bounds a request. */
const maxBodyBytes = 10 * 1024 * 1024;

/** Serves until `close()`. Rejects with the system's error where the port is taken; Redis is first asked by the first request. */
export async function startUpstashGateway({ redisUrl, token, port = 0 }: GatewayOptions): Promise<UpstashGateway> {
  const redis = connectionsTo(redisUrl);
  const served = { requests: 0, commands: 0 };
  let playing: { fault: Fault; left: number } | null = null;

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      const refused = error instanceof Refused ? error : new Refused(500, "ERR the Redis behind this gateway can't be reached");
      answer(response, refused.status, { error: refused.message });
    });
  });
  // Longer than any client keeps an idle connection, so that none is closed under a request being sent.
  server.keepAliveTimeout = 65_000;

  function nextFault(): Fault | null {
    if (!playing) return null;
    const { fault } = playing;
    playing.left -= 1;
    if (playing.left <= 0) playing = null;
    return fault;
  }

  async function serve(request: IncomingMessage, response: ServerResponse) {
    served.requests += 1;
    const fault = nextFault();
    if (fault === "hang") return;
    if (fault && fault !== "lost") {
      response.writeHead(fault.status, { "content-type": fault.type }).end(fault.body);
      return;
    }
    const url = new URL(request.url ?? "/", "http://gateway");
    const given = /^Bearer (.*)$/.exec(request.headers.authorization ?? "")?.[1] ?? url.searchParams.get("_token") ?? "";
    if (!sameSecret(given, token)) throw new Refused(401, "WRONGPASS invalid or missing auth token");
    const call = parseCall({ method: request.method ?? "GET", url, body: await bodyOf(request) });
    served.commands += call.commands.length;
    const [status, body] = await perform(call, request.headers["upstash-encoding"] === "base64");
    if (fault === "lost") return void response.destroy();
    // A client that names the last write it saw is answered by whoever has seen that write; here there is one server only.
    response.setHeader("upstash-sync-token", request.headers["upstash-sync-token"] || `gateway:${served.requests}`);
    answer(response, status, body);
  }

  async function perform(call: Call, base64: boolean): Promise<[status: number, body: unknown]> {
    if (call.kind === "transaction") {
      const replies = await redis.transact(call.commands);
      return replies instanceof Error ? [400, { error: replies.message }] : [200, replies.map((reply) => itemOf(reply, base64))];
    }
    const items = (await redis.run(call.commands)).map((reply) => itemOf(reply, base64));
    if (call.kind === "pipeline") return [200, items];
    const [item] = items;
    return [item && "error" in item ? 400 : 200, item];
  }

  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    served,
    play(fault, times = 1) {
      playing = fault === null ? null : { fault, left: times };
    },
    async close() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      redis.close();
      await closed;
    },
  };
}

function sameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    // Read to its end even so: a client that is still sending would not see the answer.
    if (size <= maxBodyBytes) chunks.push(chunk);
  }
  if (size > maxBodyBytes) throw new Refused(400, `ERR max request size exceeded. Limit: ${maxBodyBytes} bytes, Actual: ${size} bytes`);
  return Buffer.concat(chunks).toString("utf8");
}

function answer(response: ServerResponse, status: number, body: unknown) {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
