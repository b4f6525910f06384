/** Streams in this process: the fake that the contract holds to the same rules as the real ones. */
import { streamOf } from "#core/fleet.ts";
import type { Bus, BusEntry, ReadOptions } from "#ports/bus.ts";
import { checkSize, closedBus, pause, readPlan } from "./rules.ts";

interface Stream {
  entries: Map<number, string>;
  /** Id up to which entries were given to somebody. */
  delivered: number;
  /** Id → consumer. */
  pending: Map<number, string>;
}

/** What several buses share, as several clients share a server. */
interface MemoryStreams {
  streams: Map<string, Stream>;
  /** Never starts again, so that an id from before a stream was lost never names a new entry. */
  lastId: number;
  /** Aborted and replaced at every publish. */
  news: AbortController;
}

export function memoryStreams(): MemoryStreams {
  return { streams: new Map(), lastId: 0, news: new AbortController() };
}

export function memoryBus(shared: MemoryStreams = memoryStreams()): Bus {
  const closing = new AbortController();

  function guard() {
    if (closing.signal.aborted) throw closedBus();
  }

  function stream(name: string): Stream {
    const found = shared.streams.get(name) ?? { entries: new Map(), delivered: 0, pending: new Map() };
    shared.streams.set(name, found);
    return found;
  }

  function append(name: string, data: string, keep?: number): string {
    const to = stream(name);
    shared.lastId += 1;
    const id = shared.lastId;
    to.entries.set(id, data);
    if (keep !== undefined) {
      for (const id of [...to.entries.keys()].slice(0, Math.max(0, to.entries.size - keep))) to.entries.delete(id);
    }
    const { news } = shared;
    shared.news = new AbortController();
    news.abort();
    return String(id);
  }

  function take({ from, consumer, what, count }: ReadOptions, names: string[]): BusEntry[] {
    return from.flatMap(({ factory, channel }, i) => {
      const at = stream(names[i] ?? "");
      if (what === "new") {
        const fresh = [...at.entries.keys()].filter((id) => id > at.delivered).slice(0, count);
        for (const id of fresh) at.pending.set(id, consumer);
        at.delivered = fresh.at(-1) ?? at.delivered;
        return fresh.map((id) => ({ factory, channel, id: String(id), data: at.entries.get(id) ?? null }));
      }
      const own = [...at.pending].filter(([, owner]) => owner === consumer).map(([id]) => id);
      return own
        .sort((a, b) => a - b)
        .slice(0, count)
        .map((id) => ({ factory, channel, id: String(id), data: at.entries.get(id) ?? null }));
    });
  }

  return {
    async open(factory) {
      guard();
      for (const channel of ["in", "ctl", "out", "ev"] as const) stream(streamOf(factory, channel));
    },
    async publish({ factory, channel }, data, keep) {
      guard();
      checkSize(data);
      return append(streamOf(factory, channel), data, keep);
    },
    async read(options) {
      guard();
      const { streams } = readPlan(options);
      const until = performance.now() + options.blockMs;
      while (streams.length > 0 && !options.signal?.aborted) {
        const entries = take(options, streams);
        const left = until - performance.now();
        if (entries.length > 0 || options.what === "own" || left <= 0) return entries;
        await pause(left, options.signal, closing.signal, shared.news.signal);
        guard();
      }
      return [];
    },
    async finish(factory, result, orderId) {
      guard();
      checkSize(result);
      stream(streamOf(factory, "in")).pending.delete(Number(orderId));
      return append(streamOf(factory, "out"), result);
    },
    async ack({ factory, channel }, ids) {
      guard();
      for (const id of ids) stream(streamOf(factory, channel)).pending.delete(Number(id));
    },
    async remove({ factory, channel }, ids) {
      guard();
      for (const id of ids) {
        stream(streamOf(factory, channel)).pending.delete(Number(id));
        stream(streamOf(factory, channel)).entries.delete(Number(id));
      }
    },
    async length({ factory, channel }) {
      guard();
      return stream(streamOf(factory, channel)).entries.size;
    },
    async admit() {
      guard();
      return null;
    },
    async expel() {
      guard();
    },
    async close() {
      closing.abort();
    },
  };
}
