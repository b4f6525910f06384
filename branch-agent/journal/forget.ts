/** What the journal lets go: all that is left of attempts that ended long ago and that HQ heard the end of. */
import type { InStatement } from "@libsql/client";
import { attemptFacts } from "#ports/journal.ts";

/** Longer than a month, since budgets count by it. */
export const keptMs = 35 * 86_400_000;
const everyMs = 3_600_000;
/** In one go, so that none holds an order up: more than end in an hour. */
const perGo = 200;

/** No result of theirs waits to be heard, and no ledger entry to be told. Oldest first. */
const overWhere = (more: string) => `select task, epoch from attempts where state = 'reported' and updated_at < ?
  and not exists (select 1 from outbox where outbox.ack_entry = attempts.entry_id)
  and not exists (select 1 from usages where usages.task = attempts.task and usages.epoch = attempts.epoch and usages.told = 0)
  ${more} order by updated_at, rowid limit ${perGo}`;
const over = overWhere("");
/** A transcript may go before the rest, by which budgets count. */
const overWithTranscript = overWhere(
  "and exists (select 1 from transcript_entries as t where t.task = attempts.task and t.epoch = attempts.epoch)",
);

/** Statements that forget, once an hour; none in between. Transcripts go `transcriptMs` after their attempt's end, or with the rest of it. An order's copy is long expired when its attempt is forgotten. */
export function forgetting(transcriptMs: number): (now: number) => InStatement[] {
  let last: number | null = null;
  return (now) => {
    // A clock that was set back by days must not put it off for days.
    if (last !== null && Math.abs(now - last) < everyMs) return [];
    last = now;
    const args = [now - keptMs];
    return [
      {
        sql: `delete from transcript_entries where (task, epoch) in (${overWithTranscript})`,
        args: [now - Math.min(transcriptMs, keptMs)],
      },
      { sql: `delete from usages where (task, epoch) in (${over})`, args },
      {
        sql: `delete from facts where key in (select what.value || ':' || task || ':' || epoch from json_each(?) as what, (${over}))`,
        args: [JSON.stringify(attemptFacts), ...args],
      },
      {
        sql: `delete from controls where told = 1 and at < ? and not exists (select 1 from attempts
          where attempts.task = controls.task and attempts.epoch = controls.epoch and state <> 'reported')`,
        args,
      },
      // Last, since the others go by them.
      { sql: `delete from attempts where (task, epoch) in (${over})`, args },
    ];
  };
}
