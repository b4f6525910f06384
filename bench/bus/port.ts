/** Our port with signature and journal: an order sealed by headquarters, published, read, verified, and on the branch's disk. */
import { ordersKept } from "#core/fleet.ts";
import { defaultLimits } from "#core/limits.ts";
import { acceptOrder } from "#factory/accept.ts";
import { seal } from "#factory/seal.ts";
import { openBranch } from "./branch.ts";
import { type Contender, payload, underWay } from "./contender.ts";
import type { BenchHq } from "./headquarters.ts";

const id = "desk-port";

export async function signedPort(headquarters: BenchHq, busUrl: string, folder: string): Promise<Contender> {
  const jobs = underWay();
  const { branch, close } = await openBranch({ id, busUrl, headquarters, folder, slots: 1, onWork: () => {} });
  const { hq } = headquarters;
  const ending = new AbortController();
  let width = 1;

  /** As the branch's own loop reads: one entry after the other. */
  async function read() {
    const from = (["in", "ctl"] as const).map((channel) => ({ factory: id, channel }));
    while (!ending.signal.aborted) {
      const asked = { from, consumer: id, what: "new", count: width, blockMs: 25_000, signal: ending.signal } as const;
      for (const entry of await branch.bus.read(asked)) {
        const attempt = await acceptOrder(branch, entry);
        if (attempt) jobs.arrive(attempt.order.task);
      }
    }
  }
  const reading = read().catch((error: unknown) => jobs.fail(error));

  return {
    name: "port",
    about: "order sealed (Ed25519) → published → read → verified → in the branch's journal, on disk",
    async hand() {
      const { id: task, arrived } = jobs.start();
      const order = { task, epoch: 1, kind: null, title: "Bench", instruction: payload, workspace: null };
      const body = { ...order, limits: defaultLimits, requireVerified: false, follow: null };
      const { jws } = await seal(hq, "order", body, { aud: id, corr: task, seq: 1 });
      await hq.bus.publish({ factory: id, channel: "in" }, jws, ordersKept);
      return arrived;
    },
    widen(inFlight) {
      width = inFlight;
    },
    settled: async () => {},
    async close() {
      ending.abort();
      await reading;
      await close();
    },
  };
}
