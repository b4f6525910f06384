/**
 * Redis Streams over TCP. Raw commands, because the client's typed ones throw on an entry that was trimmed under a pending id.
 * Connections open when first needed, so the same code serves a desktop for weeks and a Worker for one request.
 */
import { channels, groupOf, streamOf } from "#core/fleet.ts";
import type { Bus, ReadOptions } from "#ports/bus.ts";
import { redisConnections } from "./redis-connection.ts";
import { expelCommand, userCommand, userOf } from "./redis-users.ts";
import { checkSize, closedBus, commandLimitMs, unavailable } from "./rules.ts";
import {
  addCommand,
  entriesOf,
  groupCommand,
  groupRefusal,
  type Place,
  readBy,
  readCommand,
  readHealing,
  type StreamReply,
} from "./streams.ts";

/**
 * Longest single BLOCK, milliseconds. A waiting connection is not pinged, since hosted Redis bills a ping: a link that went silent is
 * noticed when the reply is missing after this and the command limit. The client's TCP keep-alive holds the link open in routers. Leases
 * don't depend on any of it.
 */
export const blockChunkMs = 55_000;

/**
 * A quiet connection is closed: pinging it would cost a command a minute, and one that died silently in between would cost the next
 * caller the command limit.
 */
const idleConnectionMs = 30_000;

interface RedisBusOptions {
  /** `redis[s]://[user:password@]host:port`. */
  url: string;
  /** Longest wait for a reply, milliseconds. */
  limitMs?: number;
  /** When a connection that nobody uses is closed, milliseconds. */
  idleMs?: number;
}

export function redisBus({ url, limitMs = commandLimitMs, idleMs = idleConnectionMs }: RedisBusOptions): Bus {
  const connections = redisConnections({ url, limitMs, idleMs });

  /** Replies in order, refusals by the server among them. */
  async function send(doing: string, commands: string[][]): Promise<unknown[]> {
    if (connections.closed) throw closedBus();
    try {
      return await connections.shared((connection) => connection.send(commands, limitMs));
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

  async function makeGroups(of: readonly Place[]) {
    const refusal = groupRefusal(await send("make its groups", of.map(groupCommand)));
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

  async function readOnce(options: ReadOptions, blockMs: number) {
    const command = readCommand(options, blockMs);
    const reply = blockMs > 0 ? await block(command, blockMs, options.signal) : (await send("read", [command]))[0];
    if (reply instanceof Error) throw reply;
    return entriesOf(reply as StreamReply[] | null, options.from);
  }

  return {
    async open(factory) {
      await makeGroups(channels.map((channel) => ({ factory, channel })));
    },
    async publish(to, data, keep) {
      checkSize(data);
      const add = addCommand(to, data, keep);
      const [id] = await sendAll("publish", [add]);
      if (id !== null) return String(id);
      const replies = await send("publish", [...readBy(to.factory).map(groupCommand), add]);
      const added = replies.at(-1);
      if (typeof added === "string") return added;
      throw unavailable("publish", groupRefusal(replies) ?? new Error("the stream went again before the entry came"));
    },
    async read(options) {
      const { from, what, signal } = options;
      if (connections.closed) throw closedBus();
      const until = performance.now() + options.blockMs;
      while (from.length > 0 && !signal?.aborted) {
        const left = what === "new" ? Math.max(0, Math.ceil(until - performance.now())) : 0;
        const chunk = Math.min(left, blockChunkMs);
        const entries = await readHealing(
          () => readOnce(options, chunk),
          () => makeGroups(from),
        ).catch((error: unknown) => {
          throw unavailable("read", error);
        });
        // Whoever waited for all that was left has waited enough, even if the server's clock is a little ahead.
        if (entries.length > 0 || chunk === left) return entries;
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
    async admit(factory, login) {
      // A refusal means that the server knows no such users, or lets this login make none: either way there is none.
      const [reply] = await send("make a factory's user", [userCommand(factory, login)]);
      return reply instanceof Error ? null : userOf(factory);
    },
    async expel(factory) {
      const [reply] = await send("delete a factory's user", [expelCommand(factory)]);
      // A server that knows no users has none to delete; any other refusal leaves one that somebody may log in as.
      if (reply instanceof Error && !reply.message.startsWith("ERR unknown")) throw unavailable("delete a factory's user", reply);
    },
    async close() {
      connections.close();
    },
  };
}
