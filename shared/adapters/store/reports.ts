/**
 * Which reports of a factory are heard: all up to `heard_to`, and beyond it those in `heard_reports`. A factory numbers its reports
 * without a gap, so a number that was sent and is not heard is a report that the bus lost.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Body } from "#core/envelope.ts";
import { controlsPerBeat } from "#core/envelope.ts";
import type { Statement } from "./sql.ts";

/** Numbers that one comparison looks at: what is missing beyond them is found by a later one. */
const compared = 10_000;

/** Notes reports as heard, in any order, as often as one likes. */
export function hear(factory: string, seqs: readonly number[]): Statement[] {
  // 0 is nobody's number.
  const numbers = seqs.filter((seq) => seq > 0);
  if (numbers.length === 0) return [];
  return [
    sql`insert into heard_reports (factory, seq) select ${factory}, value from json_each(${JSON.stringify(numbers)})
      where value > (select heard_to from factories where id = ${factory}) on conflict do nothing`,
    ...closeUp(factory),
  ];
}

/** Moves `heard_to` up to the first number that is not heard, and forgets the rows below it. */
function closeUp(factory: string): Statement[] {
  return [
    // Numbers above `heard_to` without a gap between are as far from it as their place in the row.
    sql`update factories set heard_to = heard_to + (select count(*) from
        (select seq, row_number() over (order by seq) as place from heard_reports where factory = ${factory}
          and seq > (select heard_to from factories where id = ${factory}))
        where seq = (select heard_to from factories where id = ${factory}) + place)
      where id = ${factory}`,
    sql`delete from heard_reports where factory = ${factory} and seq <= (select heard_to from factories where id = ${factory})`,
  ];
}

/**
 * Statements that compare what a factory says it sent with what is heard: the state before, three that bring it up to date, and
 * what is missing. They stand before the heartbeat is noted: what was sent at the last one is missing if HQ watched since.
 */
export function compare(factory: string, reports: Body<"heartbeat">["reports"]): { before: SQL; closing: Statement[]; missing: SQL } {
  const first = reports?.first ?? 0;
  const watched = sql`exists (select 1 from facts where key = 'last_tick' and cast(value as integer) >= f.last_heartbeat_at)
    and not exists (select 1 from facts, json_each(facts.value) as behind where facts.key = 'unread' and behind.value = f.id)`;
  return {
    before: sql`select heard_to from factories where id = ${factory}`,
    closing: [
      // What the factory does not keep any more will never come.
      sql`update factories set heard_to = max(heard_to, ${first - 1}) where id = ${factory}`,
      ...closeUp(factory),
    ],
    missing: sql`with recursive sent (seq, last) as (
        select heard_to + 1, told_to from factories as f where id = ${factory} and heard_to < told_to and ${watched}
        union all select seq + 1, last from sent where seq < last limit ${compared})
      select seq from sent where seq not in (select seq from heard_reports where factory = ${factory}) order by seq limit ${controlsPerBeat}`,
  };
}
