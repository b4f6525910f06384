/** Bus → state of record: HQ reads what factories say, accepts what is theirs to say, and tells the owner. */
import type { Envelope, Result } from "#core/envelope.ts";
import { publicMessage } from "#core/errors.ts";
import { isTerminal } from "#core/task.ts";
import type { BusEntry } from "#ports/bus.ts";
import type { Factory } from "#ports/store.ts";
import { announce } from "./announce.ts";
import { cardEdit } from "./card.ts";
import type { Headquarters } from "./headquarters.ts";
import { requeue } from "./recover.ts";

/** Entries of each stream read in one go, and how many goes one call makes at most. */
const perRead = 50;
const maxReads = 4;

/** Reads and settles until the streams are empty or the bound is met. Resolves to how many entries were settled. */
export async function drain(deps: Headquarters): Promise<number> {
  const fleet = (await deps.store.factories.list()).filter((f) => f.status !== "retired" && f.status !== "pending");
  if (fleet.length === 0) return 0;
  const from = fleet.flatMap(({ id }) => [
    { factory: id, channel: "out" as const },
    { factory: id, channel: "ev" as const },
  ]);
  let settled = 0;
  for (const what of ["own", "new", "new", "new"].slice(0, maxReads) as ("own" | "new")[]) {
    const entries = await deps.bus.read({ from, consumer: "hq", what, count: perRead, blockMs: 0 });
    if (what === "new" && entries.length === 0) break;
    for (const entry of entries) await settleEntry(deps, entry, fleet);
    settled += entries.length;
  }
  return settled;
}

/** The entry is removed only after what it says is stored: a crash between the two settles it again, to no effect. */
async function settleEntry(deps: Headquarters, entry: BusEntry, fleet: readonly Factory[]) {
  const { store, bus, verifier, clock, log } = deps;
  const trusted = async (kid: string) => {
    const factory = fleet.find((candidate) => candidate.kid === kid && candidate.id === entry.factory);
    return factory ? { owner: factory.id, key: factory.key } : null;
  };
  if (entry.data !== null) {
    try {
      await applyEnvelope(deps, entry.factory, await verifier.open(entry.data, "hq", trusted, clock.now()));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const text = `an entry of ${entry.factory}:${entry.channel} was refused: ${publicMessage(error)}`;
      log.error(text, { factory: entry.factory, entry: entry.id });
      await store.incident(
        { kind: "dead_letter", factory: entry.factory, text, digest: `${entry.factory}:${entry.channel}:${entry.id}` },
        clock.now(),
      );
    }
  }
  await bus.remove(entry, [entry.id]);
}

function isRefusal(error: unknown) {
  return error instanceof Error && "code" in error && error.code === "bad_envelope";
}

async function applyEnvelope(deps: Headquarters, factory: string, envelope: Envelope) {
  const { store, clock } = deps;
  switch (envelope.kind) {
    case "result":
      return settleResult(deps, factory, envelope.body);
    case "progress": {
      await store.tasks.progress(factory, envelope.body, clock.now());
      const task = await store.tasks.get(envelope.body.task);
      if (task && task.epoch === envelope.body.epoch) {
        await store.letters.add([cardEdit(deps, task, await store.tasks.events(task.id))], clock.now());
      }
      return;
    }
    case "usage":
      return store.ledger.add(envelope.body.usages, clock.now());
    case "reject": {
      const text = `${factory} would not take an order: ${envelope.body.reason}`;
      return store.incident({ kind: "order_rejected", factory, text, digest: `${factory}:${envelope.body.entry}` }, clock.now());
    }
    default:
      return;
  }
}

/** Accepts `id + epoch + not terminal`; anything else is stale, and changes nothing but the ledger. */
export async function settleResult(deps: Headquarters, factory: string, result: Result): Promise<void> {
  const { store, clock, log } = deps;
  if (result.outcome === "released") {
    await store.ledger.add(result.usages, clock.now());
    const task = await store.tasks.get(result.task);
    if (task && task.epoch === result.epoch && task.factory === factory) await requeue(deps, task, "lose", result.reason, "released");
    return;
  }
  const event = ({ succeeded: "succeed", failed: "fail", cancelled: "cancel" } as const)[result.outcome];
  const outcome = await store.tasks.settle(event, factory, result, clock.now());
  log.info("a result came in", { task: result.task, epoch: result.epoch, factory, result: result.outcome, code: result.code, outcome });
  if (outcome === "accepted" || (await endedBy(deps, factory, result))) await announce(deps, result.task);
}

/** True where this attempt ended the task already: the call before this one may have died before the owner was told. */
async function endedBy({ store }: Headquarters, factory: string, { task: id, epoch }: Result): Promise<boolean> {
  const task = await store.tasks.get(id);
  return task !== null && isTerminal(task.state) && task.epoch === epoch && task.factory === factory;
}
