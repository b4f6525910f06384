/** Who may come in: seen envelopes, one-time logins, sessions. Only hashes are stored. */
import { and, eq, gt, isNull, lt, lte } from "drizzle-orm";
import { skewS } from "#core/envelope.ts";
import type { Access } from "#ports/store.ts";
import { logins, seenEnvelopes, sessions } from "./schema.ts";
import { type Database, hit, ifChanged, insertIf } from "./sql.ts";

export function accessOf({ q, run, write }: Database): Access {
  return {
    async unseen(issuer, id, expiresAt, now) {
      const [, added] = await write(
        // An envelope is taken until its expiry plus the tolerated skew: forgotten sooner, it could be replayed.
        q.delete(seenEnvelopes).where(lt(seenEnvelopes.expiresAt, now - skewS * 1000)),
        q.insert(seenEnvelopes).values({ issuer, id, expiresAt }).onConflictDoNothing(),
      );
      return hit(added);
    },

    async addLogin(hash, expiresAt) {
      await write(q.insert(logins).values({ hash, expiresAt }).onConflictDoNothing());
    },

    async redeemLogin(hash, session, now) {
      const [used] = await write(
        q
          .update(logins)
          .set({ usedAt: now })
          .where(and(eq(logins.hash, hash), isNull(logins.usedAt), gt(logins.expiresAt, now))),
        insertIf(ifChanged, sessions, { ...session, createdAt: now }),
        q.delete(logins).where(lte(logins.expiresAt, now)),
        q.delete(sessions).where(lte(sessions.expiresAt, now)),
      );
      return hit(used);
    },

    async session(hash, now) {
      const open = and(eq(sessions.hash, hash), gt(sessions.expiresAt, now));
      const rows = await run(q.select({ hash: sessions.hash }).from(sessions).where(open));
      return rows.length > 0;
    },

    async endSession(hash) {
      await write(q.delete(sessions).where(eq(sessions.hash, hash)));
    },
  };
}
