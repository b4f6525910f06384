/** Ports of the box: the usual ones where they are free, so that links stay good from start to start. */
import { createServer } from "node:net";

export const usualPorts = { hq: 8787, chat: 8788, database: 8789, bus: 8790, model: 8791 } as const;

/** `wanted` if it is free, else any free port of the loopback interface. */
export async function freePort(wanted: number): Promise<number> {
  return (await tryPort(wanted)) ?? (await tryPort(0)) ?? wanted;
}

function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(null));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : null));
    });
  });
}
