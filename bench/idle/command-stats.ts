/** What a Redis says that it was asked: `INFO commandstats`, all clients together. */
import { createClient } from "@redis/client";

/** Calls by command name (`xreadgroup`, `client|setinfo`), without those of this look. A read that still blocks is not among them. */
export async function commandStats(port: number, password: string): Promise<Record<string, number>> {
  const client = createClient({ url: `redis://:${password}@127.0.0.1:${port}`, RESP: 2, disableClientInfo: true });
  client.on("error", () => {});
  await client.connect();
  try {
    const text = String(await client.sendCommand(["INFO", "commandstats"]));
    looks += 1;
    const calls = Object.fromEntries(
      [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name = "", count]) => [name, Number(count)]),
    );
    // Each look logs in with one command; INFO itself is counted once it has been answered.
    const { info: _, ...others } = calls;
    return { ...others, auth: (others.auth ?? 0) - looks };
  } finally {
    client.destroy();
  }
}

let looks = 0;
