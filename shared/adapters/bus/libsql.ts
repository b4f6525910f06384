/**
 * The embedded transport: streams in three tables of a libSQL database of its own (a file, or a server over HTTP). Every
 * operation is one batch, so one transaction and, over HTTP, one request.
 */
import type { Client, InStatement, ResultSet } from "@libsql/client";
import { channels, streamOf } from "#core/fleet.ts";
import type { Bus, BusEntry, ReadOptions } from "#ports/bus.ts";
import { checkSize, closedBus, commandLimitMs, pause, readPlan, unavailable, within } from "./rules.ts";

const tables = [
  // `top`: id of the newest entry ever. `delivered`: id up to which entries were given to somebody.
  "create table if not exists bus_streams (stream text primary key, top integer not null, delivered integer not null) without rowid",
  "create table if not exists bus_entries (stream text not null, id integer not null, data text not null, primary key (stream, id))",
  "create table if not exists bus_pending (stream text not null, id integer not null, consumer text not null, primary key (stream, id)) without rowid",
];

/** Microseconds since 1970: ids go on rising when the database was wiped, so an old id never names a new entry. */
const clock = "cast(unixepoch('subsec') * 1000 as integer) * 1000";

const openStreams =
  "insert into bus_streams (stream, top, delivered) select value, 0, 0 from json_each(?1) where true on conflict do nothing";

/** ?1 streams, ?2 consumer, ?3 how many of each. A pending row of an older life of the stream changes its owner. */
const deliver = `
  insert into bus_pending (stream, id, consumer)
  select e.stream, e.id, ?2
  from json_each(?1) as w
  join bus_streams as s on s.stream = w.value
  join bus_entries as e on e.stream = s.stream
    and e.id in (select id from bus_entries where stream = s.stream and id > s.delivered order by id limit ?3)
  where true
  on conflict (stream, id) do update set consumer = excluded.consumer`;

const delivered = `
  select e.stream, e.id, e.data
  from json_each(?1) as w
  join bus_streams as s on s.stream = w.value
  join bus_pending as p on p.stream = s.stream and p.id > s.delivered and p.consumer = ?2
  join bus_entries as e on e.stream = p.stream and e.id = p.id
  order by w.key, e.id`;

const advance = `
  update bus_streams set delivered = max(delivered, coalesce((select max(id) from bus_pending as p where p.stream = bus_streams.stream), 0))
  where stream in (select value from json_each(?1))`;

const own = `
  select p.stream, p.id, e.data
  from json_each(?1) as w
  join bus_pending as p on p.stream = w.value
    and p.id in (select id from bus_pending where stream = w.value and consumer = ?2 order by id limit ?3)
  left join bus_entries as e on e.stream = p.stream and e.id = p.id
  order by w.key, p.id`;

/** A stream that nobody opened counts as news, so that the read which follows opens it. */
const news = `
  select 1 from json_each(?1) as w left join bus_streams as s on s.stream = w.value
  where s.stream is null or exists (select 1 from bus_entries as e where e.stream = s.stream and e.id > s.delivered)
  limit 1`;

const firstPollMs = 100;
const slowestPollMs = 500;

