/** The queue's reads find their rows by an index, however many tasks are over. */
import { type Client, createClient, type InStatement } from "@libsql/client";
import { expect, it } from "vitest";
import { libsqlStore } from "#adapters/store/libsql.ts";
import type { Tasks } from "#ports/tasks.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";

const reads: Record<string, (tasks: Tasks) => Promise<unknown>> = {
  ready: (tasks) => tasks.ready(5000, 100),
  overdue: (tasks) => tasks.overdue(5000, 20),
  "unblocked, all": (tasks) => tasks.unblocked(null, 50),
  "unblocked, of some": (tasks) => tasks.unblocked(["t7", "t8"], 50),
  known: (tasks) => tasks.known(["t1", "t2"]),
  needs: (tasks) => tasks.needs("t7"),
  replayOf: (tasks) => tasks.replayOf("t7"),
};

it.each(Object.entries(reads))("%s reads no table from end to end", async (_, read) => {
  const client = createClient({ url: "file::memory:" });
  await migrateDatabase(client);
  const asked: InStatement[] = [];
  await read(libsqlStore(listening(client, asked)).tasks);
  expect(asked).toHaveLength(1);
  const { sql, args } = asked[0] as { sql: string; args: [] };
  const plan = (await client.execute({ sql: `explain query plan ${sql}`, args })).rows.map((row) => String(row.detail));
  expect(plan.join("\n")).toMatch(/SEARCH tasks USING (COVERING )?INDEX/);
  expect(plan.filter((line) => /^SCAN (tasks|t|n|d|a|attempts|dependencies|facts)\b/.test(line))).toEqual([]);
  client.close();
});

function listening(client: Client, asked: InStatement[]): Client {
  return new Proxy(client, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name !== "execute") return value.bind(target);
      return (statement: InStatement) => {
        asked.push(statement);
        return target.execute(statement);
      };
    },
  });
}
