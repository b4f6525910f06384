/** The tables of the state of record, made or brought up to date. */
import { fileURLToPath } from "node:url";
import type { Client } from "@libsql/client";
import { drizzle } from "drizzle-orm/libsql";
import { migrate } from "drizzle-orm/libsql/migrator";
import { readMigrationFiles } from "drizzle-orm/migrator";

const migrationsFolder = fileURLToPath(new URL("../migrations", import.meta.url));

/** Runs the migrations that the database has not had yet, all or none of them. Resolves to how many it ran. Repeatable. */
export async function migrateDatabase(client: Client): Promise<number> {
  // Readers and the writer of a file then don't wait for each other. A server chooses for itself.
  if (client.protocol === "file") await client.execute("pragma journal_mode = wal");
  const before = await ran(client);
  await migrate(drizzle(client), { migrationsFolder });
  return (await ran(client)) - before;
}

/** How many migrations the database has not had yet. Changes nothing. */
export async function pendingMigrations(client: Client): Promise<number> {
  return readMigrationFiles({ migrationsFolder }).length - (await ran(client));
}

async function ran(client: Client): Promise<number> {
  const table = await client.execute("select 1 from sqlite_master where name = '__drizzle_migrations'");
  if (table.rows.length === 0) return 0;
  const { rows } = await client.execute("select count(*) as n from __drizzle_migrations");
  return Number(rows[0]?.n);
}
