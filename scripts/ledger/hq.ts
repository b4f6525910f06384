/** Headquarters' ledger, read in pages: the table may be larger than memory. */
import type { Client, InStatement, InValue, Row } from "@libsql/client";
import * as z from "zod";
import { UacError } from "#core/errors.ts";
import { type LedgerEntry, ledgerEntrySchema, type Total, type Usage } from "#core/ledger.ts";
import { receiptSchema } from "#core/receipt.ts";

const pageRows = 5000;

async function readPage<T>(client: Client, statement: InStatement, read: (row: Row) => T): Promise<T[]> {
  try {
    return (await client.execute(statement)).rows.map(read);
  } catch (cause) {
    const what = "Headquarters' database can't be read. Are DATABASE_URL and DATABASE_AUTH_TOKEN right, and its tables up to date?";
    throw new UacError("store_unavailable", what, { cause });
  }
}

/** Headquarters puts a factory's name before the ids that the factory gave. */
const keptSchema = ledgerEntrySchema.extend({ id: z.string().max(128) });

export interface Kept extends LedgerEntry {
  recordedAt: number;
}

/** Entries in the order in which headquarters learnt of them. `where` is SQL over the table `usages`. */
export async function* entriesAt(client: Client, where: string, args: readonly InValue[]): AsyncGenerator<Kept> {
  for (let last = 0; ; ) {
    const sql = `select rowid as place, * from usages where rowid > ? and ${where} order by rowid limit ${pageRows}`;
    const page = await readPage(client, { sql, args: [last, ...args] }, (row) => ({ place: Number(row.place), entry: toEntry(row) }));
    for (const { entry } of page) yield entry;
    last = page.at(-1)?.place ?? last;
    if (page.length < pageRows) return;
  }
}

function toEntry(row: Row): Kept {
  const entry = keptSchema.parse({
    ...{ id: row.id, task: row.task, epoch: row.epoch, step: row.step, try: row.try, factory: row.factory, persona: row.persona },
    ...{ seat: row.seat, engine: row.engine, provider: row.provider, requestedModel: row.requested_model, model: row.model },
    ...{ requestId: row.request_id, messageId: row.message_id, at: row.at, durationMs: row.duration_ms, usage: toUsage(row) },
    ...{ source: row.source, prices: row.prices, cost: row.cost, billing: row.billing, billed: row.billed, outcome: row.outcome },
  });
  return { ...entry, recordedAt: Number(row.recorded_at) };
}

export interface KeptReceipt {
  task: string;
  epoch: number;
  /** What the receipt says; null where it is of a factory that did not say. */
  told: Total | null;
  /** What the ledger has of that attempt. */
  kept: Total;
}

const receiptRows = 500;

/** Receipts beside the ledger. A receipt is of the newest attempt that ended; a task that was given up is one epoch further. */
export async function* receiptsAt(client: Client): AsyncGenerator<KeptReceipt> {
  for (let last = ""; ; ) {
    const sql = `with page as (
        select id, receipt_json, (select max(a.epoch) from attempts as a where a.task = tasks.id and a.outcome is not null) as epoch
        from tasks where id > ? and receipt_json is not null order by id limit ${receiptRows})
      select page.id, page.epoch, page.receipt_json, count(u.id) as calls, coalesce(sum(u.cost), 0) as cost,
        coalesce(sum(u.id is not null and u.cost is null), 0) as unpriced,
        coalesce(sum(u.uncached_in), 0) as uncached_in, coalesce(sum(u.cache_read), 0) as cache_read,
        coalesce(sum(u.write_5m), 0) as write_5m, coalesce(sum(u.write_1h), 0) as write_1h,
        coalesce(sum(u.output), 0) as output, coalesce(sum(u.reasoning), 0) as reasoning
      from page left join usages as u on u.task = page.id and u.epoch = page.epoch group by page.id order by page.id`;
    const page = await readPage(client, { sql, args: [last] }, toReceipt);
    yield* page;
    last = page.at(-1)?.task ?? last;
    if (page.length < receiptRows) return;
  }
}

function toReceipt(row: Row): KeptReceipt {
  return {
    ...{ task: String(row.id), epoch: Number(row.epoch), told: receiptSchema.parse(JSON.parse(String(row.receipt_json))).usage },
    kept: { cost: Number(row.cost), calls: Number(row.calls), unpriced: Number(row.unpriced), usage: toUsage(row) },
  };
}

function toUsage(row: Row): Usage {
  const number = (name: string) => Number(row[name]);
  return {
    ...{ uncachedIn: number("uncached_in"), cacheRead: number("cache_read"), write5m: number("write_5m"), write1h: number("write_1h") },
    ...{ output: number("output"), reasoning: number("reasoning") },
  };
}
