import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@libsql/client/web";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Statement } from "../../dev/hrana/execute.ts";
import { type Hrana, startHrana } from "../../dev/hrana.ts";

const token = "local-test-token";
let folder: string;
let server: Hrana;
let client: Client;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "uac-hrana-"));
  server = await startHrana({ file: join(folder, "db.sqlite"), token, idleMs: 300 });
  client = createClient({ url: server.url, authToken: token });
  await client.execute("create table t (id integer primary key, name text unique, data blob, score real)");
});

afterEach(async () => {
  client.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const post = (body: unknown, headers: Record<string, string> = {}, path = "/v3/pipeline") =>
  fetch(`${server.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}`, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

describe("through @libsql/client/web", () => {
  test("values of every type come back as they went", async () => {
    await client.execute({ sql: "insert into t values (?, ?, ?, ?)", args: [7n, "naïve 🙂", new Uint8Array([0, 255]), 1.5] });
    const { rows, columns, columnTypes } = await client.execute("select id, name, data, score, null as void from t");
    expect(columns).toEqual(["id", "name", "data", "score", "void"]);
    expect(columnTypes.slice(0, 4)).toEqual(["INTEGER", "TEXT", "BLOB", "REAL"]);
    expect(rows[0]).toMatchObject({ id: 7, name: "naïve 🙂", score: 1.5, void: null });
    expect(new Uint8Array(rows[0]?.data as ArrayBuffer)).toEqual(new Uint8Array([0, 255]));
  });

  test("named arguments are bound with and without their prefix", async () => {
    const { rows } = await client.execute({ sql: "select :a as a, $b as b, @c as c", args: { ":a": "1", b: "2", "@c": "3" } });
    expect(rows[0]).toMatchObject({ a: "1", b: "2", c: "3" });
  });

  test("counts what a statement changed, whether or not it returns rows", async () => {
    const plain = await client.execute("insert into t (name) values ('a'), ('b')");
    expect([plain.rowsAffected, plain.lastInsertRowid]).toEqual([2, 2n]);
    const returning = await client.execute("insert into t (name) values ('c') returning id, name");
    expect([returning.rowsAffected, returning.lastInsertRowid]).toEqual([1, 3n]);
    expect(returning.rows[0]).toMatchObject({ id: 3, name: "c" });
    const select = await client.execute("select * from t");
    expect([select.rowsAffected, select.rows.length]).toEqual([0, 3]);
  });

  test("tells what a statement cost: rows that a scan stepped over, rows returned, rows changed", async () => {
    const seen: Statement[] = [];
    const metered = await startHrana({ file: join(folder, "metered.sqlite"), onStatement: (statement) => void seen.push(statement) });
    const of = createClient({ url: metered.url });
    await of.execute("create table t (id integer primary key, name text)");
    await of.execute("insert into t (name) values ('a'), ('b'), ('c'), ('d')");
    seen.length = 0;
    await of.execute("select id from t where name = 'b'");
    await of.execute("select name from t where id = 2");
    await of.execute("update t set name = 'x' where id in (1, 2)");
    await of.batch(["insert into t (name) values ('e') returning id"], "write");
    of.close();
    await metered.close();
    expect(seen.filter(({ scanned, returned, changed }) => scanned + returned + changed > 0)).toEqual([
      { scanned: 3, returned: 1, changed: 0 },
      { scanned: 0, returned: 1, changed: 0 },
      { scanned: 0, returned: 0, changed: 2 },
      { scanned: 0, returned: 1, changed: 1 },
    ]);
  });

  test("a batch is all or nothing, and says which statement failed", async () => {
    const batch = client.batch(["insert into t (name) values ('x')", "insert into t (name) values ('x')"], "write");
    await expect(batch).rejects.toMatchObject({ code: "SQLITE_CONSTRAINT", statementIndex: 1 });
    expect((await client.execute("select count(*) as n from t")).rows[0]?.n).toBe(0);
  });

  test("many statements with repeated texts go through the store of SQL texts", async () => {
    const insert = Array.from({ length: 100 }, (_, i) => ({ sql: `insert into t (name) values (?) -- ${i % 40}`, args: [`n${i}`] }));
    await client.batch(insert, "write");
    expect((await client.execute("select count(*) as n from t")).rows[0]?.n).toBe(100);
  });

  test("40 batches at once all succeed", async () => {
    const done = await Promise.allSettled(
      Array.from({ length: 40 }, (_, i) =>
        client.batch([{ sql: "insert into t (name) values (?)", args: [`b${i}`] }, "update t set score = coalesce(score, 0) + 1"], "write"),
      ),
    );
    expect(done.filter(({ status }) => status === "fulfilled")).toHaveLength(40);
    expect((await client.execute("select count(*) as n from t")).rows[0]?.n).toBe(40);
  });

  test("interactive transactions take turns instead of failing", async () => {
    await client.execute("insert into t values (1, 'counter', null, 0)");
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        const tx = await client.transaction("write");
        const { rows } = await tx.execute("select score from t where id = 1");
        await tx.execute({ sql: "update t set score = ? where id = 1", args: [Number(rows[0]?.score) + 1] });
        await tx.commit();
      }),
    );
    expect((await client.execute("select score from t where id = 1")).rows[0]?.score).toBe(12);
  });

  test("an abandoned transaction is rolled back and the waiting writers go on", async () => {
    const tx = await client.transaction("write");
    await tx.execute("insert into t (name) values ('abandoned')");
    const waiting = client.batch(["insert into t (name) values ('waited')"], "write");
    await waiting;
    expect((await client.execute("select name from t")).rows.map(({ name }) => name)).toEqual(["waited"]);
    await expect(tx.commit()).rejects.toMatchObject({ code: "STREAM_EXPIRED" });
  });

  test("rollback and close undo", async () => {
    const tx = await client.transaction("write");
    await tx.execute("insert into t (name) values ('no')");
    await tx.rollback();
    const other = await client.transaction("write");
    await other.execute("insert into t (name) values ('no')");
    other.close();
    expect((await client.execute("select count(*) as n from t")).rows[0]?.n).toBe(0);
  });

  test("a sequence runs every statement, a single statement is held to be one", async () => {
    await client.executeMultiple("insert into t (name) values ('one;'); insert into t (name) values ('two'); -- done;");
    expect((await client.execute("select count(*) as n from t; -- trailing")).rows[0]?.n).toBe(2);
    await expect(client.execute("select 1; select 2")).rejects.toMatchObject({ code: "SQL_MANY_STATEMENTS" });
    await client.execute("create trigger tr after insert on t begin update t set score = 1; update t set score = 2; end");
  });

  test("a wrong statement is an error with SQLite's words", async () => {
    await expect(client.execute("selec 1")).rejects.toMatchObject({
      code: "SQLITE_ERROR",
      message: expect.stringContaining("syntax error"),
    });
  });

  test("a wrong or missing token is refused", async () => {
    for (const authToken of ["wrong", undefined]) {
      const stranger = createClient({ url: server.url, ...(authToken ? { authToken } : {}) });
      await expect(stranger.execute("select 1")).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
      stranger.close();
    }
  });

  test("libsql://…?tls=0 is the same server, and what was written is there after a restart", async () => {
    await client.execute("insert into t (name) values ('kept')");
    await server.close();
    server = await startHrana({ file: join(folder, "db.sqlite") });
    const again = createClient({ url: `${server.url.replace("http", "libsql")}?tls=0` });
    expect((await again.execute("select name from t")).rows[0]?.name).toBe("kept");
    again.close();
  });
});

