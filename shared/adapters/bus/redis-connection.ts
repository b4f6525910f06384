/**
 * TCP connections to Redis, each used until its first fault. The client's own reconnection stays off: it would keep commands in
 * a queue of its own and send them when nobody waits for them any more. Whoever needs Redis next opens a new connection.
 */
import { createClient, ErrorReply } from "@redis/client";
import { closedBus, within } from "./rules.ts";

interface RedisConnection {
  readonly alive: boolean;
  /**
   * Sends commands in one write and resolves to their replies, in order; the server's refusal of one is an `Error` in its place.
   * Rejects, and ends the connection, when it broke or a reply is missing after `limitMs`.
   */
  send(commands: readonly (readonly string[])[], limitMs: number): Promise<unknown[]>;
  destroy(): void;
}

/** Errors: whatever the socket or the server said (refused, timeout, wrong password). */
async function connectRedis(url: string, limitMs: number): Promise<RedisConnection> {
  const client = createClient({
    url,
    // Replies are read in the shapes of RESP 2, which every Redis and Upstash speak.
    RESP: 2,
    // A factory's ACL permits none of the CLIENT commands.
    disableClientInfo: true,
    maintNotifications: "disabled",
    disableOfflineQueue: true,
    commandOptions: { timeout: 0 },
    socket: { connectTimeout: limitMs, reconnectStrategy: () => false },
  });
  // Without a listener an error event ends the process; the commands in flight are rejected with the same error.
  client.on("error", () => {});
  try {
    await within(limitMs, client.connect());
  } catch (error) {
    client.destroy();
    throw error;
  }
  return {
    get alive() {
      return client.isReady;
    },
    async send(commands, limitMs) {
      const replies = commands.map((command) =>
        client.sendCommand([...command]).catch((error: unknown) => {
          if (error instanceof ErrorReply) return error;
          throw error;
        }),
      );
      try {
        return await within(limitMs, Promise.all(replies));
      } catch (error) {
        client.destroy();
        throw error;
      }
    },
    destroy() {
      client.destroy();
    },
  };
}

interface ConnectionOptions {
  url: string;
  /** Longest wait for a connection, milliseconds. */
  limitMs: number;
  /** The shared connection is closed when nobody used it for so long, milliseconds. */
  idleMs: number;
}

/** One connection that everybody's short commands share, and one for each read that blocks. */
export function redisConnections({ url, limitMs, idleMs }: ConnectionOptions) {
  const open = new Set<RedisConnection>();
  const idle: RedisConnection[] = [];
  let shared: Promise<RedisConnection> | null = null;
  let users = 0;
  let resting: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  async function connect(): Promise<RedisConnection> {
    if (closed) throw closedBus();
    const connection = await connectRedis(url, limitMs);
    // Dead ones are forgotten here, where a new one takes their place.
    for (const old of open) if (!old.alive) open.delete(old);
    open.add(connection);
    if (closed) {
      connection.destroy();
      throw closedBus();
    }
    return connection;
  }

  async function common(): Promise<RedisConnection> {
    const current = shared;
    const connection = await current?.catch(() => null);
    if (connection?.alive) return connection;
    // Of several callers that found it dead the first connects; the others wait for that.
    if (shared === current || !shared) shared = connect();
    return shared;
  }

  function rest() {
    void shared?.then(
      (connection) => connection.destroy(),
      () => {},
    );
    shared = null;
  }

  return {
    get closed() {
      return closed;
    },
    /** Lends the one that everybody uses; it is closed when it was idle for a while. */
    async shared<T>(use: (connection: RedisConnection) => Promise<T>): Promise<T> {
      clearTimeout(resting);
      users += 1;
      try {
        return await use(await common());
      } finally {
        users -= 1;
        if (users === 0 && !closed) resting = setTimeout(rest, idleMs);
      }
    },
    /** Lends a connection; an abort destroys it, since nothing else ends a blocked command. */
    async alone<T>(signal: AbortSignal | undefined, use: (connection: RedisConnection) => Promise<T>): Promise<T> {
      let connection = idle.pop();
      while (connection && !connection.alive) connection = idle.pop();
      const lent = connection ?? (await connect());
      const onAbort = () => lent.destroy();
      if (signal?.aborted) onAbort();
      signal?.addEventListener("abort", onAbort);
      try {
        return await use(lent);
      } finally {
        signal?.removeEventListener("abort", onAbort);
        if (lent.alive) idle.push(lent);
      }
    },
    close() {
      closed = true;
      clearTimeout(resting);
      for (const connection of open) connection.destroy();
      open.clear();
    },
  };
}
