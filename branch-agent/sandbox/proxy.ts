/**
 * The only way out of a sandbox with hosts: an HTTP proxy (CONNECT, and absolute URLs for plain HTTP) that the factory itself is.
 * A name is resolved here, once, and the connection goes to the address that was looked at; where a client speaks TLS, and at port 443 it
 * must, the host in its first message must be the one that it asked for.
 */
import { lookup } from "node:dns/promises";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, isIP, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { permits } from "#core/hosts.ts";
import { isPublic } from "./addresses.ts";
import { openingOf } from "./client-hello.ts";

const headerBytes = 16 * 1024;
const openAtOnce = 64;
const resolveMs = 10_000;
const dialMs = 10_000;
const helloMs = 15_000;
const idleMs = 120_000;
const longestMs = 15 * 60_000;
/** What one task may move in all, both ways. Bytes. */
const mostBytes = 4 * 1024 ** 3;
const addressesTried = 3;
/** A first message in more pieces than these is meant to keep us busy. */
const mostPieces = 64;

export interface Outside {
  /** Addresses of a name. */
  resolve(name: string): Promise<string[]>;
  dial(address: string, port: number): Socket;
}

export interface ProxyOptions extends Partial<Outside> {
  /** Asked anew for each connection. */
  allowed(): readonly string[];
  /** Told in a sentence, for the model and the owner, of what was not let through. */
  refused(sentence: string): void;
}

export interface HostProxy {
  /** Takes over a server that listens, wherever that is. */
  listen(on: Server): Promise<void>;
  /** Ends every connection. */
  hangUp(): void;
  close(): void;
}

/** What the client is told, and why. */
class Refusal extends Error {
  readonly status: 400 | 403 | 502;
  constructor(status: Refusal["status"], message: string) {
    super(message);
    this.status = status;
  }
}

const machine: Outside = {
  resolve: async (name) => (await lookup(name, { all: true, order: "ipv4first" })).map(({ address }) => address),
  dial: (address, port) => connect({ host: address, port }),
};

export function openProxy(options: ProxyOptions): HostProxy {
  const { resolve, dial } = { ...machine, ...options };
  const sockets = new Set<Duplex>();
  let moved = 0;

  const server = createServer({ maxHeaderSize: headerBytes, headersTimeout: 10_000, requestTimeout: longestMs, keepAliveTimeout: 5_000 });
  server.maxConnections = openAtOnce;
  server.on("connection", keep);
  server.on("request", (incoming: IncomingMessage, response: ServerResponse) => {
    forward(incoming, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else refuse(error, (status, text) => void response.writeHead(status, plain).end(text));
    });
  });
  server.on("connect", (incoming: IncomingMessage, client: Socket, head: Buffer) => {
    tunnel(incoming.url ?? "", client, head).catch((error: unknown) =>
      refuse(error, (status, text) => {
        if (client.bytesWritten > 0) client.destroy();
        else client.end(`HTTP/1.1 ${status} Refused\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n${text}`);
      }),
    );
  });

  function refuse(error: unknown, answer: (status: number, text: string) => void) {
    const refusal = error instanceof Refusal ? error : new Refusal(502, "the connection broke off");
    if (refusal.status === 403) options.refused(refusal.message);
    answer(refusal.status, `The sandbox's network: ${refusal.message}\n`);
  }

  function keep(socket: Socket) {
    sockets.add(socket);
    socket.setTimeout(idleMs, () => socket.destroy());
    const end = setTimeout(() => socket.destroy(), longestMs).unref();
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      clearTimeout(end);
      sockets.delete(socket);
    });
  }

  function count(chunk: Buffer) {
    moved += chunk.length;
    if (moved <= mostBytes) return;
    options.refused(`more than ${mostBytes / 1024 ** 3} GiB went over the network`);
    hangUp();
  }

  /** A connection to a host that may be reached, at an address that was looked at. */
  async function reach(host: string, port: number): Promise<Socket> {
    const allowed = options.allowed();
    if (!permits(allowed, host, port)) {
      throw new Refusal(403, `${host}:${port} is not among the hosts that this task may reach (${allowed.join(", ") || "none now"})`);
    }
    if (moved > mostBytes) throw new Refusal(403, "the task has used up what it may move over the network");
    for (const address of (await addressesOf(host)).slice(0, addressesTried)) {
      const socket = await dialled(dial(address, port));
      if (!socket) continue;
      keep(socket);
      return socket;
    }
    throw new Refusal(502, `${host}:${port} does not answer`);
  }

  /** An address that the list names literally is meant. A name may not lead into the machine or its network, whoever answers for it. */
  async function addressesOf(host: string): Promise<string[]> {
    const literal = host.replace(/^\[|\]$/g, "");
    if (isIP(literal)) return [literal];
    const late = new Promise<never>((_, reject) =>
      setTimeout(reject, resolveMs, new Refusal(502, `no name server answers for ${host}`)).unref(),
    );
    const found = await Promise.race([resolve(host), late]).catch((error: unknown) => {
      throw error instanceof Refusal ? error : new Refusal(502, `no name server knows ${host}`);
    });
    const open = found.filter(isPublic);
    if (open.length === 0 && found.length > 0) throw new Refusal(403, `${host} leads to ${found[0]}, which is no public address`);
    return open;
  }

  async function tunnel(authority: string, client: Socket, head: Buffer) {
    const { host, port } = targetOf(`http://${authority}/`, /^[^\s/@?#\\]+:\d{1,5}$/.test(authority));
    const upstream = await reach(host, port);
    if (client.destroyed) return void upstream.destroy();
    client.once("close", () => upstream.destroy());
    upstream.once("close", () => client.end());
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    // Other protocols than TLS may let the server speak first.
    if (port !== 443) upstream.on("data", count).pipe(client);
    const opening = await firstBytes(client, head, { host, port });
    if (port === 443) upstream.on("data", count).pipe(client);
    count(opening);
    upstream.write(opening);
    client.on("data", count).pipe(upstream);
  }

  async function forward(incoming: IncomingMessage, response: ServerResponse) {
    const { host, port, path } = targetOf(incoming.url ?? "", /^http:\/\/[^/]/i.test(incoming.url ?? ""));
    const socket = await reach(host, port);
    const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => !hopByHop.has(name)));
    // Node frames no body of a GET or DELETE by itself: without this, such a body would be the next request to whoever listens.
    const framing = incoming.headers["transfer-encoding"] === undefined ? {} : { "transfer-encoding": "chunked" };
    const outgoing = httpRequest({
      method: incoming.method ?? "GET",
      path,
      headers: { ...headers, ...framing, host: port === 80 ? host : `${host}:${port}`, connection: "close" },
      createConnection: () => socket,
    });
    response.once("close", () => socket.destroy());
    incoming.on("error", () => outgoing.destroy());
    response.on("error", () => outgoing.destroy());
    incoming.on("data", count).pipe(outgoing);
    const answer = await new Promise<IncomingMessage>((done, failed) => {
      // One that changes to another protocol has no answer: the connection is closed, and no error told.
      outgoing.once("response", done).on("error", failed).once("close", failed);
    });
    const kept = Object.entries(answer.headers).filter(([name]) => !hopByHop.has(name));
    response.writeHead(answer.statusCode ?? 502, Object.fromEntries(kept));
    answer
      .on("data", count)
      .on("error", () => response.destroy())
      .pipe(response);
  }

  function hangUp() {
    for (const socket of sockets) socket.destroy();
  }

  return {
    listen: (on) =>
      new Promise((listening, failed) => {
        server.once("error", failed);
        // What runs in the sandbox keeps the factory alive, not the door.
        server.listen(on, () => listening()).unref();
      }),
    hangUp,
    close() {
      hangUp();
      server.close();
    },
  };
}

