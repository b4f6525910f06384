/** A factory's journal, read beside its owner: which calls it made, and which of them headquarters can't know yet. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { UacError } from "#core/errors.ts";
import { type LedgerEntry, ledgerEntrySchema } from "#core/ledger.ts";
import { readEnrolment } from "../../branch-agent/state.ts";

export interface JournalLedger {
  factory: string;
  entries: readonly LedgerEntry[];
  /** Ids of entries that no report was made of yet, or whose report headquarters did not confirm. */
  underWay: ReadonlySet<string>;
}

/** Reads only. Throws `not_found` where no factory lives in `home`, `store_unavailable` for a journal that can't be read. */
export async function readJournal(home: string): Promise<JournalLedger> {
  const path = join(home, "journal.db");
  const enrolment = await readEnrolment(home);
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (!enrolment || !there) throw new UacError("not_found", `${home} is no factory's folder: it has no enrolment or no journal`);
  const client = createClient({ url: `file:${path}` });
  try {
    const [usages, reports] = await client.batch(
      ["select id, entry_json, told from usages order by rowid", "select data from outbox"],
      "read",
    );
    const entries = (usages?.rows ?? []).map((row) => ledgerEntrySchema.parse(JSON.parse(String(row.entry_json))));
    const untold = (usages?.rows ?? []).filter(({ told }) => Number(told) === 0).map(({ id }) => String(id));
    const unheard = (reports?.rows ?? []).flatMap(({ data }) => usagesIn(String(data)));
    return { factory: enrolment.factory, entries, underWay: new Set([...untold, ...unheard]) };
  } catch (cause) {
    throw new UacError("store_unavailable", `${path} can't be read: another version's, or damaged`, { cause });
  } finally {
    client.close();
  }
}

/** Of a report in the outbox: our own, so it is read and not verified. */
function usagesIn(jws: string): string[] {
  const body = JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString("utf8"))?.body;
  return Array.isArray(body?.usages) ? body.usages.map(({ id }: { id: unknown }) => String(id)) : [];
}
