/** The harness's ear: processes of the town ask it which of their points are armed, and what is to happen when they come to one. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Verdict } from "./gate.ts";

export interface Reached {
  who: string;
  life: string;
  point: string;
}

export interface Arm {
  /** A process; null: whoever comes first. */
  who: string | null;
  point: string;
  /**
   * What happens to the first that comes there. Until it resolves the process waits; it never does for one that was killed.
   * `null` lets it pass and stays armed: it was not what was waited for.
   */
  act(reached: Reached): Promise<Verdict | null>;
}

export interface Told {
  who: string;
  life: string;
  what: string;
  detail: unknown;
  /** The machine's time. */
  at: number;
}

export interface Controller {
  url: string;
  /** Arms a point once; the result takes it back. */
  arm(arm: Arm): () => void;
  /** What processes told, oldest first. */
  told: readonly Told[];
  close(): Promise<void>;
}

/** Listens on loopback. */
export async function startController(): Promise<Controller> {
  const arms = new Set<Arm>();
  const told: Told[] = [];
  const fits = (arm: Arm, who: string) => arm.who === null || arm.who === who;

  async function reached(here: Reached): Promise<Verdict> {
    // Of those that are armed now: one that lets this process pass is armed again, and not for this process.
    for (const arm of [...arms]) {
      if (!arms.has(arm) || arm.point !== here.point || !fits(arm, here.who)) continue;
      arms.delete(arm);
      const verdict = await arm.act(here);
      if (verdict !== null) return verdict;
      arms.add(arm);
    }
    return "go";
  }

  const server = createServer((request, response) => {
    const answer = (body: unknown) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
    const url = new URL(request.url ?? "/", "http://localhost");
    if (url.pathname === "/armed") {
      const who = url.searchParams.get("who") ?? "";
      answer([...new Set([...arms].filter((arm) => fits(arm, who)).map((arm) => arm.point))]);
      return;
    }
    json(request)
      .then(async (body) => {
        if (url.pathname === "/reached") return answer({ verdict: await reached(body as Reached) });
        told.push({ ...(body as Omit<Told, "at">), at: Date.now() });
        answer({});
      })
      .catch(() => response.destroy());
  });
  // A process may be held at a point for as long as a fault takes.
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arm(arm) {
      arms.add(arm);
      return () => arms.delete(arm);
    },
    told,
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

async function json(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}
