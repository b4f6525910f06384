/** A user of Redis for each factory: it reads its orders, appends its reports, and can do nothing else. */
import { streamOf } from "#core/fleet.ts";
import type { BusLogin } from "#ports/bus.ts";

/** A name of its own: a factory may be called `default`, which is a user of every Redis. */
export const userOf = (factory: string) => `uac-${factory}`;

/**
 * Withheld: making groups, deleting, claiming, scripts, every other key. `reset` begins from nothing, so that no right of before
 * stays; the selector in parentheses keeps it from adding to what it reads, which would be an order to itself.
 */
export function userCommand(factory: string, { passwordHash, on }: BusLogin): string[] {
  const [orders, controls, results, progress] = (["in", "ctl", "out", "ev"] as const).map((channel) => `~${streamOf(factory, channel)}`);
  return [
    ...["ACL", "SETUSER", userOf(factory), "reset", on ? "on" : "off", `#${hexOf(passwordHash)}`, "resetchannels"],
    ...[`${orders}`, `${controls}`, "+xreadgroup", "+xack", "+multi", "+exec", "+discard", "+ping", "+auth"],
    `(+xadd ${results} ${progress})`,
  ];
}

export const expelCommand = (factory: string) => ["ACL", "DELUSER", userOf(factory)];

/** base64url → lower-case hex, as Redis wants a hash. */
function hexOf(base64url: string): string {
  const bytes = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return [...bytes].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}
