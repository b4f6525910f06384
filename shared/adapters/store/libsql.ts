/** The state of record in libSQL: over HTTP in a Worker (`@libsql/client/web`), or a file in Node (`@libsql/client`). */
import type { Client } from "@libsql/client/web";
import { eq, sql } from "drizzle-orm";
import type { PriceOf } from "#core/prices.ts";
import type { Store } from "#ports/store.ts";
import { accessOf } from "./access.ts";
import { budgetsOf } from "./budgets.ts";
import { controlsOf } from "./controls.ts";
import { conversationsOf } from "./conversations.ts";
import { factoriesOf } from "./factories.ts";
import { incidentsOf } from "./incidents.ts";
import { ledgerOf } from "./ledger.ts";
import { lettersOf } from "./letters.ts";
import { outboxOf } from "./outbox.ts";
import { questionsOf } from "./questions.ts";
import { facts } from "./schema.ts";
import { spendingOf } from "./spending.ts";
import { database } from "./sql.ts";
import { tasksOf } from "./tasks.ts";
import { updatesOf } from "./updates.ts";

/**
 * The store behind a client; the caller made the client and closes it. Migrations are run elsewhere. Without `priceOf` costs are recorded
 * whole, not by their parts.
 */
export function libsqlStore(client: Client, priceOf?: PriceOf): Store {
  const tables = database(client, priceOf);
  const { q, run, write } = tables;
  const get = async (key: string) => {
    const [row] = await run(q.select({ value: facts.value }).from(facts).where(eq(facts.key, key)));
    return row?.value ?? null;
  };

  return {
    updates: updatesOf(tables),
    conversations: conversationsOf(tables),
    tasks: tasksOf(tables),
    outbox: outboxOf(tables),
    controls: controlsOf(tables),
    letters: lettersOf(tables),
    questions: questionsOf(tables),
    factories: factoriesOf(tables),
    ledger: ledgerOf(tables),
    spending: spendingOf(tables),
    budgets: budgetsOf(tables),
    access: accessOf(tables),
    ...incidentsOf(tables),

    get,

    async set(key, value) {
      await write(q.insert(facts).values({ key, value }).onConflictDoUpdate({ target: facts.key, set: { value } }));
    },

    async next(counter) {
      const counted = q
        .insert(facts)
        .values({ key: counter, value: "1" })
        .onConflictDoUpdate({ target: facts.key, set: { value: sql`value + 1` } });
      const [row] = await run(counted.returning({ value: facts.value }));
      return Number(row?.value);
    },

    async changeSeq() {
      return Number((await get("change_seq")) ?? 0);
    },
  };
}
