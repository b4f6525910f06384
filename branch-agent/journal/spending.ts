/** What a factory spends, and holds back for calls under way. Everything in the journal is the factory's own. */
import type { InStatement, ResultSet, Row } from "@libsql/client";
import { asksOf, type Bound, binding, type Standing } from "#core/budget.ts";
import type { Spending } from "#ports/spending.ts";
import { checkLedgerEntry } from "./rows.ts";

interface Access {
  write(...statements: InStatement[]): Promise<ResultSet[]>;
  /** Outlives the program, but perhaps not a power cut. */
  writeLightly(statement: InStatement): Promise<ResultSet>;
  rows(sql: string, ...args: Value[]): Promise<Row[]>;
}
type Value = string | number;
interface Piece {
  sql: string;
  args: Value[];
}

export function spendingOf({ write, writeLightly, rows }: Access): Spending {
  return {
    async reserve({ entry, asks, life, leaseUntil }, bounds) {
      checkLedgerEntry(entry);
      const fits = bounds.map((bound) => {
        const used = usedOf(bound);
        const most = bound.budget.amount - bound.elsewhere - asksOf(bound, asks);
        return { sql: ` and ${used.spent.sql} + ${used.reserved.sql} <= ?`, args: [...used.spent.args, ...used.reserved.args, most] };
      });
      const { id, task, epoch, seat, at } = entry;
      // Where the power went, nobody was left to hear the answer: what the call had used by then is not known to anyone here.
      const reserved = await writeLightly({
        sql: `insert into reservations (id, task, epoch, seat, at, cost, tokens, life, lease_until, entry_json)
          select ?, ?, ?, ?, ?, ?, ?, ?, ?, ? where true${fits.map(({ sql }) => sql).join("")}`,
        args: [
          ...[id, task, epoch, seat, at, asks.usd, asks.tokens, life, leaseUntil, JSON.stringify(entry)],
          ...fits.flatMap(({ args }) => args),
        ],
      });
      if (reserved.rowsAffected === 1) return null;
      const standings = await standingsOf(bounds);
      // What was in the way may be gone by now: then the first stands for whatever it was, and is asked for again.
      return binding(standings, asks) ?? standings[0] ?? null;
    },
    standings: standingsOf,
    async settle(entry) {
      // What could not be read back would keep every later report from being written.
      checkLedgerEntry(entry);
      const { id, task, epoch } = entry;
      await write(
        {
          sql: "insert into usages (id, task, epoch, entry_json) values (?, ?, ?, ?) on conflict do nothing",
          args: [id, task, epoch, JSON.stringify(entry)],
        },
        { sql: "delete from reservations where id = ?", args: [id] },
      );
    },
    async release(now, life) {
      const left = { sql: "(lease_until <= ? or life <> ?)", args: [now, life ?? ""] };
      const orphans = life === undefined ? { sql: "lease_until <= ?", args: [now] } : left;
      const [, gone] = await write(
        {
          sql: `insert into usages (id, task, epoch, entry_json) select id, task, epoch, entry_json from reservations where ${orphans.sql}
            on conflict do nothing`,
          args: orphans.args,
        },
        { sql: `delete from reservations where ${orphans.sql}`, args: orphans.args },
      );
      return gone?.rowsAffected ?? 0;
    },
  };

  async function standingsOf(bounds: readonly Bound[]): Promise<Standing[]> {
    if (bounds.length === 0) return [];
    const used = bounds.map(usedOf);
    const columns = used.map(({ spent, reserved }, i) => `${spent.sql} as spent${i}, ${reserved.sql} as reserved${i}`);
    const [row] = await rows(`select ${columns.join(", ")}`, ...used.flatMap(({ spent, reserved }) => [...spent.args, ...reserved.args]));
    return bounds.map((bound, i) => ({
      bound,
      spent: Number(row?.[`spent${i}`]) + bound.elsewhere,
      reserved: Number(row?.[`reserved${i}`]),
    }));
  }
}

/** Sums of the entries, and of the reservations, that count against a bound. */
function usedOf({ budget, since }: Bound): { spent: Piece; reserved: Piece } {
  const { sql, args } = within(budget.scope);
  const counted = since === null ? { sql, args } : { sql: `${sql} and at >= ?`, args: [...args, since] };
  const column = budget.unit === "usd" ? "cost" : "tokens";
  return {
    spent: { sql: `(select coalesce(sum(${column}), 0) from usages where ${counted.sql})`, args: counted.args },
    // However long ago it was made, it is not spent yet.
    reserved: { sql: `(select coalesce(sum(${column}), 0) from reservations where ${sql})`, args },
  };
}

function within(scope: Bound["budget"]["scope"]): Piece {
  switch (scope.kind) {
    case "task":
      return { sql: "task = ? and epoch = ?", args: [scope.of, scope.epoch] };
    case "turn":
      return { sql: "task is null and epoch = ?", args: [scope.of] };
    case "vp":
      return { sql: "seat = ?", args: [scope.of] };
    case "factory":
    case "corporation":
      return { sql: "true", args: [] };
  }
}
