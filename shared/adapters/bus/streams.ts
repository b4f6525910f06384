/**
 * Redis Streams as both transports over Redis use them: commands to send, replies to read. One field `e` per entry; other fields
 * are ignored. Replies are in the shapes of RESP 2, which every Redis and Upstash speak.
 */
import { type Channel, groupOf, streamOf } from "#core/fleet.ts";
import type { BusEntry, ReadOptions } from "#ports/bus.ts";
import { readPlan } from "./rules.ts";

export interface Place {
  factory: string;
  channel: Channel;
}

export type StreamReply = [stream: string, entries: [id: string, fields: string[] | null][]];

/** `blockMs`: 0 returns at once. */
export function readCommand(options: ReadOptions, blockMs = 0): string[] {
  const { streams, group } = readPlan(options);
  const start = options.what === "own" ? "0" : ">";
  return [
    ...["XREADGROUP", "GROUP", group, options.consumer, "COUNT", String(options.count)],
    ...(blockMs > 0 ? ["BLOCK", String(blockMs)] : []),
    ...["STREAMS", ...streams, ...streams.map(() => start)],
  ];
}

/** Of the reply to `readCommand`; null is none. */
export function entriesOf(reply: StreamReply[] | null, from: readonly Place[]): BusEntry[] {
  const at = new Map(from.map((place) => [streamOf(place.factory, place.channel), place]));
  return (reply ?? []).flatMap(([stream, entries]) => {
    const of = at.get(stream);
    return of ? entries.map(([id, fields]) => ({ factory: of.factory, channel: of.channel, id, data: fieldE(fields) })) : [];
  });
}

/** "" for an entry without the field: unreadable to whoever gets it, unlike one that is gone. */
function fieldE(fields: string[] | null): string | null {
  if (!fields) return null;
  const names = fields.filter((_, i) => i % 2 === 0);
  return fields[names.indexOf("e") * 2 + 1] ?? "";
}

/**
 * An entry for a stream that a factory reads is not added where the stream is gone: its user may not make groups, so whoever sends to
 * it makes the stream with its group first. Streams that HQ reads are made by their first entry, and get their group from HQ.
 */
export function addCommand(to: Place, data: string, keep: number | undefined): string[] {
  const there = groupOf[to.channel] === "f" ? ["NOMKSTREAM"] : [];
  const trim = keep === undefined ? [] : ["MAXLEN", "~", String(keep)];
  return ["XADD", streamOf(to.factory, to.channel), ...there, ...trim, "*", "e", data];
}

export const groupCommand = ({ factory, channel }: Place): string[] => [
  ...["XGROUP", "CREATE", streamOf(factory, channel), groupOf[channel], "0", "MKSTREAM"],
];

/** Both streams that a factory reads: one that is gone is seldom gone alone. */
export const readBy = (factory: string): Place[] => [
  { factory, channel: "in" },
  { factory, channel: "ctl" },
];

/** Anything but that the group is there already. */
export function groupRefusal(replies: readonly unknown[]): Error | undefined {
  return replies.find((reply): reply is Error => reply instanceof Error && !reply.message.startsWith("BUSYGROUP"));
}

/** Reads; where a group is missing makes it and reads again, twice at most. Other errors pass through. */
export async function readHealing<T>(read: () => Promise<T>, makeGroups: () => Promise<void>): Promise<T> {
  for (let healed = 0; ; healed += 1) {
    try {
      return await read();
    } catch (error) {
      if (!isMissingGroup(error) || healed === 2) throw error;
      await makeGroups();
    }
  }
}

/** NOGROUP: the stream or its group is gone. UNBLOCKED: it went while a read was waiting on it. */
function isMissingGroup(error: unknown): boolean {
  return error instanceof Error && /^(NOGROUP|UNBLOCKED)\b/.test(error.message);
}
