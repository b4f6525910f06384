/** Connections of the gateway to Redis, in RESP 2: in RESP 3 XREADGROUP has another shape than Upstash gives it. */
import { createClient, ErrorReply, RESP_TYPES } from "@redis/client";

export interface Connections {
  /** Replies in order, Redis's refusals among them as errors. Rejects where Redis can't be reached: what was done is unknown. */
  run(commands: string[][]): Promise<unknown[]>;
  /** All or nothing, on a connection that nobody else uses meanwhile: MULTI does not nest. The error of a discarded one is alone. */
  transact(commands: string[][]): Promise<unknown[] | Error>;
  close(): void;
}

async function connect(url: string) {
  const client = createClient({
    url,
    RESP: 2,
    disableClientInfo: true,
    disableOfflineQueue: true,
    socket: { reconnectStrategy: () => false },
  });
  client.on("error", () => {});
  await client.connect();
  return client;
}
type Connection = Awaited<ReturnType<typeof connect>>;

const bytes = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };

function send(connection: Connection, command: string[]): Promise<unknown> {
  return connection.sendCommand(command, bytes).catch((error: unknown) => {
    if (error instanceof ErrorReply) return error;
    throw error;
  });
}

export function connectionsTo(url: string): Connections {
  const open = new Set<Connection>();
  const idle: Connection[] = [];
  let shared: Promise<Connection> | null = null;
  let closed = false;

  async function fresh(): Promise<Connection> {
    const connection = await connect(url);
    for (const old of open) if (!old.isReady) open.delete(old);
    open.add(connection);
    if (closed) connection.destroy();
    return connection;
  }

  async function common(): Promise<Connection> {
    const current = shared;
    const connection = await current?.catch(() => null);
    if (connection?.isReady) return connection;
    if (shared === current || !shared) shared = fresh();
    return shared;
  }

  return {
    async run(commands) {
      const connection = await common();
      return Promise.all(commands.map((command) => send(connection, command)));
    },
    async transact(commands) {
      let connection = idle.pop();
      while (connection && !connection.isReady) connection = idle.pop();
      const own = connection ?? (await fresh());
      const replies = await Promise.all([["MULTI"], ...commands, ["EXEC"]].map((command) => send(own, command)));
      idle.push(own);
      const executed = replies.at(-1);
      if (Array.isArray(executed)) return executed;
      return executed instanceof Error ? executed : new Error("EXECABORT Transaction discarded");
    },
    close() {
      closed = true;
      for (const connection of open) connection.destroy();
      open.clear();
    },
  };
}
