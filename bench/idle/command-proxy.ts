/**
 * A road to Redis that counts the commands which take it, so that the server's totals can be told apart by who asked. It reads
 * the client's side only: RESP arrays of bulk strings, which is what every client sends.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CommandProxy {
  port: number;
  /** Commands so far, by name in lower case. */
  counts(): Record<string, number>;
  close(): Promise<void>;
}

export async function startCommandProxy(redisPort: number): Promise<CommandProxy> {
  const counts = new Map<string, number>();
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const redis = connect(redisPort, "127.0.0.1");
    const count = commandCounter((name) => counts.set(name, (counts.get(name) ?? 0) + 1));
    client.on("data", count);
    for (const [socket, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      sockets.add(socket);
      socket.pipe(other);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    counts: () => Object.fromEntries(counts),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Takes a client's bytes as they come and tells the name of each command. */
export function commandCounter(tell: (name: string) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  /** Strings of the command that are still to come, and whether its name is. */
  let missing = 0;
  let named = true;
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const line = rest.indexOf("\r\n");
      if (line < 0) return;
      const size = Number(rest.subarray(1, line).toString());
      if (missing === 0) {
        missing = size;
        named = false;
        rest = rest.subarray(line + 2);
        continue;
      }
      const end = line + 2 + size + 2;
      if (rest.length < end) return;
      if (!named)
        tell(
          rest
            .subarray(line + 2, end - 2)
            .toString()
            .toLowerCase(),
        );
      named = true;
      missing -= 1;
      rest = rest.subarray(end);
    }
  };
}
