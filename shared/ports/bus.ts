/**
 * Streams with consumer groups. At-least-once: an entry is delivered to one consumer of its group and stays pending
 * until it is acknowledged. An entry is one opaque string (a compact JWS).
 *
 * Errors: every method rejects with `UacError("bus_unavailable")` when the outcome is unknown, and with `bus_denied` when the
 * server refused the login or its rights, so that nothing was done; the caller waits a moment and resends. A read that failed
 * or was aborted may have been given entries that nobody saw: read `own` before `new`.
 */
import type { Channel } from "#core/fleet.ts";

export interface BusEntry {
  factory: string;
  channel: Channel;
  /** The transport's id: unique in its stream, rising. */
  id: string;
  /** The entry; null where the stream was trimmed under a pending id. */
  data: string | null;
}

export interface ReadOptions {
  /** Streams to read; all of one group (see `groupOf`). */
  from: readonly { factory: string; channel: Channel }[];
  consumer: string;
  /** `own`: what this consumer was given and did not acknowledge, oldest first. `new`: what nobody was given. */
  what: "own" | "new";
  /** At most this many per stream. */
  count: number;
  /** Wait so long for something new; 0 returns at once. A transport that can't block polls. */
  blockMs: number;
  /** Ends the wait: the read then resolves to []. */
  signal?: AbortSignal;
}

/** What a factory's own user on the bus is let in with. */
export interface BusLogin {
  /** SHA-256 of its password as base64url: headquarters keeps no more of it. */
  passwordHash: string;
  /** False until the owner approved: then nobody can log in as it. */
  on: boolean;
}

export interface Bus {
  /** Creates the four streams and groups of a factory, from the first entry on. Repeatable. */
  open(factory: string): Promise<void>;
  /** Appends; resolves to the entry's id. `keep` trims the stream to about that many. `too_large` beyond `maxEntryBytes`. */
  publish(to: { factory: string; channel: Channel }, data: string, keep?: number): Promise<string>;
  /** A missing group is made again at the first entry, and the read repeated: one wiped stream never silences the others. */
  read(options: ReadOptions): Promise<BusEntry[]>;
  /** Atomic: append the result and acknowledge the order. Resolves to the result's id. */
  finish(factory: string, result: string, orderId: string): Promise<string>;
  /** Acknowledges entries for their channel's group. Repeatable. */
  ack(of: { factory: string; channel: Channel }, ids: readonly string[]): Promise<void>;
  /** Acknowledges and deletes entries: only by the side that settled them. Repeatable. */
  remove(of: { factory: string; channel: Channel }, ids: readonly string[]): Promise<void>;
  /** Entries in a stream, read or not. */
  length(of: { factory: string; channel: Channel }): Promise<number>;
  /**
   * Makes or renews the user that may do a factory's part on its own streams and nothing else; who is logged in as it stays so.
   * Resolves to the user's name; null where this transport or server gives factories no users of their own.
   */
  admit(factory: string, login: BusLogin): Promise<string | null>;
  /** Deletes a factory's user, and ends its connections. Repeatable; nothing where there are no users. */
  expel(factory: string): Promise<void>;
  /** Ends waiting reads and the connections; every later call is `bus_unavailable`. Repeatable. */
  close(): Promise<void>;
}
