/** Upstash's REST protocol: requests as commands, replies as JSON (https://upstash.com/docs/redis/features/restapi). */

export interface Call {
  /** `one` is answered alone, a `pipeline` item by item, a `transaction` item by item or as a whole. */
  kind: "one" | "pipeline" | "transaction";
  commands: string[][];
}

/** What a request is answered with instead of a reply. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Asked {
  method: string;
  url: URL;
  body: string;
}

/** Throws `Refused`. */
export function parseCall({ method, url, body }: Asked): Call {
  if (!["GET", "HEAD", "POST", "PUT"].includes(method)) throw new Refused(405, "ERR method not allowed");
  const path = url.pathname
    .split("/")
    .filter((part) => part !== "")
    .map(decoded);
  if (path.length === 0) return checked({ kind: "one", commands: [commandOf(parseJson(body))] });
  if (path[0] === "pipeline") return checked({ kind: "pipeline", commands: commandsOf(parseJson(body)) });
  if (path[0] === "multi-exec") return checked({ kind: "transaction", commands: commandsOf(parseJson(body)) });
  const options = [...url.searchParams]
    .filter(([name]) => name !== "_token")
    .flatMap(([name, value]) => (value === "" ? [name] : [name, value]));
  return checked({ kind: "one", commands: [[...path, ...(body === "" ? [] : [body]), ...options]] });
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Refused(400, "ERR failed to parse the path");
  }
}

/** A command that waits would hold up everybody who shares the connection; Upstash refuses it over REST too. */
function checked(call: Call): Call {
  for (const [name = "", ...args] of call.commands) {
    const blocks = /^(B[LRZ]\w*|WAIT\w*)$/i.test(name) || (/^XREAD/i.test(name) && args.some((arg) => /^BLOCK$/i.test(arg)));
    if (blocks) throw new Refused(400, `ERR ${name} that blocks is not available over REST`);
    if (/^(MULTI|EXEC|DISCARD|WATCH|(P|S)?(UN)?SUBSCRIBE|MONITOR|CLIENT|HELLO|AUTH|SELECT|QUIT|RESET)$/i.test(name)) {
      throw new Refused(400, `ERR ${name} belongs to a connection, and over REST there is none`);
    }
  }
  return call;
}

function commandsOf(value: unknown): string[][] {
  if (!Array.isArray(value) || value.length === 0) throw new Refused(400, "ERR failed to parse pipeline request");
  return value.map(commandOf);
}

function commandOf(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0) throw new Refused(400, "ERR failed to parse command");
  return value.map((part) => {
    if (!["string", "number", "boolean"].includes(typeof part)) throw new Refused(400, "ERR failed to parse command");
    return String(part);
  });
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new Refused(400, "ERR failed to parse command");
  }
}

export type Item = { result: unknown } | { error: string };

/** One reply of RESP 2, whose strings are buffers, as an item of the answer. */
export function itemOf(reply: unknown, base64: boolean): Item {
  return reply instanceof Error ? { error: reply.message } : { result: encoded(reply, base64) };
}

/** With `Upstash-Encoding: base64` every string but `OK` is encoded; errors never are. */
function encoded(reply: unknown, base64: boolean): unknown {
  if (Array.isArray(reply)) return reply.map((each) => encoded(each, base64));
  if (typeof reply !== "string" && !Buffer.isBuffer(reply)) return reply;
  const bytes = Buffer.from(reply);
  const text = bytes.toString("utf8");
  return base64 && text !== "OK" ? bytes.toString("base64") : text;
}