const plain = { "content-type": "text/plain" };
const hopByHop = new Set(
  "connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade host".split(" "),
);

/** Host and port in the form that lists have, whatever spelling of an address came. */
function targetOf(url: string, wellFormed: boolean): { host: string; port: number; path: string } {
  if (!wellFormed || !URL.canParse(url)) throw new Refusal(400, "a proxy takes CONNECT host:port, or http:// and the whole address");
  const { hostname, port, pathname, search } = new URL(url);
  return { host: hostname.replace(/\.$/, ""), port: Number(port || 80), path: pathname + search };
}

/** The socket when it is connected, or null. */
function dialled(socket: Socket): Promise<Socket | null> {
  return new Promise((resolve) => {
    const give = (result: Socket | null) => {
      clearTimeout(timer);
      if (!result) socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(give, dialMs, null);
    socket.once("error", () => give(null));
    socket.once("connect", () => give(socket));
  });
}

/** What a client says first, unless it is meant for another host than it asked for. */
function firstBytes(client: Socket, head: Buffer, { host, port }: { host: string; port: number }): Promise<Buffer> {
  let bytes = head;
  let pieces = 0;
  return new Promise((resolve, reject) => {
    const timer = port === 443 ? setTimeout(end, helloMs, "it says nothing") : undefined;
    function end(why: string | null, status: 403 | 502 = 403) {
      clearTimeout(timer);
      client.off("data", look);
      client.off("close", gone);
      client.pause();
      if (why === null) resolve(bytes);
      else reject(new Refusal(status, `a connection to ${host}:${port} was cut: ${why}`));
    }
    const gone = () => end("its client went", 502);
    function look(chunk: Buffer) {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      if (bytes.length === 0) return;
      if (++pieces > mostPieces) return end("its first message comes in too many pieces");
      const opening = openingOf(bytes);
      if (opening.kind === "more") return;
      if (opening.kind === "other") return end(port === 443 ? "it does not speak TLS" : null);
      if (opening.kind === "broken") return end("its first message is no TLS, though it begins so");
      if (opening.hidden) return end("its first message may name another host where nobody can read it (ECH)");
      const named = opening.name?.replace(/\.$/, "") ?? null;
      if (named === host || (named === null && isIP(host.replace(/^\[|\]$/g, "")) > 0)) return end(null);
      end(named === null ? "its TLS names no host" : `its TLS asks for ${named}`);
    }
    client.on("data", look);
    client.once("close", gone);
    if (head.length > 0) look(Buffer.alloc(0));
    client.resume();
  });
}
