/** A bus that headquarters can't use is an incident: the owner sees it where factories, which have the same trouble, can say nothing. */
import { hasCode } from "#core/errors.ts";
import type { Headquarters } from "./headquarters.ts";

const dayMs = 24 * 3600_000;

/** Notes the trouble, once a day for each kind of it, and throws it on. */
export async function raiseBusAlarm({ store, clock }: Pick<Headquarters, "store" | "clock">, error: unknown): Promise<never> {
  if (hasCode(error, "bus_unavailable") || hasCode(error, "bus_denied")) {
    const now = clock.now();
    const text = `headquarters can't use the bus: ${error.message}`;
    await store.incident({ kind: "bus_trouble", factory: null, text, digest: `bus:${error.code}:${Math.floor(now / dayMs)}` }, now);
  }
  throw error;
}
