/**
 * Redis Streams over TCP. One field `e` per entry; other fields are ignored. Raw commands, because the client's typed ones
 * throw on an entry that was trimmed under a pending id. Connections open when first needed, so the same code serves a
 * desktop for weeks and a Worker for one request.
 */
import { type Channel, channels, groupOf, streamOf } from "#core/fleet.ts";
import type { Bus, BusEntry, ReadOptions } from "#ports/bus.ts";
import { redisConnections } from "./redis-connection.ts";
import { checkSize, closedBus, commandLimitMs, readPlan, unavailable } from "./rules.ts";

/** Longest single BLOCK, milliseconds: with the command limit on top, a silent link is noticed well within a lease. */
const blockChunkMs = 25_000;

interface RedisBusOptions {
  /** `redis[s]://[user:password@]host:port`. */
  url: string;
  /** Longest wait for a reply, milliseconds. */
  limitMs?: number;
}

export function redisBus({ url, limitMs = commandLimitMs }: RedisBusOptions): Bus {
  const connections = redisConnections(url, limitMs);

  /** Replies in order, refusals by the server among them. */
  async function send(doing: string, commands: string[][]): Promise<unknown[]> {
    if (connections.closed) throw closedBus();
    try {
      const connection = await connections.shared();
      return await connection.send(commands, limitMs);
    } catch (error) {
      throw connections.closed ? closedBus() : unavailable(doing, error);
    }
  }

  /** The same, where a refusal of any of them is an error. */
  async function sendAll(doing: string, commands: string[][]): Promise<unknown[]> {
    const replies = await send(doing, commands);
    const refusal = replies.find((reply) => reply instanceof Error);
    if (refusal) throw unavailable(doing, refusal);
    return replies;
  }

  async function makeGroups(of: readonly { factory: string; channel: Channel }[]) {
    const replies = await send("make its groups", of.map(createGroup));
    const refusal = replies.find((reply) => reply instanceof Error && !reply.message.startsWith("BUSYGROUP"));
    if (refusal) throw unavailable("make its groups", refusal);
  }

  async function block(command: string[], ms: number, signal: AbortSignal | undefined): Promise<unknown> {
    if (connections.closed) throw closedBus();
    try {
      const [reply] = await connections.alone(signal, (connection) => connection.send([command], ms + limitMs));
      return reply;
    } catch (error) {
      if (connections.closed) throw closedBus();
      if (signal?.aborted) return null;
      throw unavailable("read", error);
    }
  }

  async function readOnce(options: ReadOptions, blockMs: number): Promise<BusEntry[]> {
    const { streams, group } = readPlan(options);
    const start = options.what === "own" ? "0" : ">";
    const command = [
      ...["XREADGROUP", "GROUP", group, options.consumer, "COUNT", String(options.count)],
      ...(blockMs > 0 ? ["BLOCK", String(blockMs)] : []),
      ...["STREAMS", ...streams, ...streams.map(() => start)],
    ];
    const reply = blockMs > 0 ? await block(command, blockMs, options.signal) : (await send("read", [command]))[0];
    if (reply instanceof Error) throw reply;
    const at = new Map(streams.map((stream, i) => [stream, options.from[i]]));
    return ((reply ?? []) as StreamReply[]).flatMap(([stream, entries]) => {
      const of = at.get(stream);
      return of ? entries.map(([id, fields]) => ({ factory: of.factory, channel: of.channel, id, data: fieldE(fields) })) : [];
    });
  }

  return {
    async open(factory) {
      await makeGroups(channels.map((channel) => ({ factory, channel })));
    },
    async publish({ factory, channel }, data, keep) {
      checkSize(data);
      const trim = keep === undefined ? [] : ["MAXLEN", "~", String(keep)];
      const add = ["XADD", streamOf(factory, channel), ...trim, "*", "e", data];
      if (groupOf[channel] === "hq") return String((await sendAll("publish", [add]))[0]);
      // A factory's ACL may forbid it to make its groups, so whoever sends to it makes them again after a wipe.
      const groups = (["in", "ctl"] as const).map((to) => createGroup({ factory, channel: to }));
      const added = (await send("publish", [...groups, add])).at(-1);
      if (added instanceof Error) throw unavailable("publish", added);
      return String(added);
    },
    async read(options) {
      const { from, what, signal } = options;
      if (connections.closed) throw closedBus();
      const until = performance.now() + options.blockMs;
      let healed = 0;
      while (from.length > 0 && !signal?.aborted) {
        const left = what === "new" ? Math.ceil(until - performance.now()) : 0;
        try {
          const entries = await readOnce(options, Math.max(0, Math.min(left, blockChunkMs)));
          if (entries.length > 0 || what === "own" || performance.now() >= until) return entries;
        } catch (error) {
          if (!isMissingGroup(error) || healed === 2) throw unavailable("read", error);
          healed += 1;
          await makeGroups(from);
        }
      }
      return [];
    },
    async finish(factory, result, orderId) {
      checkSize(result);
      const add = ["XADD", streamOf(factory, "out"), "*", "e", result];
      const ack = ["XACK", streamOf(factory, "in"), groupOf.in, orderId];
      const executed = (await sendAll("finish an order", [["MULTI"], add, ack, ["EXEC"]])).at(-1);
      const refusal = Array.isArray(executed)
        ? executed.find((reply) => reply instanceof Error)
        : new Error("the transaction was discarded");
      if (refusal || !Array.isArray(executed)) throw unavailable("finish an order", refusal);
      return String(executed[0]);
    },
    async ack({ factory, channel }, ids) {
      if (ids.length > 0) await sendAll("acknowledge", [["XACK", streamOf(factory, channel), groupOf[channel], ...ids]]);
    },
    async remove({ factory, channel }, ids) {
      const stream = streamOf(factory, channel);
      if (ids.length === 0) return;
      await sendAll("remove entries", [
        ["XACK", stream, groupOf[channel], ...ids],
        ["XDEL", stream, ...ids],
      ]);
    },
    async length({ factory, channel }) {
      return Number((await sendAll("count entries", [["XLEN", streamOf(factory, channel)]]))[0]);
    },
    async close() {
      connections.close();
    },
  };
}

type StreamReply = [stream: string, entries: [id: string, fields: string[] | null][]];

/** "" for an entry without the field: unreadable to whoever gets it, unlike one that is gone. */
function fieldE(fields: string[] | null): string | null {
  if (!fields) return null;
  const names = fields.filter((_, i) => i % 2 === 0);
  return fields[names.indexOf("e") * 2 + 1] ?? "";
}

function createGroup({ factory, channel }: { factory: string; channel: Channel }): string[] {
  return ["XGROUP", "CREATE", streamOf(factory, channel), groupOf[channel], "0", "MKSTREAM"];
}

/** NOGROUP: the stream or its group is gone. UNBLOCKED: it went while a read was waiting on it. */
function isMissingGroup(error: unknown): boolean {
  return error instanceof Error && /^(NOGROUP|UNBLOCKED)\b/.test(error.message);
}
