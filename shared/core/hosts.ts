/** Hosts that a sandboxed command may reach: `host:port`, where the host is a name, `*.name` for all below it, or a literal address. */

const label = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?";
const name = new RegExp(`^(\\*\\.${label}\\.)?(${label}\\.)*${label}$`);
/** What ends in a number is an address (as in URLs), and then in the one way of writing it. */
const numeric = /(^|\.)\d+$/;
const ipv4 = /^((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?=\d)|$)){4}$/;
const ipv6 = /^\[[0-9a-f:.]{2,45}\]$/;
const usualPort = 443;

/** In the one form that is compared: lower case, with its port; null for what is none. Without a port it is that of HTTPS. */
export function hostEntry(text: string): string | null {
  const [, host = "", port = String(usualPort)] = /^(\[[^\]]+\]|[^:]+?)\.?(?::(\d{1,5}))?$/.exec(text.trim().toLowerCase()) ?? [];
  const number = Number(port);
  if (numeric.test(host) && !ipv4.test(host)) return null;
  if (host.length > 253 || !(name.test(host) || ipv6.test(host)) || number < 1 || number > 65_535) return null;
  return `${host}:${number}`;
}

/** Whether `list` (of entries) lets `host` (lower case, an IPv6 address in brackets) be reached at `port`. */
export function permits(list: readonly string[], host: string, port: number): boolean {
  return list.some((entry) => covers(entry, `${host}:${port}`));
}

/** What both lists let through. */
export function narrowerHosts(a: readonly string[], b: readonly string[]): string[] {
  const both = [
    ...a.filter((entry) => b.some((other) => covers(other, entry))),
    ...b.filter((entry) => a.some((other) => covers(other, entry))),
  ];
  return [...new Set(both)];
}

/** `*.x:443` covers `a.x:443`, `a.b.x:443` and `*.a.x:443`, but not `x:443`. */
function covers(entry: string, wanted: string): boolean {
  return entry === wanted || (entry.startsWith("*.") && wanted.endsWith(entry.slice(1)) && wanted.length > entry.length - 1);
}
