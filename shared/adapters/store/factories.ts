/** The fleet: who is enrolled, what it said of itself, and since when it is here. */
import { and, asc, eq, getTableColumns, ne, or, type SQL, sql } from "drizzle-orm";
import { factoryFactsSchema } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { factoryStatuses, leaseMs } from "#core/fleet.ts";
import { publicKeySchema } from "#core/hq-api.ts";
import { placedStates } from "#core/task.ts";
import type { Factories, Factory } from "#ports/factories.ts";
import { joinCodesOf } from "./join-codes.ts";
import { parseJson } from "./json.ts";
import { astray } from "./outbox.ts";
import { compare } from "./reports.ts";
import { factories, tasks } from "./schema.ts";
import { comma, type Database, hit, ifChanged, orConflict, showChange } from "./sql.ts";
import { keepHeld } from "./task-attempts.ts";

const f = factories;
/** Who ordered a drain: what the factory began by itself it may end by itself; the owner's order stays. */
const byFactory = "the factory drains by itself";

const busy = sql<number>`(select count(*) from ${tasks} where "tasks"."factory" = "factories"."id"
  and "tasks"."state" in (${comma(placedStates.map((state) => sql`${state}`))}))`;

export function factoriesOf(database: Database): Factories {
  const { q, run, write } = database;
  const select = async (where?: SQL) => {
    const rows = await run(
      q
        .select({ ...getTableColumns(f), busy })
        .from(f)
        .where(where)
        .orderBy(asc(f.id)),
    );
    return rows.map(toFactory);
  };

  return {
    list: () => select(),
    get: async (id) => (await select(eq(f.id, id)))[0] ?? null,
    byKid: async (kid) => (await select(eq(f.kid, kid)))[0] ?? null,

    async heartbeat(id, { facts, rttMs, draining, reports, accepted, running }, now) {
      const broken = sql`last_heartbeat_at is null or connected_since is null or ${now} - last_heartbeat_at > ${leaseMs}`;
      const turn = draining
        ? { from: sql`status = 'active'`, to: "draining", reason: byFactory }
        : { from: sql`status = 'draining' and status_reason = ${byFactory}`, to: "active", reason: "" };
      const { before, closing, missing } = compare(id, reports);
      const [old, gaps, ...more] = await write(
        before,
        missing,
        ...closing,
        q
          .update(f)
          .set({
            factsJson: JSON.stringify(facts),
            rttMs,
            lastHeartbeatAt: now,
            connectedSince: sql`case when ${broken} then ${now} else connected_since end`,
            toldTo: reports?.last ?? 0,
            status: sql`case when ${turn.from} then ${turn.to} else status end`,
            statusReason: sql`case when ${turn.from} then ${turn.reason} else status_reason end`,
            statusAt: sql`case when ${turn.from} then ${now} else status_at end`,
          })
          .where(and(eq(f.id, id), ne(f.status, "retired"))),
        showChange(ifChanged),
        keepHeld(id, accepted, now),
        astray(id, [...accepted, ...running], now),
        q.select({ status: f.status, heard: f.heardTo }).from(f).where(eq(f.id, id)),
      );
      const is = more.at(-1)?.rows[0];
      const status = factoryStatuses.find((known) => known === is?.status);
      if (!is || !status) throw new UacError("not_found", `There is no factory ${id}.`);
      const heardTo = Number(old.rows[0]?.heard_to);
      const first = reports?.first ?? 0;
      return {
        status,
        heard: Number(is.heard_to),
        missing: gaps.rows.map((row) => Number(row.seq)).filter((seq) => seq >= first),
        // What was numbered before HQ knew this journal is no gap.
        lost: heardTo > 0 && first > heardTo + 1 ? { from: heardTo + 1, to: first - 1 } : null,
      };
    },

    async enrol({ id, name, role, kid, key, busHash = null }, now) {
      const keyJson = JSON.stringify(key);
      const fresh = { name, role, kid, keyJson, busHash, status: "pending" as const, statusAt: now, enrolledAt: now };
      const unseen = { factsJson: null, rttMs: null, lastHeartbeatAt: null, connectedSince: null, statusReason: "" };
      const forgotten = { ...unseen, heardTo: 0, toldTo: 0 };
      const enrolled = write(
        q
          .insert(f)
          .values({ id, ...fresh })
          .onConflictDoUpdate({ target: f.id, set: { ...fresh, ...forgotten, gen: sql`gen + 1` } }),
        showChange(ifChanged),
      );
      await orConflict(enrolled, `The key of ${id} belongs to another factory. Make a new key: every factory has its own.`);
    },

    async forgetBusUser(id) {
      await write(
        q
          .update(f)
          .set({ busHash: null })
          .where(and(eq(f.id, id), eq(f.status, "retired"))),
      );
    },

    async setStatus(id, status, now, kid, from) {
      const revokes = status === "retired" ? sql`gen + (status <> 'retired')` : sql`gen`;
      const [set] = await write(
        q
          .update(f)
          .set({ status, statusAt: now, statusReason: "", gen: revokes })
          .where(
            and(
              eq(f.id, id),
              or(ne(f.status, "retired"), sql`${status} = 'retired'`),
              kid === undefined ? undefined : eq(f.kid, kid),
              from === undefined ? undefined : eq(f.status, from),
            ),
          ),
        showChange(ifChanged),
      );
      return hit(set);
    },

    ...joinCodesOf(database),
  };
}

function toFactory({
  keyJson,
  factsJson,
  statusAt: _,
  statusReason: __,
  heardTo: ___,
  toldTo: ____,
  ...row
}: typeof f.$inferSelect & { busy: number }): Factory {
  return {
    ...row,
    key: parseJson(publicKeySchema, keyJson, "key_json"),
    facts: factsJson === null ? null : parseJson(factoryFactsSchema, factsJson, "facts_json"),
  };
}
