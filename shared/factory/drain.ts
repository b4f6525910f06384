/** Bus → what factories said: HQ reads their streams, opens what is signed by them, and has it settled. */
import type { Envelope } from "#core/envelope.ts";
import { hasCode, publicMessage, UacError } from "#core/errors.ts";
import type { Channel } from "#core/fleet.ts";
import type { BusEntry } from "#ports/bus.ts";
import type { Factory } from "#ports/factories.ts";
import type { Incident } from "#ports/incidents.ts";
import type { Headquarters } from "./headquarters.ts";
import { type News, needsCalls, type Said, settleSaid, tellOwner } from "./settle.ts";

/** Entries of each stream read in one go, and reads of one event: what is left is for the next. */
const perRead = 50;
const reads = 20;
/** What is settled in one batch of the database: more would be a request of many megabytes, and a long transaction. */
const perBatch = 25;
const charsPerBatch = 1_000_000;
/** Calls that settling takes at most beside the batch itself; that are left for each stream that comes after; and for orders and letters. */
const callsPerBatch = 7;
const callsPerStream = 3;
const callsKept = 20;
/** An entry that could not be settled so often is put aside. */
const maxTries = 5;

export interface Drained {
  /** When it began. What was on the bus by then is settled, but for the streams of `unread` factories. */
  at: number;
  settled: number;
  /** Factories of which something is left: for want of calls, or because it could not be settled. */
  unread: string[];
}

interface Opened {
  entry: BusEntry & { data: string };
  said: Said;
}

interface Round {
  settled: number;
  /** Factories of which something that was read is left. */
  left: Set<string>;
  /** Factories of which there may be more to read. */
  more: Set<string>;
}

/**
 * Settles what HQ was given before and did not finish, then what is new. Entries are removed only after what they say is stored: a
 * crash between the two settles them again, to no effect. Rejects with `store_unavailable` or as the bus does.
 */
export async function drain(deps: Headquarters): Promise<Drained> {
  const at = deps.clock.now();
  const fleet = (await deps.store.factories.list()).filter((f) => f.status !== "retired" && f.status !== "pending");
  if (fleet.length === 0) return { at, settled: 0, unread: [] };
  const news: News = { told: new Set(), over: new Set() };
  try {
    return { at, ...(await settleAll(deps, { fleet, news, at })) };
  } finally {
    // Also of what was settled before the bus went away.
    await tellOwner(deps, news);
  }
}

async function settleAll(deps: Headquarters, { fleet, news, at }: { fleet: readonly Factory[]; news: News; at: number }) {
  const unread = new Set<string>();
  let settled = 0;
  for (const what of ["own", "new"] as const) {
    for (let read = 1; ; read += 1) {
      const round = await settleRound(deps, { what, fleet: inTurn(fleet, at + read), news });
      settled += round.settled;
      for (const factory of round.left) unread.add(factory);
      if (round.more.size === 0) break;
      // What was left over is among the next `own` again: once in a drain is enough.
      if (read === reads || !mayGoOn(deps, callsKept) || (what === "own" && round.left.size > 0)) {
        for (const factory of round.more) unread.add(factory);
        break;
      }
    }
  }
  return { settled, unread: [...unread] };
}

const mayGoOn = (deps: Headquarters, keep: number) => deps.callsLeft() >= keep + callsPerBatch;

