/** Hrana requests on one libSQL connection. Everything here is synchronous: between two requests nothing else runs. */
import Database from "libsql";
import type { BatchCond, HranaError, HranaValue, Stmt, StreamRequest, StreamResult } from "./protocol.ts";

export type Connection = InstanceType<typeof Database>;

/** What one statement cost. */
export interface Statement {
  /** Rows that a scan of a whole table stepped over; what an index led to is not among them. */
  scanned: number;
  returned: number;
  changed: number;
}

export interface Session {
  db: Connection;
  /** SQL texts that the client stored on its stream, by its own numbers. */
  stored: Map<number, string>;
  /** Told of every statement that ran. */
  onStatement?: ((statement: Statement) => void) | undefined;
}

const maxStoredSql = 1000;

/** One connection; `busy_timeout` stays 0: to wait inside SQLite would stop the only thread that can end the wait. */
export function openConnection(file: string): Connection {
  return new Database(file);
}

export function answer(session: Session, request: StreamRequest): StreamResult {
  try {
    return { type: "ok", response: { type: request.type, ...run(session, request) } };
  } catch (error) {
    return { type: "error", error: toHranaError(error) };
  }
}

function run(session: Session, request: StreamRequest): Record<string, unknown> {
  const { db, stored } = session;
  switch (request.type) {
    case "execute":
      return { result: execute(session, request.stmt) };
    case "batch":
      return { result: batch(session, request.batch.steps) };
    case "sequence":
      db.exec(sqlOf(stored, request));
      return {};
    case "describe":
      return { result: describe(db, oneStatement(sqlOf(stored, request))) };
    case "store_sql":
      if (stored.size >= maxStoredSql) throw badRequest("SQL_STORE_FULL", `a stream stores at most ${maxStoredSql} SQL texts`);
      if (stored.has(request.sql_id)) throw badRequest("SQL_STORED_TWICE", `sql_id ${request.sql_id} is in use`);
      stored.set(request.sql_id, request.sql);
      return {};
    case "close_sql":
      stored.delete(request.sql_id);
      return {};
    case "get_autocommit":
      return { is_autocommit: !db.inTransaction };
    case "close":
      return {};
  }
}

function batch(session: Session, steps: { condition?: BatchCond | null | undefined; stmt: Stmt }[]) {
  const results: (ReturnType<typeof execute> | null)[] = [];
  const errors: (HranaError | null)[] = [];
  const holds = (cond: BatchCond): boolean => {
    switch (cond.type) {
      case "ok":
        return Boolean(results[cond.step]);
      case "error":
        return Boolean(errors[cond.step]);
      case "not":
        return !holds(cond.cond);
      case "and":
        return cond.conds.every(holds);
      case "or":
        return cond.conds.some(holds);
      case "is_autocommit":
        return !session.db.inTransaction;
    }
  };
  for (const { condition, stmt } of steps) {
    let result: ReturnType<typeof execute> | null = null;
    let error: HranaError | null = null;
    try {
      if (!condition || holds(condition)) result = execute(session, stmt);
    } catch (thrown) {
      error = toHranaError(thrown);
    }
    results.push(result);
    errors.push(error);
  }
  return { step_results: results, step_errors: errors };
}

function execute({ db, stored, onStatement }: Session, stmt: Stmt) {
  const sql = oneStatement(sqlOf(stored, stmt));
  const statement = db.prepare(sql);
  const args = argsOf(stmt);
  if (!statement.reader) {
    const { changes, lastInsertRowid } = statement.run(args);
    onStatement?.({ scanned: scannedBy(db, sql), returned: 0, changed: changes });
    return { cols: [], rows: [], affected_row_count: changes, last_insert_rowid: String(lastInsertRowid) };
  }
  const before = counters(db);
  const rows = statement.safeIntegers(true).raw(true).all(args) as unknown[][];
  const scanned = onStatement ? scannedBy(db, sql) : 0;
  const after = counters(db);
  onStatement?.({ scanned, returned: rows.length, changed: after.total - before.total });
  return {
    cols: statement.columns().map(({ name, type }) => ({ name, decltype: type })),
    rows: stmt.want_rows ? rows.map((row) => row.map(toHrana)) : [],
    // `INSERT … RETURNING` both returns rows and changes some; a SELECT leaves the count of an older statement behind.
    affected_row_count: after.total === before.total ? 0 : after.last,
    last_insert_rowid: after.total === before.total ? null : after.rowid,
  };
}

