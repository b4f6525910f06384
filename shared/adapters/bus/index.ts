/** BUS_URL to a bus: the one place that knows the transports. To add one: its adapter, its lines here, a contract line. */
import type { Client } from "@libsql/client";
import { UacError } from "#core/errors.ts";
import type { Bus } from "#ports/bus.ts";
import { libsqlBus } from "./libsql.ts";
import { redisBus } from "./redis.ts";

export interface BusConfig {
  url: string;
  /** For transports whose address holds no credential; null for none. */
  token: string | null;
  /** `createClient` of `@libsql/client`, or of its `/web` where there are no files. */
  libsql(config: { url: string; authToken?: string }): Client;
  files: boolean;
}

/** Throws `bad_config` for an address that no transport here understands. */
export function busFor({ url: given, token, libsql, files }: BusConfig): Bus {
  const { transport, url } = busScheme(given);
  switch (transport) {
    case "redis":
      return redisBus({ url });
    case "file":
      if (!files) throw new UacError("bad_config", "BUS_URL: there are no files here; use libsql://, redis:// or rediss://");
      return libsqlBus(libsql({ url }));
    case "libsql":
      return libsqlBus(libsql(token ? { url, authToken: token } : { url }));
  }
}

interface BusScheme {
  /** `libsql` is a server (`libsql://`, `http://` Hrana); `file` a libSQL file on this machine. */
  transport: "redis" | "libsql" | "file";
  /** As the transport's own client takes it. */
  url: string;
}

const known = "redis://, rediss://, libsql://host:port?tls=0, http:// (libSQL over Hrana) or file:";

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
      throw new UacError(
        "bad_config",
        `BUS_URL: ${scheme}:// (Upstash REST) is not supported yet. Use the same database's rediss:// address.`,
      );
    default:
      throw new UacError("bad_config", `BUS_URL ${scheme ? `has the unknown scheme ${scheme}:` : "is not a URL"}. Use ${known}.`);
  }
}
