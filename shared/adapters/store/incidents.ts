/** What should not have happened: once each, counted, and of the newest what caused it. */
import { and, desc, eq, sql } from "drizzle-orm";
import type { Incident } from "#ports/incidents.ts";
import type { Store } from "#ports/store.ts";
import { incidents } from "./schema.ts";
import { type Database, ifChanged, insertIf, type Statement, showChange } from "./sql.ts";

/** Incidents of one factory that are kept, and of those how many with the entry that caused them (up to 256 KB each). */
const kept = 500;
const keptWithData = 40;

export function incidentsOf({ q, run, write }: Database): Pick<Store, "incident" | "incidents"> {
  return {
    async incident(incident, now) {
      const [, , , , found] = await write(
        ...noting(incident, now),
        q
          .select({ tries: incidents.tries })
          .from(incidents)
          .where(and(eq(incidents.kind, incident.kind), eq(incidents.digest, incident.digest))),
      );
      return Number(found?.rows[0]?.tries ?? 1);
    },

    incidents({ kind, limit }) {
      const { at, factory, text, digest } = incidents;
      const columns = { at, kind: incidents.kind, factory, text, digest };
      return run(q.select(columns).from(incidents).where(eq(incidents.kind, kind)).orderBy(desc(incidents.id)).limit(limit));
    },
  };
}

/** Four statements: a factory that causes ever new incidents pushes out its own old ones, nobody else's. */
export function noting(incident: Incident, now: number): [Statement, Statement, Statement, Statement] {
  const its = sql`factory is ${incident.factory}`;
  const beyond = (n: number, where = sql`true`) =>
    sql`${its} and ${where} and id <= (select id from incidents where ${its} and ${where} order by id desc limit 1 offset ${n})`;
  return [
    insertIf(sql`true`, incidents, { ...incident, at: now }, sql`on conflict (kind, digest) do update set tries = tries + 1`),
    showChange(ifChanged),
    sql`delete from incidents where ${beyond(kept)}`,
    sql`update incidents set data = null where ${beyond(keptWithData, sql`data is not null`)}`,
  ];
}
