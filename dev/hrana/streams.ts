/** Streams: a connection that lives from one pipeline request to the next, named by a baton that is good for one use. */
import { randomBytes } from "node:crypto";
import { answer, openConnection, type Session } from "./execute.ts";
import type { Pipeline, StreamResult } from "./protocol.ts";
import { turns } from "./turns.ts";

interface Stream extends Session {
  /** Ends its turn at the database; null between transactions. */
  endTurn: (() => void) | null;
  expiry: ReturnType<typeof setTimeout> | null;
}

interface StreamLimits {
  /** A stream that its client left is rolled back after so long. */
  idleMs: number;
  /** Streams open at once. */
  open: number;
  /** Pipelines waiting for the database at once, and for how long. */
  waiting: number;
  waitMs: number;
}

export class StreamRefused extends Error {
  readonly code: string;
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function streams(file: string, limits: StreamLimits, onStatement?: Session["onStatement"]) {
  const parked = new Map<string, Stream>();
  const all = new Set<Stream>();
  const queue = turns(limits);

  function resume(baton: string): Stream {
    const stream = parked.get(baton);
    if (!stream) throw new StreamRefused(400, "STREAM_EXPIRED", "The stream has expired due to inactivity, or its baton was used before");
    parked.delete(baton);
    if (stream.expiry) clearTimeout(stream.expiry);
    return stream;
  }

  function start(): Stream {
    if (all.size >= limits.open) throw new StreamRefused(503, "STREAMS_FULL", `${all.size} streams are open; close some`);
    const stream: Stream = { db: openConnection(file), stored: new Map(), onStatement, endTurn: null, expiry: null };
    all.add(stream);
    return stream;
  }

  function park(stream: Stream): string {
    const baton = randomBytes(24).toString("base64url");
    parked.set(baton, stream);
    stream.expiry = setTimeout(() => {
      parked.delete(baton);
      end(stream);
    }, limits.idleMs);
    return baton;
  }

  function end(stream: Stream) {
    if (!all.delete(stream)) return;
    if (stream.expiry) clearTimeout(stream.expiry);
    // Closing alone leaves the transaction, and its lock, until the connection's statements are garbage-collected.
    if (stream.db.inTransaction) stream.db.exec("rollback");
    stream.db.close();
    stream.endTurn?.();
    stream.endTurn = null;
  }

  return {
    /** Runs one pipeline. Rejects with `StreamRefused`; errors of single requests are in the results. */
    async run(pipeline: Pipeline, signal: AbortSignal): Promise<{ baton: string | null; base_url: null; results: StreamResult[] }> {
      const stream = pipeline.baton ? resume(pipeline.baton) : start();
      try {
        stream.endTurn ??= await queue.take(signal).catch((error: Error) => {
          throw new StreamRefused(503, "SQLITE_BUSY", `database is locked: ${error.message}`);
        });
        const results = pipeline.requests.map((request) => answer(stream, request));
        if (pipeline.requests.some(({ type }) => type === "close")) {
          end(stream);
          return { baton: null, base_url: null, results };
        }
        if (!stream.db.inTransaction) {
          stream.endTurn();
          stream.endTurn = null;
        }
        return { baton: park(stream), base_url: null, results };
      } catch (error) {
        end(stream);
        throw error;
      }
    },
    closeAll() {
      parked.clear();
      for (const stream of [...all]) end(stream);
    },
  };
}
