/** What BUS_URL says about the transport. */
import { UacError } from "#core/errors.ts";

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
