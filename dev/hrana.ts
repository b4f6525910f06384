/**
 * A small "Hrana over HTTP" server over one libSQL file, so that a Cloudflare Worker, which has no files, uses a local database
 * through `@libsql/client/web` as it would use a hosted one. For one machine and for tests; it is no database server.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import * as z from "zod";
import { UacError } from "#core/errors.ts";
import { openConnection, type Statement } from "./hrana/execute.ts";
import { pipelineSchema } from "./hrana/protocol.ts";
import { StreamRefused, streams } from "./hrana/streams.ts";

interface HranaOptions {
  /** Path of the database file; made if missing. */
  file: string;
  /** What clients must send as `Authorization: Bearer …`. Without it only loopback addresses may be served. */
  token?: string;
  /** 0 or none: a free one. */
  port?: number;
  host?: string;
  /** A stream that its client left is rolled back after so many milliseconds. */
  idleMs?: number;
  /** Told of every statement that ran, and what it cost; counting costs a query for each. */
  onStatement?: (statement: Statement) => void;
}

export interface Hrana {
  /** `http://127.0.0.1:<port>`; also good as `libsql://127.0.0.1:<port>?tls=0`. */
  url: string;
  close(): Promise<void>;
}

const maxBodyBytes = 16 * 1024 * 1024;
const loopback = ["127.0.0.1", "::1", "localhost"];

/**
 * Serves `file` until `close()`.
 *
 * Errors: `bad_config` where the file can't be opened or a public address has no token; the system's error where the port is taken.
 */
export async function startHrana(options: HranaOptions): Promise<Hrana> {
  const { file, token, port = 0, host = "127.0.0.1", idleMs = 10_000 } = options;
  if (!token && !loopback.includes(host)) {
    throw new UacError("bad_config", `The database at ${host} would be open to the network. Give it a token, or serve 127.0.0.1.`);
  }
  // Held for the server's life: the last connection to close would fold the write-ahead log back after every request.
  const keeper = open(file);
  const database = streams(file, { idleMs, open: 256, waiting: 1024, waitMs: 30_000 }, options.onStatement);

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      const refused = toRefused(error);
      reply(response, refused.status, { message: refused.message, code: refused.code });
    });
  });
  // Longer than any client keeps an idle connection, so that none is closed under a request being sent.
  server.keepAliveTimeout = 65_000;

  async function serve(request: IncomingMessage, response: ServerResponse) {
    const path = (request.url ?? "/").split("?")[0];
    if (request.method === "GET" && (path === "/v2" || path === "/v3" || path === "/health")) return reply(response, 200, { ok: true });
    // Clients probe for the protobuf encoding and fall back to JSON on 404.
    if (request.method !== "POST" || (path !== "/v2/pipeline" && path !== "/v3/pipeline")) {
      throw new StreamRefused(404, "NOT_FOUND", "This server speaks Hrana 2 and 3 as JSON: POST /v2/pipeline or /v3/pipeline");
    }
    if (token && !sameSecret(request.headers.authorization ?? "", `Bearer ${token}`)) {
      throw new StreamRefused(401, "UNAUTHENTICATED", "The database token is missing or wrong");
    }
    // A web page can post text to a loopback port, but not JSON: a browser asks first, and nobody here answers.
    if (!request.headers["content-type"]?.startsWith("application/json")) {
      throw new StreamRefused(415, "BAD_CONTENT_TYPE", "Send application/json");
    }
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const pipeline = pipelineSchema.safeParse(parseJson(await bodyOf(request)));
    if (!pipeline.success) throw new StreamRefused(400, "BAD_REQUEST", z.prettifyError(pipeline.error));
    reply(response, 200, await database.run(pipeline.data, gone.signal));
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  }).catch((error: unknown) => {
    keeper.close();
    throw error;
  });
  const bound = (server.address() as AddressInfo).port;

  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      database.closeAll();
      if (keeper.open) keeper.close();
    },
  };
}

function open(file: string) {
  try {
    const db = openConnection(file);
    db.pragma("journal_mode = wal");
    return db;
  } catch (error) {
    throw new UacError("bad_config", `The database file ${file} can't be opened. Does its folder exist, and is it a database?`, {
      cause: error,
    });
  }
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
  if (size > maxBodyBytes) throw new StreamRefused(413, "TOO_LARGE", `A request may have ${maxBodyBytes} bytes`);
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new StreamRefused(400, "BAD_REQUEST", "The body is not JSON");
  }
}

function reply(response: ServerResponse, status: number, body: unknown) {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function toRefused(error: unknown): StreamRefused {
  if (error instanceof StreamRefused) return error;
  return new StreamRefused(500, "INTERNAL", error instanceof Error ? error.message : String(error));
}
