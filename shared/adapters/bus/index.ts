/** BUS_URL to a bus: the one place that knows the transports. To add one: its adapter, its lines here, a contract line. */
import type { Client } from "@libsql/client";
import { UacError } from "#core/errors.ts";
import type { Bus } from "#ports/bus.ts";
import { libsqlBus } from "./libsql.ts";
import { redisBus } from "./redis.ts";
import { upstashBus } from "./upstash.ts";

export interface BusConfig {
  url: string;
  /** For transports whose address holds no credential; null for none. */
  token: string | null;
  /** `createClient` of `@libsql/client`, or of its `/web` where there are no files. */
  libsql(config: { url: string; authToken?: string }): Client;
  files: boolean;
  /** Called before each HTTP request of a transport that makes its own. */
  onRequest?: () => void;
}

/** Throws `bad_config` for an address that no transport here understands. */
export function busFor({ url: given, token, libsql, files, onRequest }: BusConfig): Bus {
  const { transport, url } = busScheme(given);
  switch (transport) {
    case "redis":
      return redisBus({ url });
    case "file":
      if (!files) throw new UacError("bad_config", "BUS_URL: there are no files here; use libsql://, redis:// or rediss://");
      return libsqlBus(libsql({ url }));
    case "libsql":
      return libsqlBus(libsql(token ? { url, authToken: token } : { url }));
    case "upstash":
      if (!token) throw new UacError("bad_config", "BUS_TOKEN is not set: Upstash's REST address wants the database's REST token");
      return upstashBus({ url, token, onRequest });
  }
}

interface BusScheme {
  /** `libsql` is a server (`libsql://`, `http://` Hrana); `file` a libSQL file on this machine; `upstash` its REST protocol. */
  transport: "redis" | "libsql" | "file" | "upstash";
  /** As the transport's own client takes it. */
  url: string;
}

const known = "redis://, rediss://, https:// (Upstash REST), libsql://host:port?tls=0, http:// (libSQL over Hrana) or file:";
const loopback = ["127.0.0.1", "[::1]", "localhost"];

/** Errors: `bad_config` for a URL that names no transport of ours. The URL itself is not repeated: it may hold a password. */
export function busScheme(from: string): BusScheme {
  const url = from.trim();
  const scheme = URL.canParse(url) ? new URL(url).protocol.slice(0, -1) : null;
  switch (scheme) {
    case "redis":
    case "rediss":
      return { transport: "redis", url };
    case "libsql":
    case "http":
      return { transport: "libsql", url };
    case "file":
      return { transport: "file", url };
    case "https":
    case "upstash+http":
      return { transport: "upstash", url: restAddress(url) };
    default:
      throw new UacError("bad_config", `BUS_URL ${scheme ? `has the unknown scheme ${scheme}:` : "is not a URL"}. Use ${known}.`);
  }
}

/** A gateway's address is plain `http://`, and only on this machine: the token goes with every request. */
function restAddress(url: string): string {
  const address = url.replace(/^upstash\+/i, "");
  if (!URL.canParse(address)) throw new UacError("bad_config", `BUS_URL is not a URL. Use ${known}.`);
  const { protocol, hostname, username, password } = new URL(address);
  if (protocol === "http:" && !loopback.includes(hostname)) {
    throw new UacError(
      "bad_config",
      "BUS_URL: upstash+http:// is for a gateway on this machine; elsewhere the token would travel in the clear. Use https://",
    );
  }
  if (username || password) throw new UacError("bad_config", "BUS_URL: the REST address holds no credential; put the token into BUS_TOKEN");
  return address;
}
