/** The journal's tables, their version, and the way from an older one. Times are milliseconds since 1970 on the factory's clock. */
import type { Client, InStatement } from "@libsql/client";
import { UacError } from "#core/errors.ts";

/**
 * Schema history
 *   1  first version
 *   2  reports have numbers and are kept until HQ heard them; deliveries of what was not taken in are counted;
 *      controls
 *   3  what a budget sums up stands in columns; what is held back for calls under way
 */
const version = 3;

const outbox = `create table outbox (
    seq integer primary key, id text not null unique, data text not null, ack_entry text, at integer not null,
    sent integer not null default 0, again integer not null default 0, again_at integer not null default 0)`;
const outboxUnsent = "create index outbox_unsent on outbox (sent) where sent = 0";
const attemptsEntry = "create index attempts_entry on attempts (entry_id)";
const deliveries = "create table deliveries (entry_id text primary key, times integer not null) without rowid";
const controls = [
  `create table controls (
    id text primary key, task text, epoch integer, control_json text not null, at integer not null, told integer not null default 0)`,
  "create index controls_task on controls (task, epoch)",
  "create index controls_untold on controls (told) where told = 0",
];

const at = (path: string) => `json_extract(entry_json, '$.${path}')`;
const tokens = ["uncachedIn", "cacheRead", "write5m", "write1h", "output"].map((part) => at(`usage.${part}`)).join(" + ");
/** Reckoned from the entry, and kept in the indexes alone: a sum reads no entry. */
const summed = [
  ["at", at("at")],
  ["seat", at("seat")],
  ["cost", at("cost")],
  ["tokens", tokens],
].map(([name, value]) => `alter table usages add column ${name} generated always as (${value}) virtual`);
const spending = [
  ...summed,
  "drop index usages_task",
  "create index usages_task on usages (task, epoch, cost, tokens)",
  "create index usages_at on usages (at, seat, cost, tokens)",
  `create table reservations (
    id text primary key, task text, epoch integer not null, seat text not null, at integer not null, cost integer, tokens integer not null,
    life text not null, lease_until integer not null, entry_json text not null) without rowid`,
];

const tables = [
  "create table journal_schema (version integer not null)",
  `create table attempts (
    task text not null, epoch integer not null, order_json text not null, order_id text not null, entry_id text not null,
    state text not null, starts integer not null default 0, updated_at integer not null, primary key (task, epoch))`,
  "create index attempts_state on attempts (state, updated_at)",
  `create table transcript_entries (
    task text not null, epoch integer not null, seq integer not null, entry_json text not null, primary key (task, epoch, seq))`,
  `create table usages (
    id text primary key, task text, epoch integer not null, entry_json text not null, told integer not null default 0)`,
  "create index usages_task on usages (task, epoch)",
  "create index usages_untold on usages (told) where told = 0",
  attemptsEntry,
  outbox,
  outboxUnsent,
  deliveries,
  ...controls,
  "create table facts (key text primary key, value text not null) without rowid",
  ...spending,
  `insert into journal_schema (version) values (${version})`,
];

/** From a version towards the present one. */
const steps: Readonly<Record<number, readonly InStatement[]>> = {
  0: tables,
  1: [
    "alter table outbox rename to outbox_1",
    "drop index outbox_unsent",
    outbox,
    outboxUnsent,
    attemptsEntry,
    deliveries,
    ...controls,
    // What was sent had left its contents behind already. The rest is numbered anew without a gap, and sealed anew when it is sent.
    `insert into outbox (seq, id, data, ack_entry, at)
      select coalesce((select cast(value as integer) from facts where key = 'seq'), 0) + row_number() over (order by rowid), id, data, ack_entry, at
      from outbox_1 where sent = 0 and channel = 'out'`,
    "update facts set value = max(cast(value as integer), coalesce((select max(seq) from outbox), 0)) where key = 'seq'",
    "insert into facts (key, value) select 'seq', top from (select max(seq) as top from outbox) where top is not null on conflict do nothing",
    "drop table outbox_1",
    "update journal_schema set version = 2",
  ],
  2: [
    // Entries named neither seat nor engine nor billing before.
    `update usages set entry_json = json_set(entry_json, '$.try', 1, '$.seat', case when task is null then 'primary' else 'coder' end,
      '$.engine', 'uac', '$.requestedModel', ${at("model")}, '$.requestId', null, '$.messageId', null,
      '$.prices', null, '$.billing', 'metered', '$.billed', ${at("cost")}) where ${at("try")} is null`,
    ...spending,
    "update journal_schema set version = 3",
  ],
};

/** Makes the tables on first use, and brings older ones up to date. Errors: `bad_config` where a newer program wrote them. */
export async function prepareTables(client: Client) {
  await client.execute("pragma journal_mode = wal");
  // A confirmed write survives a power cut. It is the driver's default too, for connections that its pool opens later.
  await client.execute("pragma synchronous = full");
  for (let found = await versionOf(client); found !== version; found = await versionOf(client)) {
    const step = steps[found];
    if (!step) {
      throw new UacError(
        "bad_config",
        `The factory's journal has version ${found}, this program knows ${version}. Update the program, or move the journal away to start an empty one.`,
      );
    }
    try {
      await client.batch([...step], "write");
    } catch (error) {
      // Another process, a command line, may have taken the step meanwhile: then it fails here as a whole.
      if ((await versionOf(client)) === found) throw error;
    }
  }
}

/** 0 for a file without a journal. */
async function versionOf(client: Client): Promise<number> {
  const [known] = (await client.execute("select 1 from sqlite_schema where name = 'journal_schema'")).rows;
  return known ? Number((await client.execute("select version from journal_schema")).rows[0]?.version) : 0;
}
