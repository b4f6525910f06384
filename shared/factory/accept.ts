/** A bus entry becomes an attempt: verified, journalled once, claimed at HQ. Nothing unsigned, altered or replayed gets further. */
import type { Envelope } from "#core/envelope.ts";
import { publicMessage, UacError } from "#core/errors.ts";
import type { BusEntry } from "#ports/bus.ts";
import type { Attempt } from "#ports/journal.ts";
import type { Branch } from "./branch.ts";
import { sendReport } from "./report.ts";
import { seal } from "./seal.ts";

/** Deliveries of an entry after its first, each by a program that began anew. */
const maxDeliveries = 3;

/** The envelope in an entry that HQ sent us; rejects with `bad_envelope`. */
export function openEntry(deps: Branch, data: string): Promise<Envelope> {
  const trusted = async (kid: string) => (kid === deps.hqKid ? { owner: "hq", key: deps.hqKey } : null);
  return deps.verifier.open(data, deps.self, trusted, deps.clock.now());
}

/**
 * An entry that was delivered before this program began, which may be what ended the one before it. Refused, unread, if it was
 * delivered too often without being taken in; else as any order.
 */
export async function acceptAgain(deps: Branch, entry: BusEntry): Promise<Attempt | null> {
  const times = await deps.journal.deliver(entry.id);
  if (times <= maxDeliveries) return acceptOrder(deps, entry);
  await refuse(deps, entry, `it was delivered ${times} times, and each time the factory ended before it had taken it in`);
  return null;
}

/** Resolves to the attempt to work on; null where there is nothing (more) to do with this entry. */
export async function acceptOrder(deps: Branch, entry: BusEntry): Promise<Attempt | null> {
  const { journal, bus, clock, log, self } = deps;
  const inbox = { factory: self, channel: "in" as const };
  if (entry.data === null) {
    // What the journal holds is not lost; anything else was an order that nobody can read any more, and HQ gives it out anew.
    if ((await journal.open()).some(({ entryId }) => entryId === entry.id)) await bus.ack(inbox, [entry.id]);
    else await refuse(deps, entry, "it was trimmed away before it could be read");
    return null;
  }
  let envelope: Envelope;
  try {
    envelope = await openEntry(deps, entry.data);
    if (envelope.kind !== "order") throw new UacError("bad_envelope", `a ${envelope.kind} does not belong among the orders`);
  } catch (error) {
    await refuse(deps, entry, publicMessage(error));
    return null;
  }
  const order = envelope.body;
  const fresh = await journal.accept({ order, orderId: envelope.id, entryId: entry.id }, clock.now());
  if (fresh) return journal.find(order.task, order.epoch);

  const known = await journal.find(order.task, order.epoch);
  log.info("an order came again", { task: order.task, epoch: order.epoch, state: known?.state });
  // The entry that brought it first is acknowledged with its result; a copy is acknowledged here.
  if (known?.entryId !== entry.id || known.state === "reported") await bus.ack(inbox, [entry.id]);
  return null;
}

/** Tells HQ that an entry was refused, and lets it go. */
async function refuse(deps: Branch, entry: BusEntry, reason: string) {
  deps.log.error("an entry on the bus was refused", { entry: entry.id, reason });
  await sendReport(deps, "reject", { entry: entry.id, reason: reason.slice(0, 500) }, { corr: null, ackEntry: entry.id, told: [] });
}

export type Claimed = { token: string; resumed: boolean } | "refused" | "unreachable";

/** Asks HQ for the claim. `refused`: never start it; `unreachable`: ask again later. */
export async function claimAttempt(deps: Branch, attempt: Attempt): Promise<Claimed> {
  const { order, orderId } = attempt;
  const { jws } = await seal(deps, "claim", { task: order.task, epoch: order.epoch, order: orderId }, { aud: "hq", corr: order.task });
  try {
    const { token, resumed } = await deps.hq.claim(jws);
    return { token, resumed };
  } catch (error) {
    const code = error instanceof UacError ? error.code : "internal";
    deps.log.warn("no claim", { task: order.task, epoch: order.epoch, code, reason: publicMessage(error) });
    return code === "conflict" || code === "forbidden" || code === "gone" || code === "not_found" ? "refused" : "unreachable";
  }
}
