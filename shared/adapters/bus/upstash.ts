/**
 * Redis Streams over Upstash's REST protocol, for a Worker or wherever TCP can't go. Every method is one HTTP request; a `read` is one
 * for each look. Over REST nothing blocks: a wait looks again and again, the less often the longer nothing came.
 */
import { Redis } from "@upstash/redis/cloudflare";
import { channels, groupOf, streamOf } from "#core/fleet.ts";
import type { Bus, ReadOptions } from "#ports/bus.ts";
import { checkSize, closedBus, commandLimitMs, orAborted, pause } from "./rules.ts";
import { addCommand, entriesOf, groupRefusal, type Place, readBy, readCommand, readHealing, type StreamReply } from "./streams.ts";
import { upstashFailure, withoutCommand } from "./upstash-errors.ts";

/** When a wait looks again, `quietMs` after the last news: Upstash bills every look, so that one for each 200 ms is kept for busy times. */
export function nextLookMs(quietMs: number): number {
  return Math.min(Math.max(quietMs / 10, 200), 10_000);
}

interface UpstashBusOptions {
  /** `https://…`; `http://` for a gateway on this machine. */
  url: string;
  /** The REST token, which is not the database's password. */
  token: string;
  /** Longest wait for an answer, milliseconds. */
  limitMs?: number;
  /** Called before each HTTP request: a free Worker counts them. */
  onRequest?: (() => void) | undefined;
}

type Pipeline = ReturnType<Redis["pipeline"]>;
/** A pipeline or transaction of whatever commands. */
interface Commands {
  exec(options: { keepErrors: true }): Promise<readonly { result?: unknown; error?: string }[]>;
}

export function upstashBus({ url, token, limitMs = commandLimitMs, onRequest }: UpstashBusOptions): Bus {
  const closing = new AbortController();
  let lastNews = performance.now();
  /** Looks that nobody waits for any more: the server may still give them entries. */
  const calledOff = new Set<Promise<unknown>>();
  const redis = new Redis({
    url,
    token,
    // An answer that got lost must stay lost: the client's own retries made six entries of one XADD.
    retry: { retries: 0 },
    // "42" would become a number, and "null" nothing.
    automaticDeserialization: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    // Asked for each request. Given a signal instead, the client would answer an abort with a result.
    signal: () => AbortSignal.any([closing.signal, AbortSignal.timeout(limitMs)]),
  });

  /** One request. What Upstash says of a single command is thrown as it is; `doing` tells the rest. */
  async function ask<T>(request: () => Promise<T>): Promise<T> {
    if (closing.signal.aborted) throw closedBus();
    onRequest?.();
    try {
      return await request();
    } catch (error) {
      throw closing.signal.aborted ? closedBus() : withoutCommand(error);
    }
  }

  async function send<T>(doing: string, command: string[]): Promise<T> {
    try {
      return await ask(() => redis.exec<T>(command as [string, ...string[]]));
    } catch (error) {
      throw upstashFailure(doing, error);
    }
  }

  /** Replies in order, refusals among them. */
  async function sendAll(doing: string, commands: Commands): Promise<unknown[]> {
    try {
      const items = await ask(() => commands.exec({ keepErrors: true }));
      return items.map(({ error, result }) => (error === undefined ? result : new Error(error)));
    } catch (error) {
      throw upstashFailure(doing, error);
    }
  }

  function addGroups(pipeline: Pipeline, of: readonly Place[]) {
    for (const { factory, channel } of of) {
      pipeline.xgroup(streamOf(factory, channel), { type: "CREATE", group: groupOf[channel], id: "0", options: { MKSTREAM: true } });
    }
    return pipeline;
  }

  async function makeGroups(of: readonly Place[]) {
    const refusal = groupRefusal(await sendAll("make its groups", addGroups(redis.pipeline(), of)));
    if (refusal) throw upstashFailure("make its groups", refusal);
  }

  async function look(options: ReadOptions) {
    try {
      const reply = await readHealing(
        () => ask(() => redis.exec<StreamReply[] | null>(readCommand(options) as [string, ...string[]])),
        () => makeGroups(options.from),
      );
      return entriesOf(reply, options.from);
    } catch (error) {
      throw upstashFailure("read", error);
    }
  }

  function callOff(looking: Promise<unknown>) {
    const over = looking.catch(() => undefined).finally(() => calledOff.delete(over));
    calledOff.add(over);
  }

  return {
    async open(factory) {
      await makeGroups(channels.map((channel) => ({ factory, channel })));
    },
    async publish(to, data, keep) {
      checkSize(data);
      const id = await send<string | null>("publish", addCommand(to, data, keep));
      if (id !== null) return id;
      const again = addGroups(redis.pipeline(), readBy(to.factory)).xadd(
        streamOf(to.factory, to.channel),
        "*",
        { e: data },
        { nomkStream: true },
      );
      const replies = await sendAll("publish", again);
      const added = replies.at(-1);
      if (typeof added === "string") return added;
      throw upstashFailure("publish", groupRefusal(replies) ?? new Error("the stream went again before the entry came"));
    },
    async read(options) {
      const { from, what, signal, blockMs } = options;
      if (closing.signal.aborted) throw closedBus();
      // What those looks are given is pending only then: asked for before, it would be missed. Each ends at the limits of its requests.
      if (what === "own") await orAborted(Promise.all(calledOff), [], signal);
      const until = performance.now() + blockMs;
      while (from.length > 0 && !signal?.aborted) {
        const looking = look(options);
        const entries = await orAborted(looking, [], signal);
        if (signal?.aborted) callOff(looking);
        if (entries.length > 0) lastNews = performance.now();
        const now = performance.now();
        if (entries.length > 0 || what === "own" || now >= until || signal?.aborted) return entries;
        await pause(Math.min(nextLookMs(now - lastNews), until - now), signal, closing.signal);
        if (closing.signal.aborted) throw closedBus();
      }
      return [];
    },
    async finish(factory, result, orderId) {
      checkSize(result);
      const both = redis.multi().xadd(streamOf(factory, "out"), "*", { e: result }).xack(streamOf(factory, "in"), groupOf.in, orderId);
      const replies = await sendAll("finish an order", both);
      const refusal = replies.find((reply) => reply instanceof Error);
      if (refusal) throw upstashFailure("finish an order", refusal);
      // Who ended one task may soon be given the next.
      lastNews = performance.now();
      return String(replies[0]);
    },
    async ack({ factory, channel }, ids) {
      if (ids.length > 0) await send("acknowledge", ["XACK", streamOf(factory, channel), groupOf[channel], ...ids]);
    },
    async remove({ factory, channel }, ids) {
      if (ids.length === 0) return;
      const stream = streamOf(factory, channel);
      const both = redis
        .pipeline()
        .xack(stream, groupOf[channel], [...ids])
        .xdel(stream, [...ids]);
      const refusal = (await sendAll("remove entries", both)).find((reply) => reply instanceof Error);
      if (refusal) throw upstashFailure("remove entries", refusal);
    },
    async length({ factory, channel }) {
      return Number(await send<number>("count entries", ["XLEN", streamOf(factory, channel)]));
    },
    // Its users have no selectors and take no passwords but its own: the operator makes them (docs/bus.md).
    async admit() {
      return null;
    },
    async expel() {},
    async close() {
      closing.abort();
    },
  };
}
