/** The journal's tables and their version. Times are milliseconds since 1970 on the factory's clock. */
import type { Client } from "@libsql/client";
import { UacError } from "#core/errors.ts";

/**
 * Schema history
 *   1  first version
 */
const version = 1;

const tables = [
  "create table if not exists journal_schema (version integer not null)",
  `create table if not exists attempts (
    task text not null, epoch integer not null, order_json text not null, order_id text not null, entry_id text not null,
    state text not null, starts integer not null default 0, updated_at integer not null, primary key (task, epoch))`,
  "create index if not exists attempts_state on attempts (state, updated_at)",
  `create table if not exists transcript_entries (
    task text not null, epoch integer not null, seq integer not null, entry_json text not null, primary key (task, epoch, seq))`,
  `create table if not exists usages (
    id text primary key, task text, epoch integer not null, entry_json text not null, told integer not null default 0)`,
  "create index if not exists usages_task on usages (task, epoch)",
  "create index if not exists usages_untold on usages (told) where told = 0",
  `create table if not exists outbox (
    id text primary key, channel text not null, data text not null, ack_entry text, at integer not null, sent integer not null default 0)`,
  "create index if not exists outbox_unsent on outbox (sent) where sent = 0",
  "create table if not exists facts (key text primary key, value text not null) without rowid",
  `insert into journal_schema (version) select ${version} where not exists (select 1 from journal_schema)`,
];

/** Makes the tables on first use. Errors: `bad_config` where another version of the program wrote them. */
export async function prepareTables(client: Client) {
  await client.execute("pragma journal_mode = wal");
  // A confirmed write survives a power cut. It is the driver's default too, for connections that its pool opens later.
  await client.execute("pragma synchronous = full");
  const [known] = (await client.execute("select 1 from sqlite_schema where name = 'journal_schema'")).rows;
  if (!known) await client.batch(tables, "write");
  const found = Number((await client.execute("select version from journal_schema")).rows[0]?.version);
  if (found === version) return;
  throw new UacError(
    "bad_config",
    `The factory's journal has version ${found}, this program knows ${version}. Update the program, or move the journal away to start an empty one.`,
  );
}