describe("the protocol", () => {
  test("probes: JSON yes, protobuf no", async () => {
    expect((await fetch(`${server.url}/v3`)).status).toBe(200);
    expect((await fetch(`${server.url}/v2`)).status).toBe(200);
    expect((await fetch(`${server.url}/v3-protobuf`)).status).toBe(404);
  });

  test("a baton is good once; a stream keeps its transaction between requests", async () => {
    const execute = (sql: string) => ({ type: "execute", stmt: { sql } });
    const first = await (await post({ baton: null, requests: [execute("begin"), { type: "get_autocommit" }] })).json();
    expect(first.results[1]).toMatchObject({ type: "ok", response: { type: "get_autocommit", is_autocommit: false } });
    const second = await (await post({ baton: first.baton, requests: [execute("insert into t (name) values ('s')")] })).json();
    expect((await post({ baton: first.baton, requests: [execute("commit")] })).status).toBe(400);
    const third = await (await post({ baton: second.baton, requests: [execute("commit"), { type: "close" }] })).json();
    expect(third.baton).toBeNull();
    expect((await client.execute("select name from t")).rows).toHaveLength(1);
  });

  test("conditions of a batch", async () => {
    const steps = [
      { stmt: { sql: "selec" } },
      { stmt: { sql: "select 'no'" }, condition: { type: "ok", step: 0 } },
      { stmt: { sql: "select 'yes'" }, condition: { type: "error", step: 0 } },
      {
        stmt: { sql: "select 'yes'" },
        condition: { type: "and", conds: [{ type: "not", cond: { type: "ok", step: 1 } }, { type: "is_autocommit" }] },
      },
      { stmt: { sql: "select 'no'" }, condition: { type: "or", conds: [] } },
    ];
    const body = await (await post({ requests: [{ type: "batch", batch: { steps } }, { type: "close" }] }, {}, "/v2/pipeline")).json();
    const { step_results, step_errors } = body.results[0].response.result;
    expect(step_results.map((result: unknown) => result !== null)).toEqual([false, false, true, true, false]);
    expect(step_errors.map((error: unknown) => error !== null)).toEqual([true, false, false, false, false]);
  });

  test("describe tells columns, parameters and whether it writes", async () => {
    const describeSql = async (sql: string) =>
      (await (await post({ requests: [{ type: "describe", sql }, { type: "close" }] })).json()).results[0].response.result;
    expect(await describeSql("select id, name from t where id = :id and score > ?2")).toMatchObject({
      cols: [{ name: "id", decltype: "INTEGER" }, { name: "name" }],
      params: [{ name: ":id" }, { name: "?2" }],
      is_explain: false,
      is_readonly: true,
    });
    expect(await describeSql("insert into t (name) values (?)")).toMatchObject({ params: [{ name: null }], is_readonly: false });
  });

  test("what is not a request is refused with a reason", async () => {
    expect((await post("{")).status).toBe(400);
    expect((await post({ requests: [{ type: "dance" }] })).status).toBe(400);
    expect((await post({ requests: [] }, { "content-type": "text/plain" })).status).toBe(415);
    expect((await post({ baton: "made-up", requests: [] })).status).toBe(400);
    expect((await fetch(`${server.url}/nothing`)).status).toBe(404);
    expect((await post(`{"requests":[],"pad":"${"x".repeat(17 * 1024 * 1024)}"}`)).status).toBe(413);
  });

  test("a public address needs a token, a database needs a folder", async () => {
    await expect(startHrana({ file: join(folder, "x"), host: "0.0.0.0" })).rejects.toMatchObject({ code: "bad_config" });
    await expect(startHrana({ file: join(folder, "none", "x") })).rejects.toMatchObject({ code: "bad_config" });
  });
});
