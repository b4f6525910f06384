/** Bus → state of record: HQ reads what factories say, accepts what is theirs to say, and tells the owner. */
import type { Envelope, Progress, Result } from "#core/envelope.ts";
import { hasCode, publicMessage, UacError } from "#core/errors.ts";
import type { Channel } from "#core/fleet.ts";
import { isTerminal } from "#core/task.ts";
import type { BusEntry } from "#ports/bus.ts";
import type { Letter } from "#ports/chat.ts";
import type { Factory } from "#ports/store.ts";
import { cardEdit } from "./card.ts";
import { ended } from "./ended.ts";
import type { Headquarters } from "./headquarters.ts";
import { requeue } from "./recover.ts";
import { tryAgain } from "./retry.ts";

/** Entries of each stream read in one go: what was read and could not be settled is read again by the next drain, first. */
const perRead = 50;
/** Calls that settling one entry takes at most, and those that are left for what comes after: orders, letters. */
const callsPerEntry = 7;
const callsKept = 20;

/** Reads and settles what factories say. Resolves to how many entries were settled. */
export async function drain(deps: Headquarters): Promise<number> {
  const fleet = (await deps.store.factories.list()).filter((f) => f.status !== "retired" && f.status !== "pending");
  if (fleet.length === 0) return 0;
  // A factory tells what it did before it tells how that ended: read in this order, so is its story.
  const from = fleet.flatMap(({ id }) => [
    { factory: id, channel: "ev" as const },
    { factory: id, channel: "out" as const },
  ]);
  const told = new Set<string>();
  let settled = 0;
  for (const what of ["own", "new"] as const) {
    const entries = await deps.bus.read({ from, consumer: "hq", what, count: perRead, blockMs: 0 });
    for (const stream of from) {
      const its = entries.filter((entry) => entry.factory === stream.factory && entry.channel === stream.channel);
      settled += await settleStream(deps, its, { stream, fleet, told });
    }
  }
  await showProgress(deps, told);
  return settled;
}

interface Source {
  stream: { factory: string; channel: Channel };
  fleet: readonly Factory[];
  /** Tasks that something was told of. */
  told: Set<string>;
}

/** Entries are removed only after what they say is stored: a crash between the two settles them again, to no effect. */
async function settleStream(deps: Headquarters, entries: readonly BusEntry[], { stream, fleet, told }: Source): Promise<number> {
  const done: string[] = [];
  const lines: Progress[] = [];
  for (const entry of entries) {
    if (deps.callsLeft() < callsKept + callsPerEntry) break;
    try {
      const envelope = entry.data === null ? null : await openEntry(deps, entry, entry.data, fleet);
      if (envelope?.kind === "progress") lines.push(envelope.body);
      else if (envelope) await applyEnvelope(deps, entry.factory, envelope);
      done.push(entry.id);
    } catch (error) {
      if (hasCode(error, "store_unavailable")) throw error;
      await noteBadEntry(deps, entry, error);
      if (hasCode(error, "bad_envelope")) done.push(entry.id);
    }
  }
  if (lines.length > 0) await deps.store.tasks.progress(stream.factory, lines, deps.clock.now());
  for (const line of lines) told.add(line.task);
  if (done.length > 0) await deps.bus.remove(stream, done);
  return done.length;
}

/** The envelope in an entry, if it is from the factory whose stream it lies in. Rejects with `bad_envelope`. */
function openEntry({ verifier, clock }: Headquarters, { factory: id }: BusEntry, data: string, fleet: readonly Factory[]) {
  const trusted = async (kid: string) => {
    const factory = fleet.find((candidate) => candidate.kid === kid && candidate.id === id);
    return factory ? { owner: factory.id, key: factory.key } : null;
  };
  return verifier.open(data, "hq", trusted, clock.now());
}

/** A forged or broken entry is let go. One that HQ can't settle stays, and holds up none of the others. */
async function noteBadEntry({ store, clock, log }: Headquarters, { factory, channel, id }: BusEntry, error: unknown) {
  const refused = hasCode(error, "bad_envelope");
  const text = `an entry of ${factory}:${channel} ${refused ? "was refused" : "can't be settled"}: ${publicMessage(error)}`;
  log.error(text, { factory, entry: id, error });
  const kind = refused ? "dead_letter" : "unsettled";
  await store.incident({ kind, factory, text, digest: `${factory}:${channel}:${id}` }, clock.now());
}

/** One edit of a task's card, however many lines came in. */
async function showProgress(deps: Headquarters, told: ReadonlySet<string>) {
  const edits: Letter[] = [];
  for (const id of told) {
    const task = await deps.store.tasks.get(id);
    if (task && !isTerminal(task.state)) edits.push(cardEdit(deps, task, await deps.store.tasks.events(id)));
  }
  await deps.store.letters.add(edits, deps.clock.now());
}

async function applyEnvelope(deps: Headquarters, factory: string, envelope: Envelope) {
  const { store, clock } = deps;
  switch (envelope.kind) {
    case "result":
      return settleResult(deps, factory, envelope.body);
    case "usage":
      return store.ledger.add(envelope.body.usages, clock.now());
    case "reject": {
      const text = `${factory} would not take an order: ${envelope.body.reason}`;
      return store.incident({ kind: "order_rejected", factory, text, digest: `${factory}:${envelope.body.entry}` }, clock.now());
    }
    default:
      throw new UacError("bad_envelope", `a ${envelope.kind} does not travel by bus`);
  }
}

/** Accepts `id + epoch + not terminal`; anything else is stale, and changes nothing but the ledger. */
export async function settleResult(deps: Headquarters, factory: string, result: Result): Promise<void> {
  const { store, clock, log } = deps;
  if (result.outcome === "released") {
    await store.ledger.add(result.usages, clock.now());
    const task = await store.tasks.get(result.task);
    if (task && task.epoch === result.epoch && task.factory === factory) await requeue(deps, task, "return", result.reason, "released");
    return;
  }
  const event = ({ succeeded: "succeed", failed: "fail", cancelled: "cancel" } as const)[result.outcome];
  const last = await tryAgain(deps, factory, result);
  if (!last) return;
  const outcome = await store.tasks.settle(event, factory, last, clock.now());
  log.info("a result came in", { task: result.task, epoch: result.epoch, factory, result: result.outcome, code: result.code, outcome });
  if (outcome === "accepted") await ended(deps, result.task);
}
