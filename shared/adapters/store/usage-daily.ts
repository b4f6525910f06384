/**
 * What the ledger comes to by day, so that a page need not read a million rows. It is written in the batch that appends to the ledger,
 * counts only what that batch appends, and can be made again from it.
 */
import { type SQL, sql } from "drizzle-orm";
import { dayMs, startOfDay } from "#core/day.ts";
import { usageDaily, usages } from "./schema.ts";
import { comma, type Database } from "./sql.ts";

const keys = ["factory", "persona", "seat", "provider", "model", "billing"] as const;
const counted = [
  ...["uncached_in", "cache_read", "write_5m", "write_1h", "output", "reasoning"],
  ...["cost", "cost_input", "cost_cache_read", "cost_cache_write", "cost_output", "billed"],
] as const;
const read = ["id", ...keys, ...counted] as const;

const names = (of: readonly string[]) => comma(of.map((name) => sql.identifier(name)));

type NewUsage = typeof usages.$inferInsert;

/** Adds those of `rows` that the ledger does not have: to stand before the statement that appends them. No id may be there twice. */
export function rollUp(rows: readonly NewUsage[], now: number): SQL {
  const told = rows.map((row) => [
    ...[row.id, row.factory, row.persona, row.seat, row.provider, row.model, row.billing],
    ...[row.uncachedIn, row.cacheRead, row.write5m, row.write1h, row.output, row.reasoning],
    ...[row.cost, row.costInput, row.costCacheRead, row.costCacheWrite, row.costOutput, row.billed],
  ]);
  const columns = comma(read.map((name, i) => sql`value ->> ${sql.raw(String(i))} as ${sql.identifier(name)}`));
  const fresh = sql`(select ${columns} from json_each(${JSON.stringify(told)})) as told where not exists (select 1 from ${usages} as u where u.id = told.id)`;
  return sql`${intoDaily(sql`${startOfDay(now)}`, fresh)}
    on conflict (${names(["day", ...keys])}) do update set
    ${comma(["calls", "unpriced", ...counted].map((name) => sql`${sql.identifier(name)} = ${sql.identifier(name)} + excluded.${sql.identifier(name)}`))}`;
}

/**
 * Makes all of it again from the ledger, a day at a time, each in a batch of its own: what is recorded meanwhile is counted, once.
 * Resolves to the number of days that the ledger has calls in or between.
 */
export async function rebuildDaily({ run, q, write }: Database): Promise<number> {
  const [span] = await run(
    q.select({ first: sql<number | null>`min(recorded_at)`, last: sql<number | null>`max(recorded_at)` }).from(usages),
  );
  const { first = null, last = null } = span ?? {};
  if (first === null || last === null) {
    await write(sql`delete from ${usageDaily} where not exists (select 1 from ${usages})`);
    return 0;
  }
  await write(sql`delete from ${usageDaily} where day < ${startOfDay(first)}`);
  let days = 0;
  for (let day = startOfDay(first); day <= last; day += dayMs) {
    const its = sql`${usages} where recorded_at >= ${day} and recorded_at < ${day + dayMs}`;
    await write(sql`delete from ${usageDaily} where day = ${day}`, intoDaily(sql`${day}`, its));
    days += 1;
  }
  return days;
}

/** `insert … select …` of the sums of `source`, a table or more with its `where`. */
function intoDaily(day: SQL, source: SQL): SQL {
  const sums = comma(counted.map((name) => sql`coalesce(sum(${sql.identifier(name)}), 0)`));
  return sql`insert into ${usageDaily} (${names(["day", ...keys, "calls", "unpriced", ...counted])})
    select ${day}, ${names(keys)}, count(*), sum(cost is null), ${sums} from ${source} group by ${names(keys)}`;
}
