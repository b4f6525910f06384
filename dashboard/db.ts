import type { Client } from "@libsql/client/web";
import type { LibSQLDatabase } from "drizzle-orm/libsql/driver-core";
import { drizzle } from "drizzle-orm/libsql/web";
import { UacError } from "#core/errors.ts";

/** All that the pages may do with HQ's database: read, several reads in one round trip. */
export type DashboardDb = Pick<LibSQLDatabase, "select" | "batch">;

/** Works with every libSQL client: the web one of a Worker, the native one of Node. */
export function dashboardDb(client: Client): DashboardDb {
  return drizzle(client);
}

/** A database that doesn't answer within this is out of reach. */
const answerWithinMs = 10_000;

/** Waits for reads. Rejects with `store_unavailable` where the database fails or stays silent. */
export async function answered<T>(reads: Promise<T>): Promise<T> {
  const { promise: silence, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${answerWithinMs} ms`)), answerWithinMs);
  try {
    return await Promise.race([reads, silence]);
  } catch (cause) {
    throw new UacError("store_unavailable", "Headquarters' database does not answer. Look again in a moment; nothing is lost.", { cause });
  } finally {
    clearTimeout(timer);
  }
}
