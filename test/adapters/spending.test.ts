import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { libsqlStore } from "#adapters/store/libsql.ts";
import { type LedgerEntry, ledgerEntrySchema, noUsage } from "#core/ledger.ts";
import { libsqlJournal } from "../../branch-agent/journal/libsql.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";
import { spendingContract } from "../contracts/spending.contract.ts";
import { memorySpending } from "../support/spending.ts";

spendingContract("in memory", async () => {
  const spending = memorySpending();
  return { spending, other: spending, entries: async () => spending.entries(), close: async () => {} };
});

spendingContract("a factory's journal", async () => {
  const folder = await mkdtemp(join(tmpdir(), "uac-spending-"));
  const client = () => createClient({ url: `file:${join(folder, "journal.db")}` });
  const open = () => libsqlJournal(client(), client());
  const [spending, other] = [await open(), await open()];
  return {
    spending,
    other,
    entries: () => spending.untold(1000),
    async close() {
      await Promise.all([spending.close(), other.close()]);
      await rm(folder, { recursive: true });
    },
  };
});

spendingContract("headquarters' store", async () => {
  const folder = await mkdtemp(join(tmpdir(), "uac-spending-"));
  const open = () => createClient({ url: `file:${join(folder, "hq.db")}`, timeout: 2000 });
  const [client, second] = [open(), open()];
  await migrateDatabase(client);
  return {
    spending: libsqlStore(client).spending,
    other: libsqlStore(second).spending,
    async entries() {
      const { rows } = await client.execute("select * from usages order by rowid");
      return rows.map((row) => toEntry({ ...row }));
    },
    async close() {
      client.close();
      second.close();
      await rm(folder, { recursive: true });
    },
  };
});

function toEntry(row: Record<string, unknown>): LedgerEntry {
  const named = Object.entries(row).map(([name, value]) => [name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()), value]);
  const all = Object.fromEntries(named);
  const usage = Object.fromEntries(Object.keys(noUsage).map((part) => [part, all[part]]));
  const known = Object.keys(ledgerEntrySchema.shape).map((key) => [key, all[key]]);
  return ledgerEntrySchema.parse({ ...Object.fromEntries(known), usage });
}