/** `client` belongs to the bus from here on, and `close()` closes it. */
export function libsqlBus(client: Client): Bus {
  const closing = new AbortController();

  /** Waits for another process's lock within the command limit; makes the tables when they are missing. */
  async function batch(doing: string, statements: InStatement[]): Promise<ResultSet[]> {
    const until = performance.now() + commandLimitMs;
    for (let wait = 20; ; wait = Math.min(wait * 2, 500)) {
      if (closing.signal.aborted) throw closedBus();
      try {
        return await within(commandLimitMs, client.batch(statements, "write"));
      } catch (error) {
        const cause = isMissingTable(error) ? await makeTables() : error;
        if (cause && (!isBusy(cause) || performance.now() + wait > until)) {
          throw closing.signal.aborted ? closedBus() : unavailable(doing, cause);
        }
        // In the file driver a statement that met a lock stays half-run, and no later commit on its connection succeeds.
        if (cause && client.protocol === "file" && !closing.signal.aborted) client.reconnect();
      }
      await pause(wait, closing.signal);
    }
  }

  /** What went wrong, or null. */
  async function makeTables(): Promise<unknown> {
    try {
      if (client.protocol === "file") await client.execute("pragma journal_mode = wal");
      await within(commandLimitMs, client.batch(tables, "write"));
      return null;
    } catch (error) {
      return error;
    }
  }

  async function hasNews(streams: string): Promise<boolean> {
    if (closing.signal.aborted) throw closedBus();
    try {
      return (await within(commandLimitMs, client.execute({ sql: news, args: [streams] }))).rows.length > 0;
    } catch (error) {
      // The read itself knows what to do about a missing table or a lock.
      if (isMissingTable(error) || isBusy(error)) return true;
      throw closing.signal.aborted ? closedBus() : unavailable("look for news", error);
    }
  }

  async function take({ from, consumer, what, count }: ReadOptions, names: string[]): Promise<BusEntry[]> {
    const streams = JSON.stringify(names);
    const place = new Map(names.map((name, i) => [name, from[i]]));
    const results = await batch(
      "read",
      what === "own"
        ? [{ sql: own, args: [streams, consumer, count] }]
        : [
            { sql: openStreams, args: [streams] },
            { sql: deliver, args: [streams, consumer, count] },
            { sql: delivered, args: [streams, consumer] },
            { sql: advance, args: [streams] },
          ],
    );
    const rows = results[what === "own" ? 0 : 2]?.rows ?? [];
    return rows.flatMap(({ stream, id, data }) => {
      const of = place.get(String(stream));
      return of ? [{ factory: of.factory, channel: of.channel, id: String(id), data: data === null ? null : String(data) }] : [];
    });
  }

  return {
    async open(factory) {
      await batch("open a factory's streams", [
        { sql: openStreams, args: [JSON.stringify(channels.map((channel) => streamOf(factory, channel)))] },
      ]);
    },
    async publish({ factory, channel }, data, keep) {
      checkSize(data);
      const stream = streamOf(factory, channel);
      const results = await batch("publish", [...append(stream, data), ...(keep === undefined ? [] : [trim(stream, keep)])]);
      return String(results[1]?.rows[0]?.id);
    },
    async read(options) {
      const { streams } = readPlan(options);
      if (streams.length === 0 || options.signal?.aborted) return [];
      const until = performance.now() + options.blockMs;
      let entries = await take(options, streams);
      for (let wait = firstPollMs; entries.length === 0 && options.what === "new"; wait = Math.min(wait * 2, slowestPollMs)) {
        const left = until - performance.now();
        if (left <= 0 || options.signal?.aborted) return [];
        await pause(Math.min(wait, left), options.signal, closing.signal);
        if (options.signal?.aborted) return [];
        if (await hasNews(JSON.stringify(streams))) entries = await take(options, streams);
      }
      return entries;
    },
    async finish(factory, result, orderId) {
      checkSize(result);
      const results = await batch("finish an order", [
        ...append(streamOf(factory, "out"), result),
        forget("bus_pending", streamOf(factory, "in"), [orderId]),
      ]);
      return String(results[1]?.rows[0]?.id);
    },
    async ack({ factory, channel }, ids) {
      if (ids.length > 0) await batch("acknowledge", [forget("bus_pending", streamOf(factory, channel), ids)]);
    },
    async remove({ factory, channel }, ids) {
      const stream = streamOf(factory, channel);
      if (ids.length > 0) await batch("remove entries", [forget("bus_pending", stream, ids), forget("bus_entries", stream, ids)]);
    },
    async length({ factory, channel }) {
      const sql = "select count(*) as n from bus_entries where stream = ?";
      const results = await batch("count entries", [{ sql, args: [streamOf(factory, channel)] }]);
      return Number(results[0]?.rows[0]?.n);
    },
    // A token opens the whole database: there are no users.
    async admit() {
      return null;
    },
    async expel() {},
    async close() {
      if (closing.signal.aborted) return;
      closing.abort();
      client.close();
    },
  };
}

function append(stream: string, data: string): InStatement[] {
  return [
    {
      sql: `insert into bus_streams (stream, top, delivered) values (?, ${clock}, 0) on conflict do update set top = max(top + 1, excluded.top)`,
      args: [stream],
    },
    {
      sql: "insert into bus_entries (stream, id, data) select stream, top, ? from bus_streams where stream = ? returning id",
      args: [data, stream],
    },
  ];
}

function trim(stream: string, keep: number): InStatement {
  const oldest = "select id from bus_entries where stream = ?1 order by id desc limit 1 offset ?2";
  return { sql: `delete from bus_entries where stream = ?1 and id <= (${oldest})`, args: [stream, keep] };
}

function forget(table: "bus_pending" | "bus_entries", stream: string, ids: readonly string[]): InStatement {
  const sql = `delete from ${table} where stream = ? and id in (select cast(value as integer) from json_each(?))`;
  return { sql, args: [stream, JSON.stringify(ids)] };
}

function isMissingTable(error: unknown): boolean {
  return error instanceof Error && error.message.includes("no such table: bus_");
}

/** A lock, or a connection that our own reconnecting closed under another call: nothing was done. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "SQLITE_BUSY" || error.code === "CLIENT_CLOSED");
}
