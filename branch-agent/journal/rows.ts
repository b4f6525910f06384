/** Rows of the journal as the ports know them. What does not fit its schema is an error, never a half-read value. */
import type { Row } from "@libsql/client";
import { type Control, controlSchema } from "#core/control.ts";
import { type Order, orderSchema } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { type LedgerEntry, ledgerEntrySchema } from "#core/ledger.ts";
import type { Attempt, AttemptState, Report } from "#ports/journal.ts";
import type { Entry } from "#ports/transcript.ts";

const entryTypes: readonly Entry["type"][] = ["user", "assistant", "intent", "result", "compaction"];

export function toAttempt(row: Row): Attempt {
  return {
    order: checked<Order>(orderSchema, parse(row.order_json, "order"), "order"),
    orderId: String(row.order_id),
    entryId: String(row.entry_id),
    state: String(row.state) as AttemptState,
    starts: Number(row.starts),
  };
}

export function toControl(row: Row): Control {
  return checked<Control>(controlSchema, parse(row.control_json, "control"), "control");
}

export function toLedgerEntry(row: Row): LedgerEntry {
  return checkLedgerEntry(parse(row.entry_json, "ledger entry"));
}

export function checkLedgerEntry(value: unknown): LedgerEntry {
  return checked(ledgerEntrySchema, value, "ledger entry");
}

/** Only the journal writes these, so their tag is checked alone. */
export function toEntry(row: Row): Entry {
  const entry = parse(row.entry_json, "transcript entry");
  const type = entry !== null && typeof entry === "object" && "type" in entry ? entry.type : undefined;
  if (!entryTypes.some((known) => known === type)) throw unreadable("transcript entry", new Error(`type ${String(type)}`));
  return entry as Entry;
}

export function toReport(row: Row): Report {
  return {
    id: String(row.id),
    seq: Number(row.seq),
    data: String(row.data),
    ackEntry: row.ack_entry === null ? null : String(row.ack_entry),
  };
}

function checked<T>(schema: { parse(value: unknown): T }, value: unknown, what: string): T {
  try {
    return schema.parse(value);
  } catch (cause) {
    throw unreadable(what, cause);
  }
}

function parse(json: unknown, what: string): unknown {
  try {
    return JSON.parse(String(json));
  } catch (cause) {
    throw unreadable(what, cause);
  }
}

function unreadable(what: string, cause: unknown): UacError {
  return new UacError(
    "internal",
    `The journal can't hold or read this ${what}: it does not fit its schema. If another version wrote it, move the journal away.`,
    {
      cause,
    },
  );
}
