/** The sums of days, made again from the ledger. */
import { type SQL, sql } from "drizzle-orm";
import { usages } from "#adapters/store/schema.ts";
import { comma, type Database } from "#adapters/store/sql.ts";
import { usageDaily } from "#adapters/store/usage-daily.ts";
import { dayMs, startOfDay } from "#core/day.ts";

const keys = ["factory", "persona", "seat", "provider", "model", "billing"] as const;
const counted = [
  ...["uncached_in", "cache_read", "write_5m", "write_1h", "output", "reasoning"],
  ...["cost", "cost_input", "cost_cache_read", "cost_cache_write", "cost_output", "billed"],
] as const;

/** What a number holds: no row has more, here as by the trigger, so that every row can be read. */
const most = Number.MAX_SAFE_INTEGER;

const names = (of: readonly string[]) => comma(of.map((name) => sql.identifier(name)));

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
  // What is recorded meanwhile is of a later day at most, and has its own call then.
  await write(sql`delete from ${usageDaily} where day < ${startOfDay(first)} or day > (select max(recorded_at) from ${usages})`);
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
  const sums = comma(counted.map((name) => sql`cast(min(total(${sql.identifier(name)}), ${most}) as integer)`));
  return sql`insert into ${usageDaily} (${names(["day", ...keys, "calls", "unpriced", ...counted])})
    select ${day}, ${names(keys)}, count(*), sum(cost is null), ${sums} from ${source} group by ${names(keys)}`;
}
