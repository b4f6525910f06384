/**
 * Reports on their way to HQ. Their numbers have no gap: one is used up by the very batch that keeps its report. A report is let go
 * when HQ has heard it, and until then can be sent again.
 */
import type { InStatement, ResultSet, Row } from "@libsql/client";
import type { Journal, Report } from "#ports/journal.ts";
import { toReport } from "./rows.ts";

/** Before a report is sent again: doubles each time, up to an hour. */
const firstAgainMs = 60_000;
const latestAgainMs = 3_600_000;

/** True of a report, by its id, that is in the outbox. */
export const kept = "exists (select 1 from outbox where id = ?)";
const lastSeq = "coalesce((select cast(value as integer) from facts where key = 'seq'), 0)";
const columns = "select id, seq, data, ack_entry from outbox";

interface Access {
  write(...statements: InStatement[]): Promise<ResultSet[]>;
  rows(sql: string, ...args: (string | number)[]): Promise<Row[]>;
}

type Outbox = Pick<Journal, "nextSeq" | "send" | "unsent" | "sent" | "kept" | "heard" | "missed" | "sentAgain" | "reseal">;

export function outboxOf({ write, rows }: Access): Outbox {
  return {
    async nextSeq(now) {
      const [row] = await rows("select cast(value as integer) as last from facts where key = 'seq'");
      return row ? Number(row.last) + 1 : Math.max(1, now);
    },
    async send(report, toldUsages, now) {
      const results = await write(
        ...keep(report, now, "true", []),
        tell(toldUsages, report.id),
        ...(report.ackEntry === null ? [] : [{ sql: "delete from deliveries where entry_id = ?", args: [report.ackEntry] }]),
        { sql: `select ${kept} as kept`, args: [report.id] },
      );
      return Number(results.at(-1)?.rows[0]?.kept) === 1;
    },
    async unsent(limit) {
      return (await rows(`${columns} where sent = 0 order by seq limit ?`, limit)).map(toReport);
    },
    async sent(reportId) {
      await write({ sql: "update outbox set sent = 1 where id = ?", args: [reportId] });
    },
    async kept() {
      const [row] = await rows(
        `select ${lastSeq} as last, (select min(seq) from outbox) as first, (select min(seq) from outbox where sent = 0) as unsent`,
      );
      const last = Number(row?.last);
      if (last === 0) return null;
      const next = last + 1;
      return { first: Number(row?.first ?? next), last: Number(row?.unsent ?? next) - 1 };
    },
    async heard(upTo) {
      await write(
        { sql: `delete from outbox where sent = 1 and seq <= ? and ${lastSeq} >= ?`, args: [upTo, upTo] },
        // HQ knows numbers that this journal never gave: it is younger than one before it, on a clock that was behind that one's.
        { sql: `update facts set value = ? where key = 'seq' and ${lastSeq} < ?`, args: [String(upTo), upTo] },
      );
    },
    async missed(seqs, now) {
      const wait = `min(${firstAgainMs} * (1 << min(again, 10)) / 2, ${latestAgainMs})`;
      const found = await rows(
        `${columns} where sent = 1 and seq in (select value from json_each(?))
          and (again = 0 or again_at + ${wait} <= ? or again_at > ?) order by seq`,
        // Sent in the future: the clock was set back since, by who knows how much.
        ...[JSON.stringify(seqs), now, now],
      );
      return found.map(toReport);
    },
    async sentAgain(reportId, now) {
      await write({ sql: "update outbox set again = again + 1, again_at = ? where id = ?", args: [now, reportId] });
    },
    async reseal({ id, data }) {
      await write({ sql: "update outbox set data = ? where id = ?", args: [data, id] });
    },
  };
}

/** A report goes into the outbox once, if `condition` holds and its number is the next one; two statements. */
export function keep(report: Report, now: number, condition: string, args: (string | number)[]): [InStatement, InStatement] {
  // Nothing counts yet in a new journal: its first report brings the number that it begins with.
  const next = `(${lastSeq} = 0 or ${lastSeq} + 1 = ?)`;
  return [
    {
      sql: `insert into outbox (seq, id, data, ack_entry, at) select ?, ?, ?, ?, ? where ${next} and ${condition} on conflict do nothing`,
      args: [report.seq, report.id, report.data, report.ackEntry, now, report.seq, ...args],
    },
    {
      sql: `insert into facts (key, value) select 'seq', ? where ${kept}
        on conflict do update set value = max(cast(value as integer), cast(excluded.value as integer))`,
      args: [String(report.seq), report.id],
    },
  ];
}

/** Ledger entries are told only by a report that is in the outbox. */
export function tell(usages: readonly string[], reportId: string): InStatement {
  return {
    sql: `update usages set told = 1 where id in (select value from json_each(?)) and ${kept}`,
    args: [JSON.stringify(usages), reportId],
  };
}