/** Each goes first in its turn, so that none is always the one for which no calls are left. */
function inTurn<T>(all: readonly T[], turn: number): T[] {
  const first = turn % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

async function settleRound(
  deps: Headquarters,
  { what, fleet, news }: { what: "own" | "new"; fleet: readonly Factory[]; news: News },
): Promise<Round> {
  // A factory tells what it did before it tells how that ended: read in this order, so is its story.
  const from = fleet.flatMap(({ id }) => [
    { factory: id, channel: "ev" as const },
    { factory: id, channel: "out" as const },
  ]);
  const round: Round = { settled: 0, left: new Set(), more: new Set() };
  const read = await deps.bus.read({ from, consumer: "hq", what, count: perRead, blockMs: 0 });
  const streams = from
    .map((stream) => ({ stream, entries: read.filter((one) => one.factory === stream.factory && one.channel === stream.channel) }))
    .filter(({ entries }) => entries.length > 0);
  for (const [i, { stream, entries }] of streams.entries()) {
    const keep = callsKept + (streams.length - 1 - i) * callsPerStream;
    const done = await settleStream(deps, entries, { stream, fleet, news, keep });
    round.settled += done;
    if (done < entries.length) round.left.add(stream.factory);
    if (entries.length === perRead) round.more.add(stream.factory);
  }
  return round;
}

interface Source {
  stream: { factory: string; channel: Channel };
  fleet: readonly Factory[];
  news: News;
  /** Calls that are not this stream's to make. */
  keep: number;
}

/** Resolves to how many of the entries are done with. */
async function settleStream(deps: Headquarters, entries: readonly BusEntry[], source: Source): Promise<number> {
  if (!mayGoOn(deps, source.keep)) return 0;
  const opened: Opened[] = [];
  const refused: Incident[] = [];
  const done: string[] = [];
  for (const { data, ...entry } of entries) {
    if (data === null) {
      // Trimmed while it was pending. If it was a report, its number is missed, and it is sent again.
      done.push(entry.id);
      continue;
    }
    try {
      opened.push({ entry: { ...entry, data }, said: await openEntry(deps, { ...entry, data }, source.fleet) });
    } catch (error) {
      if (!hasCode(error, "bad_envelope")) throw error;
      refused.push(incidentOf(deps, "dead_letter", { ...entry, data }, error));
      done.push(entry.id);
    }
  }
  const { factory } = source.stream;
  if (refused.length > 0) {
    await deps.store.tasks.settle(factory, { results: [], usages: [], heard: [], incidents: refused }, deps.clock.now());
  }
  for (const batch of batches(opened)) done.push(...(await settleBatch(deps, batch, source)));
  if (done.length > 0) await deps.bus.remove(source.stream, done);
  return done.length;
}

/** The envelope in an entry, if it is from the factory whose stream it lies in. Rejects with `bad_envelope`. */
async function openEntry({ verifier, clock }: Headquarters, { factory: id, data }: Opened["entry"], fleet: readonly Factory[]) {
  const trusted = async (kid: string) => {
    const factory = fleet.find((candidate) => candidate.kid === kid && candidate.id === id);
    return factory ? { owner: factory.id, key: factory.key } : null;
  };
  const envelope: Envelope = await verifier.open(data, "hq", trusted, clock.now());
  if (kindsByBus.includes(envelope.kind)) return envelope;
  throw new UacError("bad_envelope", `a ${envelope.kind} does not travel by bus`);
}

const kindsByBus: readonly Envelope["kind"][] = ["progress", "usage", "reject", "result"];

function batches(opened: readonly Opened[]): Opened[][] {
  const all: Opened[][] = [];
  let chars = Number.POSITIVE_INFINITY;
  for (const one of opened) {
    const alone = needsCalls(one.said);
    const last = all.at(-1);
    chars += one.entry.data.length;
    if (last && !alone && last.length < perBatch && chars <= charsPerBatch) last.push(one);
    else {
      all.push([one]);
      chars = alone ? Number.POSITIVE_INFINITY : one.entry.data.length;
    }
  }
  return all;
}

/** A batch that fails is halved until the entry is found that HQ can't settle: it holds up none of the others. */
async function settleBatch(deps: Headquarters, batch: readonly Opened[], source: Source): Promise<string[]> {
  if (batch.length === 0 || !mayGoOn(deps, source.keep)) return [];
  try {
    await settleSaid(
      deps,
      source.stream.factory,
      batch.map(({ said }) => said),
      source.news,
    );
    return batch.map(({ entry }) => entry.id);
  } catch (error) {
    // An entry that the database refuses looks like a database that is away: if that answers, it is the entry.
    if (hasCode(error, "store_unavailable")) await deps.store.get("last_tick");
    const [only] = batch;
    if (batch.length === 1 && only) return putAside(deps, only, error);
    const middle = Math.ceil(batch.length / 2);
    return [...(await settleBatch(deps, batch.slice(0, middle), source)), ...(await settleBatch(deps, batch.slice(middle), source))];
  }
}

/** It is tried again by the next drains, and then kept as a dead letter: its number is heard, so that it is not sent again. */
async function putAside(deps: Headquarters, { entry, said }: Opened, error: unknown): Promise<string[]> {
  const { store, clock } = deps;
  const { data: _, ...unsettled } = incidentOf(deps, "unsettled", entry, error);
  if ((await store.incident(unsettled, clock.now())) < maxTries) return [];
  const incidents = [incidentOf(deps, "dead_letter", entry, error)];
  await store.tasks.settle(entry.factory, { results: [], usages: [], incidents, heard: [said.seq] }, clock.now());
  return [entry.id];
}

function incidentOf({ log }: Headquarters, kind: "dead_letter" | "unsettled", entry: Opened["entry"], error: unknown) {
  const { factory, channel, id, data } = entry;
  const text = `an entry of ${factory}:${channel} ${hasCode(error, "bad_envelope") ? "was refused" : "can't be settled"}: ${publicMessage(error)}`;
  log.error(text, { factory, entry: id, error });
  // The end of an entry is its signature: what is sent again as it was is the same incident.
  return { kind, factory, text, data, digest: `${factory}:${channel}:${data.length}:${data.slice(-43)}` } satisfies Incident;
}
