/**
 * How the tables are reached. Reads are drizzle queries; every write is one statement or one batch, a single round trip.
 *
 * A batch is a compare-and-set and what follows from it: each later statement runs only where the one before it changed
 * a row (`ifChanged`), so a lost compare-and-set leaves no trace. `changes()` belongs to the connection, and a batch has
 * one to itself, over Hrana too.
 */
import type { Client, InArgs, ResultSet } from "@libsql/client/web";
import { DrizzleQueryError, getTableColumns, is, SQL, sql } from "drizzle-orm";
import type { LibSQLDatabase } from "drizzle-orm/libsql";
import { drizzle } from "drizzle-orm/libsql/web";
import { SQLiteAsyncDialect, type SQLiteTable } from "drizzle-orm/sqlite-core";
import { hasCode, UacError } from "#core/errors.ts";
import type { PriceOf } from "#core/prices.ts";
import { facts } from "./schema.ts";

/** A database that does not answer within this is out of reach. The outcome of a write is then unknown. */
const answerWithinMs = 15_000;

type Built = { toSQL(): { sql: string; params: unknown[] } };
export type Statement = SQL | Built;

export interface Database {
  /** Builds queries. They are awaited by `run` and `write` alone, which know the time limit and the errors. */
  readonly q: LibSQLDatabase;
  /** One query. */
  run<T>(query: PromiseLike<T>): Promise<T>;
  /** The list by which a recorded cost is split into its parts. */
  readonly priceOf: PriceOf;
  /** All or nothing. The rows that a statement changed are counted only where it returns none. */
  write<const S extends readonly Statement[]>(...statements: S): Promise<{ [K in keyof S]: ResultSet }>;
}

/** Errors: `store_unavailable` (the outcome may be unknown), `conflict` where a unique value is taken. */
export function database(client: Client, priceOf: PriceOf = () => null): Database {
  const dialect = new SQLiteAsyncDialect();
  const built = (statement: Statement) => {
    const { sql: text, params } = is(statement, SQL) ? dialect.sqlToQuery(statement) : statement.toSQL();
    return { sql: text, args: params as InArgs };
  };
  return {
    q: drizzle(client),
    priceOf,
    run: (query) => answered(query),
    write: async (...statements) => {
      const [only, ...more] = statements.map(built);
      if (!only) return [] as never;
      const results = more.length === 0 ? [await answered(client.execute(only))] : await answered(client.batch([only, ...more], "write"));
      return results as never;
    },
  };
}

async function answered<T>(query: PromiseLike<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${answerWithinMs} ms`)), answerWithinMs);
  try {
    return await Promise.race([query, late]);
  } catch (error) {
    throw ours(error);
  } finally {
    clearTimeout(timer);
  }
}

/** drizzle's own wrapper is dropped: it quotes the parameters. */
function ours(error: unknown): UacError {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  if (cause instanceof UacError) return cause;
  const code = codeOf(cause);
  if (code.startsWith("SQLITE_CONSTRAINT")) {
    return new UacError("conflict", "The database refused it: a value that must be unique is taken.", { cause });
  }
  const hint = "Try again; if it stays, check DATABASE_URL and whether the migrations ran.";
  return new UacError("store_unavailable", `The database failed (${code}). ${hint}`, { cause });
}

/** The first code in the chain of causes: the driver's, or the network's below it. */
export function codeOf(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string") return cause.code;
  }
  return "no code";
}

/** True where the statement before it, in the same batch, changed a row. */
export const ifChanged = sql`changes() > 0`;
export const always = sql`true`;

/** `insert … select … where`: one row, on a condition. `conflict` is an `on conflict` clause. */
export function insertIf<T extends SQLiteTable>(condition: SQL, table: T, values: OrSql<T["$inferInsert"]>, conflict = sql``): SQL {
  const columns = getTableColumns(table);
  const given = Object.entries(values).flatMap(([key, value]) => {
    const column = columns[key];
    return column && value !== undefined ? [{ column, value }] : [];
  });
  const names = comma(given.map(({ column }) => sql.identifier(column.name)));
  const row = comma(given.map(({ column, value }) => (is(value, SQL) ? value : sql`${sql.param(value, column)}`)));
  return sql`insert into ${table} (${names}) select ${row} where ${condition} ${conflict}`;
}

type OrSql<T> = { [K in keyof T]: T[K] | SQL };

/** Many rows as one parameter, in their order. `conflict` is an `on conflict` clause; known keys are ignored without it. */
export function insertAll<T extends SQLiteTable>(table: T, rows: readonly T["$inferInsert"][], conflict?: SQL): SQL {
  const columns = getTableColumns(table);
  const given = Object.keys(rows[0] ?? {}).flatMap((key) => columns[key]?.name ?? []);
  const byName = rows.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [columns[key]?.name ?? key, value])));
  const values = comma(given.map((name) => sql`value ->> ${sql.raw(`'${name}'`)}`));
  return sql`insert into ${table} (${comma(given.map((name) => sql.identifier(name)))})
    select ${values} from json_each(${JSON.stringify(byName)}) where true ${conflict ?? sql`on conflict do nothing`}`;
}

/** Counts a change that a page could show. */
export function showChange(condition: SQL): SQL {
  return insertIf(condition, facts, { key: "change_seq", value: "1" }, sql`on conflict (key) do update set value = value + 1`);
}

export function comma(parts: SQLPart[]): SQL {
  return sql.join(parts, sql`, `);
}
type SQLPart = Parameters<typeof sql.join>[0][number];

/** True if the statement changed a row. */
export function hit(result: ResultSet): boolean {
  return result.rowsAffected > 0;
}

/** Says what a `conflict` means here. */
export async function orConflict<T>(work: Promise<T>, message: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw hasCode(error, "conflict") ? new UacError("conflict", message, { cause: error }) : error;
  }
}
