/** `npm run ledger -- verify`: do a factory's journal, headquarters' ledger and the receipts agree to the token? */
import type { Client } from "@libsql/client";
import { type LedgerEntry, noTotal, showCost, sum, type Total, tokensOf } from "#core/ledger.ts";
import { entriesAt, receiptsAt } from "./hq.ts";
import type { JournalLedger } from "./journal.ts";

export interface Difference {
  factory: string | null;
  task: string | null;
  epoch: number;
  what: string;
  /** What each of the two says. */
  here: { source: string; total: Total };
  there: { source: string; total: Total };
  /** Entries that differ, the first few. */
  ids: readonly string[];
}

export interface Verified {
  /** What was compared, for a person. */
  compared: readonly string[];
  /** Entries that headquarters can't know yet: no report of them, or none that it confirmed. */
  underWay: number;
  /** Headquarters' entries of attempts so old that a journal keeps nothing of them. */
  forgotten: number;
  differences: readonly Difference[];
}

const shownIds = 5;

/**
 * A journal beside headquarters' ledger, entry by entry, told by task and attempt. `keepsFrom`: attempts of which every call began before
 * that time, milliseconds since 1970, may have been let go.
 */
export async function compareJournal(journal: JournalLedger, hq: Client, keepsFrom: number): Promise<Verified> {
  const kept = new Map<string, LedgerEntry>();
  const prefix = `${journal.factory}:`;
  for await (const { recordedAt: _, ...entry } of entriesAt(hq, "factory = ?", [journal.factory])) {
    const id = entry.id.startsWith(prefix) ? entry.id.slice(prefix.length) : entry.id;
    kept.set(id, { ...entry, id });
  }
  const lost: LedgerEntry[] = [];
  const changed: [LedgerEntry, LedgerEntry][] = [];
  let underWay = 0;
  for (const entry of journal.entries) {
    const there = kept.get(entry.id);
    kept.delete(entry.id);
    if (there && figures(there) !== figures(entry)) changed.push([entry, there]);
    if (there) continue;
    if (journal.underWay.has(entry.id)) underWay += 1;
    else lost.push(entry);
  }
  const alive = new Set([...journal.entries, ...[...kept.values()].filter(({ at }) => at >= keepsFrom)].map(attemptOf));
  // What belongs to no task is kept for good.
  const [forgotten, unknown] = split([...kept.values()], (entry) => entry.task !== null && !alive.has(attemptOf(entry)));
  const { factory } = journal;
  const sides = (here: readonly LedgerEntry[], there: readonly LedgerEntry[]) => ({
    here: { source: "journal", total: sum(here) },
    there: { source: "headquarters", total: sum(there) },
  });
  const grouped = <T>(
    list: readonly T[],
    of: (one: T) => LedgerEntry,
    told: (group: readonly T[]) => Omit<Difference, "task" | "epoch" | "ids" | "factory">,
  ) =>
    [...Map.groupBy(list, (one) => attemptOf(of(one))).values()].map((group): Difference => {
      const { task = null, epoch = 0 } = group[0] === undefined ? {} : of(group[0]);
      return { factory, task, epoch, ids: group.slice(0, shownIds).map((one) => of(one).id), ...told(group) };
    });
  const same = (entry: LedgerEntry) => entry;
  return {
    compared: [`the journal of ${factory}, ${journal.entries.length} entries, with headquarters' ledger`],
    underWay,
    forgotten: forgotten.length,
    differences: [
      ...grouped(lost, same, (group) => ({ what: "headquarters does not have what the journal reported", ...sides(group, []) })),
      ...grouped(unknown, same, (group) => ({ what: "headquarters has what the journal does not know", ...sides([], group) })),
      ...grouped(
        changed,
        ([entry]) => entry,
        (group) => ({
          what: "the same entries say different things",
          ...sides(
            group.map(([entry]) => entry),
            group.map(([, entry]) => entry),
          ),
        }),
      ),
    ],
  };
}

/** What must be alike: whose, what it used, what it cost. */
function figures({ task, epoch, usage, cost, billed, provider, requestedModel, source, outcome }: LedgerEntry): string {
  const { uncachedIn, cacheRead, write5m, write1h, output, reasoning } = usage;
  return JSON.stringify([
    task,
    epoch,
    uncachedIn,
    cacheRead,
    write5m,
    write1h,
    output,
    reasoning,
    cost,
    billed,
    provider,
    requestedModel,
    source,
    outcome,
  ]);
}

/** Receipts beside headquarters' ledger. `waits`: attempts with entries that are still under way. */
export async function compareReceipts(hq: Client, waits: ReadonlySet<string>): Promise<Verified> {
  const differences: Difference[] = [];
  let [compared, silent] = [0, 0];
  for await (const { task, epoch, told, kept } of receiptsAt(hq)) {
    if (told === null) silent += 1;
    else compared += 1;
    if (told === null || waits.has(attemptOf({ task, epoch })) || totals(told) === totals(kept)) continue;
    differences.push({
      ...{ factory: null, task, epoch, what: "the receipt and the ledger differ", ids: [] },
      ...{ here: { source: "receipt", total: told }, there: { source: "headquarters", total: kept } },
    });
  }
  const older = silent > 0 ? ` (${silent} of older factories say nothing of it)` : "";
  return { compared: [`${compared} receipts with headquarters' ledger${older}`], underWay: 0, forgotten: 0, differences };
}

export function attemptOf({ task, epoch }: Pick<LedgerEntry, "task" | "epoch">): string {
  return `${task} ${epoch}`;
}

function split<T>(list: readonly T[], is: (one: T) => boolean): [T[], T[]] {
  const { yes = [], no = [] } = Object.groupBy(list, (one) => (is(one) ? "yes" : "no"));
  return [yes, no];
}

function totals({ cost, calls, unpriced, usage }: Total = noTotal): string {
  return JSON.stringify([
    cost,
    calls,
    unpriced,
    usage.uncachedIn,
    usage.cacheRead,
    usage.write5m,
    usage.write1h,
    usage.output,
    usage.reasoning,
  ]);
}

export function verifiedText(parts: readonly Verified[], unseen: readonly string[]): string {
  const differences = parts.flatMap((part) => part.differences);
  const underWay = parts.reduce((all, part) => all + part.underWay, 0);
  const forgotten = parts.reduce((all, part) => all + part.forgotten, 0);
  const say = ({ source, total }: Difference["here"]) =>
    `${source}: ${total.calls} calls, ${tokensOf(total.usage)} tokens, ${showCost(total)}`;
  return [
    ...parts.flatMap(({ compared }) => compared.map((what) => `compared ${what}`)),
    ...unseen.map((what) => `not looked at: ${what}`),
    ...(underWay > 0 ? [`${underWay} ${underWay === 1 ? "entry is" : "entries are"} on the way to headquarters`] : []),
    ...(forgotten > 0 ? [`not compared: ${forgotten} of headquarters' entries, so old that a journal keeps them no longer`] : []),
    ...differences.flatMap(({ factory, task, epoch, what, here, there, ids }) => [
      `${task ?? "no task"}, attempt ${epoch}${factory ? ` at ${factory}` : ""}: ${what}`,
      `    ${say(here)}; ${say(there)}${ids.length > 0 ? `; ${ids.join(", ")}` : ""}`,
    ]),
    parts.length === 0
      ? "nothing could be compared"
      : differences.length === 0
        ? "they agree to the token"
        : `${differences.length} ${differences.length === 1 ? "difference" : "differences"}`,
  ].join("\n");
}
