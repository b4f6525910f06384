/** What BUS_URL says about the transport. */
import { UacError } from "#core/errors.ts";

export interface BusScheme {
  /** `libsql` is a server (`libsql://`, `http://` Hrana); `file` a libSQL file on this machine. */
  transport: "redis" | "libsql" | "file";
  /** As the transport's own client takes it. */
  url: string;
}

const known = "redis://, rediss://, libsql://host:port?tls=0, http:// (libSQL over Hrana) or file:";

/** Errors: `bad_config` for a URL that names no transport of ours. The URL itself is not repeated: it may hold a password. */
export function busScheme(url: string): BusScheme {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url.trim())?.[1]?.toLowerCase();
  switch (scheme) {
    case "redis":
    case "rediss":
      return { transport: "redis", url: url.trim() };
    case "libsql":
    case "http":
      return { transport: "libsql", url: url.trim() };
    case "file":
      return { transport: "file", url: url.trim() };
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
