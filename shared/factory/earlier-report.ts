/** Reports that an earlier version of the program sealed, in the words of this one: what they told of work and money is not to be lost. */
import type { LedgerEntry } from "#core/ledger.ts";

/** Entries of the ledger did not say so much before wire 3. The journal's own were filled in by the same rule. */
export function inPresentWords(body: unknown): unknown {
  if (!isFields(body) || !Array.isArray(body.usages)) return body;
  return { ...body, usages: body.usages.map((entry) => (isFields(entry) && !("try" in entry) ? filledIn(entry) : entry)) };
}

type Unsaid = Pick<LedgerEntry, "try" | "seat" | "engine" | "requestId" | "messageId" | "prices" | "billing">;

function filledIn(entry: Fields): Fields {
  const { task, model, cost } = entry;
  const unsaid: Unsaid = {
    ...{ try: 1, seat: task === null ? "primary" : "coder", engine: "uac", requestId: null, messageId: null, prices: null },
    billing: "metered",
  };
  return { ...entry, ...unsaid, requestedModel: model, billed: cost };
}

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}
