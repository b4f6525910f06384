/** `tsx scripts/migrate.ts`: makes the tables of `DATABASE_URL`, or brings them up to date. */
import { createClient } from "@libsql/client";
import { migrateDatabase } from "./migrate-database.ts";

const { DATABASE_URL: url, DATABASE_AUTH_TOKEN: authToken } = process.env;
if (!url) {
  console.error("DATABASE_URL is not set. Give the database to migrate: libsql://… (and DATABASE_AUTH_TOKEN), http://… or file:….");
  process.exit(1);
}
// A token can stand in the address itself; what is printed has none.
const shown = url.replace(/\?.*$/s, "").replace(/\/\/[^/@]*@/, "//");
try {
  const client = createClient({ url, ...(authToken && { authToken }) });
  const ran = await migrateDatabase(client);
  client.close();
  console.log(ran === 0 ? `${shown} is up to date.` : `${shown}: ran ${ran} ${ran === 1 ? "migration" : "migrations"}.`);
} catch (error) {
  const why = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
  console.error(`${shown} could not be migrated: ${why}\nIs the address right, and may DATABASE_AUTH_TOKEN write there?`);
  process.exit(1);
}
