/** One-time codes by which a factory joins. */
import { and, eq, gt, isNull, lte, type SQL, sql } from "drizzle-orm";
import type { Factories } from "#ports/factories.ts";
import { joinCodes } from "./schema.ts";
import { type Database, hit } from "./sql.ts";

/** Wrong guesses that an open code survives; the next one burns it. */
const guesses = 5;

const c = joinCodes;

export function joinCodesOf({ q, write }: Database): Pick<Factories, "addCode" | "redeem"> {
  return {
    async addCode(code, now) {
      await write(
        q
          .insert(c)
          .values({ ...code, createdAt: now })
          .onConflictDoNothing(),
      );
    },

    async redeem(hash, factory, now) {
      const open = and(eq(c.factory, factory), isNull(c.usedAt), gt(c.expiresAt, now)) as SQL;
      const itself = and(eq(c.hash, hash), eq(c.factory, factory)) as SQL;
      const [used, , found, burned] = await write(
        q
          .update(c)
          .set({ usedAt: now })
          .where(and(itself, open, lte(c.tries, guesses))),
        q
          .update(c)
          .set({ tries: sql`tries + 1` })
          .where(and(open, sql`not exists (select 1 from ${c} as known where known.hash = ${hash} and known.factory = ${factory})`)),
        q.select().from(c).where(itself),
        q
          .select({ hash: c.hash })
          .from(c)
          .where(and(open, gt(c.tries, guesses)))
          .limit(1),
      );
      const row = found.rows[0] as unknown as Row | undefined;
      if (!row) return burned.rows.length > 0 ? "burned" : "unknown";
      if (hit(used)) return { hash, factory, name: row.name, role: row.role, expiresAt: row.expires_at };
      if (row.used_at !== null) return "used";
      return row.tries > guesses ? "burned" : "expired";
    },
  };
}

/** As the database names its columns. */
interface Row {
  name: string;
  role: "headquarters" | "branch";
  expires_at: number;
  used_at: number | null;
  tries: number;
}
