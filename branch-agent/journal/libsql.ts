/** The journal in a libSQL file. What resolves is on disk; what belongs together is one batch. */
import type { Client, InStatement, ResultSet, Row } from "@libsql/client";
import { UacError } from "#core/errors.ts";
import type { Journal, Report } from "#ports/journal.ts";
import { checkLedgerEntry, toAttempt, toEntry, toLedgerEntry, toReport } from "./rows.ts";
import { prepareTables } from "./tables.ts";

/** Transcripts of attempts that ended longer ago are deleted. */
const transcriptDays = 30;
/** So many sent reports are remembered, without their data, so that none is sent again. */
const sentKept = 10_000;
/** Another process (a command line) may hold the file this long. */
const lockLimitMs = 5_000;

/**
 * Opens the journal on `client`, a `file:` database that belongs to it from here on: `close()` closes it.
 *
 * Errors: `bad_config` for a journal of another version; `store_unavailable` where the file can't be read or written.
 */
export async function libsqlJournal(client: Client): Promise<Journal> {
  await patiently(client, () => prepareTables(client));

  const write = (...statements: InStatement[]): Promise<ResultSet[]> => patiently(client, () => client.batch(statements, "write"));
  const rows = async (sql: string, ...args: (string | number)[]): Promise<Row[]> =>
    (await patiently(client, () => client.execute({ sql, args }))).rows;

  return {
    async accept({ order, orderId, entryId }, now) {
      const [added] = await write(
        {
          sql: `insert into attempts (task, epoch, order_json, order_id, entry_id, state, updated_at)
            values (?, ?, ?, ?, ?, 'accepted', ?) on conflict do nothing returning task`,
          args: [order.task, order.epoch, JSON.stringify(order), orderId, entryId, now],
        },
        {
          sql: "delete from transcript_entries where (task, epoch) in (select task, epoch from attempts where state = 'reported' and updated_at < ?)",
          args: [now - transcriptDays * 86_400_000],
        },
      );
      return added?.rows.length === 1;
    },
    async find(task, epoch) {
      const [row] = await rows("select * from attempts where task = ? and epoch = ?", task, epoch);
      return row ? toAttempt(row) : null;
    },
    async begin(task, epoch, now) {
      const [begun] = await write({
        sql: `update attempts set starts = starts + 1, state = 'running', updated_at = ?
          where task = ? and epoch = ? and state <> 'reported' returning starts`,
        args: [now, task, epoch],
      });
      const starts = begun?.rows[0]?.starts;
      if (starts === undefined)
        throw new UacError("not_found", `The journal has no open attempt ${epoch} of task ${task}; it can't begin.`);
      return Number(starts);
    },
    async report(task, epoch, report, toldUsages, now) {
      const open = "exists (select 1 from attempts where task = ? and epoch = ? and state <> 'reported')";
      const results = await write(
        keep(report, now, open, [task, epoch]),
        {
          sql: `update attempts set state = 'reported', updated_at = ? where task = ? and epoch = ? and ${kept}`,
          args: [now, task, epoch, report.id],
        },
        tell(toldUsages, report.id),
        { sql: `select ${kept} as kept`, args: [report.id] },
      );
      if (Number(results[3]?.rows[0]?.kept) === 1) return;
      throw new UacError("conflict", `Attempt ${epoch} of task ${task} is not open: it was reported before, or never accepted.`);
    },
    async drop(task, epoch, now) {
      await write({ sql: "update attempts set state = 'reported', updated_at = ? where task = ? and epoch = ?", args: [now, task, epoch] });
    },
    async open() {
      return (await rows("select * from attempts where state in ('accepted', 'running') order by rowid")).map(toAttempt);
    },
    transcript: (task, epoch) => ({
      async load() {
        const found = await rows("select entry_json from transcript_entries where task = ? and epoch = ? order by seq", task, epoch);
        return found.map(toEntry);
      },
      async append(seq, entry) {
        const sql = "insert into transcript_entries (task, epoch, seq, entry_json) values (?, ?, ?, ?) on conflict do nothing";
        await write({ sql, args: [task, epoch, seq, JSON.stringify(entry)] });
      },
    }),
    async spend(entry) {
      // What could not be read back would keep every later report from being written.
      checkLedgerEntry(entry);
      const sql = "insert into usages (id, task, epoch, entry_json) values (?, ?, ?, ?) on conflict do nothing";
      await write({ sql, args: [entry.id, entry.task, entry.epoch, JSON.stringify(entry)] });
    },
    async spent(task, epoch) {
      return (await rows("select entry_json from usages where task = ? and epoch = ? order by rowid", task, epoch)).map(toLedgerEntry);
    },
    async untold(limit) {
      return (await rows("select entry_json from usages where told = 0 order by rowid limit ?", limit)).map(toLedgerEntry);
    },
    async send(report, toldUsages, now) {
      await write(keep(report, now, "true", []), tell(toldUsages, report.id));
    },
    async unsent(limit) {
      return (await rows("select id, channel, data, ack_entry from outbox where sent = 0 order by rowid limit ?", limit)).map(toReport);
    },
    async sent(reportId) {
      await write(
        { sql: "update outbox set sent = 1, data = '' where id = ?", args: [reportId] },
        { sql: "delete from outbox where sent = 1 and rowid <= (select max(rowid) from outbox) - ?", args: [sentKept] },
      );
    },
    async get(key) {
      const [row] = await rows("select value from facts where key = ?", key);
      return row ? String(row.value) : null;
    },
    async set(key, value) {
      await write({
        sql: "insert into facts (key, value) values (?, ?) on conflict do update set value = excluded.value",
        args: [key, value],
      });
    },
    async next(counter) {
      const [counted] = await write({
        sql: "insert into facts (key, value) values (?, '1') on conflict do update set value = value + 1 returning value",
        args: [counter],
      });
      return Number(counted?.rows[0]?.value);
    },
    async close() {
      client.close();
    },
  };
}

const kept = "exists (select 1 from outbox where id = ?)";

/** A report goes into the outbox once, if `condition` holds. */
function keep(report: Report, now: number, condition: string, args: (string | number)[]): InStatement {
  return {
    sql: `insert into outbox (id, channel, data, ack_entry, at) select ?, ?, ?, ?, ? where ${condition} on conflict do nothing`,
    args: [report.id, report.channel, report.data, report.ackEntry, now, ...args],
  };
}

/** Ledger entries are told only by a report that is in the outbox. */
function tell(usages: readonly string[], reportId: string): InStatement {
  return {
    sql: `update usages set told = 1 where id in (select value from json_each(?)) and ${kept}`,
    args: [JSON.stringify(usages), reportId],
  };
}

async function patiently<T>(client: Client, run: () => Promise<T>): Promise<T> {
  const until = performance.now() + lockLimitMs;
  for (let wait = 10; ; wait = Math.min(wait * 2, 200)) {
    try {
      return await run();
    } catch (error) {
      if (error instanceof UacError) throw error;
      if (!isLocked(error) || client.closed || performance.now() + wait > until) {
        throw new UacError(
          "store_unavailable",
          "The factory's journal can't be read or written. Is its disk full, or another factory at work on it?",
          {
            cause: error,
          },
        );
      }
    }
    // A statement that met a lock stays half-run in the driver, and no later commit on its connection succeeds.
    client.reconnect();
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** A lock, or a connection that our own reconnecting closed under another call: nothing was done. */
function isLocked(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "SQLITE_BUSY" || error.code === "CLIENT_CLOSED");
}
