/** What people sent, stored whole before anything happens. */
import { and, asc, eq, isNull, lt, sql } from "drizzle-orm";
import type { Inbound } from "#ports/chat.ts";
import type { Update, Updates } from "#ports/store.ts";
import { parseTagged } from "./json.ts";
import { inboundUpdates } from "./schema.ts";
import { always, type Database, hit, ifChanged, insertIf, showChange } from "./sql.ts";

const inboundKinds = ["text", "tap"] satisfies Inbound["kind"][];
const u = inboundUpdates;

export function updatesOf({ q, run, write }: Database): Updates {
  return {
    async receive(id, inbound, now) {
      const [inserted, , known] = await write(
        insertIf(always, u, { id, chat: inbound.chat, inboundJson: JSON.stringify(inbound), receivedAt: now }, sql`on conflict do nothing`),
        showChange(ifChanged),
        sql`select finished_at from ${u} where id = ${id}`,
      );
      if (hit(inserted)) return "new";
      return known.rows[0]?.finished_at === null ? "unfinished" : "finished";
    },

    async begin(chat, now) {
      const oldest = q
        .select({ id: u.id })
        .from(u)
        .where(and(isNull(u.finishedAt), eq(u.chat, chat)))
        .orderBy(asc(u.id))
        .limit(1);
      const [row] = await run(
        q
          .update(u)
          .set({ attempts: sql`attempts + 1`, startedAt: now })
          .where(eq(u.id, sql`(${oldest})`))
          .returning(),
      );
      return row ? toUpdate(row) : null;
    },

    async pause(id) {
      await write(
        q
          .update(u)
          .set({ attempts: 0 })
          .where(and(eq(u.id, id), isNull(u.finishedAt))),
      );
    },

    async finish(id, outcome, now) {
      await write(
        q
          .update(u)
          .set({ finishedAt: now, outcome })
          .where(and(eq(u.id, id), isNull(u.finishedAt))),
        showChange(ifChanged),
      );
    },

    async stuckChats(before) {
      const rows = await run(
        q
          .selectDistinct({ chat: u.chat })
          .from(u)
          .where(and(isNull(u.finishedAt), lt(u.receivedAt, before))),
      );
      return rows.map((row) => row.chat);
    },
  };
}

function toUpdate(row: typeof u.$inferSelect): Update {
  const { id, chat, attempts, receivedAt } = row;
  return { id, chat, attempts, receivedAt, inbound: parseTagged<Inbound>("kind", inboundKinds, row.inboundJson, "inbound_json") };
}
