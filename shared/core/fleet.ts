/** Factory identity on the bus, and whether a factory is alive. Times are milliseconds since 1970 on HQ's clock. */
import { type VpSeat, vpSeats, vps } from "./vp.ts";

export const heartbeatEveryMs = 30_000;
/** A task's lease: four heartbeats. */
export const leaseMs = 120_000;
/** An order that its factory neither claims nor says to have taken in is taken back after so long. One that is there claims within seconds. */
export const unclaimedMs = 5 * 60_000;
/** And is put on the bus again this long after it went there. */
export const orderAgainMs = 60_000;
/** A task whose end may be in a report that was lost on the bus is not lost itself for so long: the report is sent again. */
export const missedMs = 5 * 60_000;
/**
 * HQ's tick comes every minute. More than this after the one before means that HQ did not watch meanwhile. A lease outlives a
 * heartbeat that was just due and this time: so much silence of HQ's can't end one.
 */
export const unwatchedAfterMs = leaseMs - heartbeatEveryMs;
/** A factory that missed one heartbeat is stale; one whose lease would have run out is offline. */
export const staleAfterMs = 45_000;

export const factoryStatuses = ["pending", "active", "draining", "paused", "retired"] as const;
/** What the owner or the factory decided. Whether it is there is `Liveness`. */
export type FactoryStatus = (typeof factoryStatuses)[number];

export const livenesses = ["online", "stale", "offline", "draining", "paused", "pending", "retired"] as const;
export type Liveness = (typeof livenesses)[number];

/** One word for a factory, from what was decided and from the age of its last heartbeat. Never seen counts as offline. */
export function liveness(factory: { status: FactoryStatus; lastHeartbeatAt: number | null }, now: number): Liveness {
  if (factory.status === "retired" || factory.status === "pending") return factory.status;
  const age = factory.lastHeartbeatAt === null ? Number.POSITIVE_INFINITY : now - factory.lastHeartbeatAt;
  if (age > leaseMs) return "offline";
  if (factory.status !== "active") return factory.status;
  return age > staleAfterMs ? "stale" : "online";
}

export const channels = ["in", "ctl", "out", "ev"] as const;
export type Channel = (typeof channels)[number];

/** The consumer group that reads a channel: the factory its orders, HQ what the factory says. */
export const groupOf: Readonly<Record<Channel, "f" | "hq">> = { in: "f", ctl: "f", out: "hq", ev: "hq" };

/** Progress is lossy: this many entries are kept. */
export const progressKept = 2000;

/** Orders and controls: far more than a factory is ever sent unread, so only what was read is trimmed. */
export const ordersKept = 1000;

/** `uac:f:<factory>:<channel>`. */
export function streamOf(factory: string, channel: Channel): string {
  return `uac:f:${factory}:${channel}`;
}

/**
 * Factory ids: lower-case, hyphens, 2 to 40 characters (also a valid Infisical slug). `hq` is nobody's but headquarters':
 * a factory of that name could sign orders.
 */
export const factoryIdPattern = /^(?!hq$)[a-z][a-z0-9-]{0,38}[a-z0-9]$/;

type ModelBySeat = Partial<Record<VpSeat, string | undefined>>;

/** Models as people read them: one where all VPs have the same. */
export function showModels({
  provider,
  model,
  models = {},
}: {
  provider: string;
  model: string;
  models?: ModelBySeat | undefined;
}): string {
  const told = vpSeats.flatMap((seat) => (models[seat] ? [{ seat, name: models[seat] }] : []));
  const distinct = new Set(told.map(({ name }) => name));
  return distinct.size < 2 ? `${provider}/${model}` : told.map(({ seat, name }) => `${vps[seat].title}: ${name}`).join(", ");
}