/** SQLite's own count for the newest statement with this text. */
function scannedBy(db: Connection, sql: string): number {
  const [row] = db.prepare("select nscan from sqlite_stmt where sql = ? limit 1").raw(true).all([sql]) as [number][];
  return row?.[0] ?? 0;
}

function counters(db: Connection) {
  const row = db.prepare("select total_changes(), changes(), cast(last_insert_rowid() as text)").raw(true).get() as [
    number,
    number,
    string,
  ];
  return { total: row[0], last: row[1], rowid: row[2] };
}

/** `params` and `is_readonly` are read off the compiled program, since the driver does not tell them. */
function describe(db: Connection, sql: string) {
  const cols = db.prepare(sql).columns();
  const program = db.prepare(`explain ${sql.replace(/^\s*explain\s+(query\s+plan\s+)?/i, "")}`).all() as {
    opcode: string;
    p1: number;
    p2: number;
    p4: string | null;
  }[];
  const params: { name: string | null }[] = [];
  for (const { p1, p4 } of program.filter(({ opcode }) => opcode === "Variable")) params[p1 - 1] = { name: p4 };
  return {
    params: Array.from(params, (param) => param ?? { name: null }),
    cols: cols.map(({ name, type }) => ({ name, decltype: type })),
    is_explain: /^\s*explain\b/i.test(sql),
    is_readonly: !program.some(({ opcode, p2 }) => opcode === "Transaction" && p2 > 0),
  };
}

function sqlOf(stored: Session["stored"], of: { sql?: string | undefined; sql_id?: number | undefined }): string {
  const sql = of.sql ?? (of.sql_id === undefined ? undefined : stored.get(of.sql_id));
  if (sql === undefined) throw badRequest("SQL_NOT_FOUND", "the request names no SQL that this stream knows");
  return sql;
}

/** The driver would silently drop a second statement; a hosted libSQL refuses it. */
function oneStatement(sql: string): string {
  if (/^\s*create\s+(temp\w*\s+)?trigger\b/i.test(sql)) return sql;
  const bare = sql.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\//g, " ");
  if (/;\s*[^\s;]/.test(bare)) throw badRequest("SQL_MANY_STATEMENTS", "SQL string contains more than one statement");
  return sql;
}

function argsOf({ args, named_args }: Stmt): unknown[] {
  if (named_args.length === 0) return args.map(fromHrana);
  if (args.length > 0) throw badRequest("ARGS_BOTH_POSITIONAL_AND_NAMED", "positional and named arguments can't be mixed here");
  // A single object is taken as named arguments; the driver binds NULL where a name keeps its prefix.
  return Object.fromEntries(named_args.map(({ name, value }) => [name.replace(/^[:@$]/, ""), fromHrana(value)])) as unknown as unknown[];
}

function fromHrana(value: HranaValue): unknown {
  switch (value.type) {
    case "null":
      return null;
    case "integer":
      return BigInt(value.value);
    case "blob":
      return Buffer.from(value.base64, "base64");
    default:
      return value.value;
  }
}

function toHrana(value: unknown): HranaValue {
  if (value === null || value === undefined) return { type: "null" };
  if (typeof value === "bigint") return { type: "integer", value: value.toString() };
  if (typeof value === "number") return { type: "float", value };
  if (typeof value === "string") return { type: "text", value };
  if (value instanceof Uint8Array) return { type: "blob", base64: Buffer.from(value).toString("base64") };
  throw badRequest("VALUE_UNKNOWN", `a column holds a ${typeof value}`);
}

function badRequest(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** Base codes (`SQLITE_CONSTRAINT`, not `SQLITE_CONSTRAINT_PRIMARYKEY`), as a hosted libSQL sends them. */
function toHranaError(error: unknown): HranaError {
  if (!(error instanceof Error)) return { message: String(error), code: "UNKNOWN" };
  const code = "code" in error && typeof error.code === "string" && error.code !== "" ? error.code : "UNKNOWN";
  if (!code.startsWith("SQLITE_")) return { message: error.message, code };
  return { message: `SQLite error: ${error.message}`, code: code.split("_").slice(0, 2).join("_") };
}
