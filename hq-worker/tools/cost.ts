/** What was spent, from the ledger. */
import * as z from "zod";
import { showCost, tokensOf } from "#core/ledger.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import type { Tool } from "#ports/tool.ts";

const input = z.strictObject({});
const dayMs = 86_400_000;

export function costTool(hq: Headquarters): Tool<z.infer<typeof input>> {
  return {
    name: "cost",
    description: "What was spent today and in the last 30 days, by factory.",
    input,
    needs: null,
    repeatable: true,
    run: async () => ({ content: await costReport(hq) }),
  };
}

/** Days are UTC. */
export async function costReport(hq: Headquarters): Promise<string> {
  const now = hq.clock.now();
  const today = now - (now % dayMs);
  const ids = [hq.profile.id, ...(await hq.store.factories.list()).map((factory) => factory.id)];
  const lines = await Promise.all(
    ids.map(async (factory) => {
      const total = await hq.store.ledger.total({ factory, since: today });
      return `${factory}: ${showCost(total)} today, ${tokensOf(total.usage)} tokens in ${total.calls} calls`;
    }),
  );
  const month = await hq.store.ledger.total({ since: now - 30 * dayMs });
  return [...lines, `all, last 30 days: ${showCost(month)}`].join("\n");
}
