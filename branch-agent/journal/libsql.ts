/** The journal in a libSQL file. What resolves is on disk; what belongs together is one batch. */
import type { Client, InStatement, ResultSet, Row } from "@libsql/client";
import { UacError } from "#core/errors.ts";
import type { Journal } from "#ports/journal.ts";
import { forgetting, keptMs } from "./forget.ts";
import { keep, kept, outboxOf, tell } from "./outbox.ts";
import { toAttempt, toControl, toEntry, toLedgerEntry } from "./rows.ts";
import { spendingOf } from "./spending.ts";
import { prepareTables } from "./tables.ts";

/** Another process (a command line) may hold the file this long. */
const lockLimitMs = 5_000;

/**
 * Opens the journal on `client`, a `file:` database that belongs to it from here on: `close()` closes it. `light` is a second connection
 * to the same file, for what must outlive the program but not a power cut: it does not wait for the disk.
 *
 * Transcripts are kept `transcriptMs` after the end, at most as long as the rest.
 *
 * Errors: `bad_config` for a journal of another version; `store_unavailable` where the file can't be read or written.
 */
export async function libsqlJournal(client: Client, light: Client = client, transcriptMs = keptMs): Promise<Journal> {
  await patiently(client, () => prepareTables(client));
  // Its commits reach the disk with the next one of the other connection's.
  if (light !== client) await patiently(light, () => light.execute("pragma synchronous = normal"));
  const forget = forgetting(transcriptMs);

  const write = (...statements: InStatement[]): Promise<ResultSet[]> => patiently(client, () => client.batch(statements, "write"));
  const writeLightly = (statement: InStatement): Promise<ResultSet> => patiently(light, () => light.execute(statement));
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
        { sql: "delete from deliveries where entry_id = ?", args: [entryId] },
        ...forget(now),
      );
      return added?.rows.length === 1;
    },
    async find(task, epoch) {
      const [row] = await rows("select * from attempts where task = ? and epoch = ?", task, epoch);
      return row ? toAttempt(row) : null;
    },
    async deliver(entryId) {
      const unknown = "not exists (select 1 from attempts where entry_id = ?)";
      const [counted] = await write({
        sql: `insert into deliveries (entry_id, times) select ?, 1 where ${unknown} on conflict do update set times = times + 1 returning times`,
        args: [entryId, entryId],
      });
      return Number(counted?.rows[0]?.times ?? 0);
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
    async unbegin(task, epoch) {
      await write({
        sql: `update attempts set starts = max(0, starts - 1), state = case when starts <= 1 then 'accepted' else state end
          where task = ? and epoch = ? and state = 'running'`,
        args: [task, epoch],
      });
    },
    async survived(task, epoch) {
      await write({
        sql: "update attempts set starts = 1 where task = ? and epoch = ? and state = 'running' and starts > 1",
        args: [task, epoch],
      });
    },
    async report(task, epoch, report, toldUsages, now) {
      const open = "exists (select 1 from attempts where task = ? and epoch = ? and state <> 'reported')";
      const results = await write(
        ...keep(report, now, open, [task, epoch]),
        {
          sql: `update attempts set state = 'reported', updated_at = ? where task = ? and epoch = ? and ${kept}`,
          args: [now, task, epoch, report.id],
        },
        tell(toldUsages, report.id),
        { sql: `select ${kept} as kept, ${open} as open`, args: [report.id, task, epoch] },
      );
      const [found] = results.at(-1)?.rows ?? [];
      if (Number(found?.kept) === 1) return true;
      if (Number(found?.open) === 1) return false;
      throw new UacError("conflict", `Attempt ${epoch} of task ${task} is not open: it was reported before, or never accepted.`);
    },
    async drop(task, epoch, now) {
      await write({ sql: "update attempts set state = 'reported', updated_at = ? where task = ? and epoch = ?", args: [now, task, epoch] });
    },
    async open() {
      return (await rows("select * from attempts where state in ('accepted', 'running') order by rowid")).map(toAttempt);
    },
    async held(limit) {
      const held = await rows(
        `select task, epoch, rowid as place from attempts where state in ('accepted', 'running')
         union select a.task, a.epoch, a.rowid from outbox as o join attempts as a on a.entry_id = o.ack_entry where o.sent = 0
         order by place limit ?`,
        limit,
      );
      return held.map(({ task, epoch }) => ({ task: String(task), epoch: Number(epoch) }));
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
    async obey(control, now) {
      const [task, epoch] = "task" in control ? [control.task, control.epoch] : [null, null];
      const [taken] = await write(
        {
          sql: `insert into controls (id, task, epoch, control_json, at) values (?, ?, ?, ?, ?) on conflict do nothing returning id`,
          args: [control.id, task, epoch, JSON.stringify(control), now],
        },
        { sql: "update controls set told = 0 where id = ?", args: [control.id] },
      );
      return taken?.rows.length === 1;
    },
    async controls(task, epoch) {
      return (await rows("select control_json from controls where task = ? and epoch = ?", task, epoch)).map(toControl);
    },
    async obeyed(limit) {
      return (await rows("select id from controls where told = 0 order by rowid limit ?", limit)).map((row) => String(row.id));
    },
    async obeyedTold(ids) {
      await write({ sql: "update controls set told = 1 where id in (select value from json_each(?))", args: [JSON.stringify(ids)] });
    },
    async spent(task, epoch) {
      return (await rows("select entry_json from usages where task = ? and epoch = ? order by rowid", task, epoch)).map(toLedgerEntry);
    },
    async untold(limit) {
      return (await rows("select entry_json from usages where told = 0 order by rowid limit ?", limit)).map(toLedgerEntry);
    },
    ...spendingOf({ write, writeLightly, rows }),
    ...outboxOf({ write, rows }),
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
    async close() {
      light.close();
      client.close();
    },
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
