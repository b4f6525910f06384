import { eq } from "drizzle-orm";
import { facts } from "#adapters/store/schema.ts";
import type { DashboardDb } from "../db.ts";

/** The counter that rises with every change a page could show. `0` before the first. */
export async function changeSeq(db: DashboardDb): Promise<string> {
  const rows = await db.select({ value: facts.value }).from(facts).where(eq(facts.key, "change_seq"));
  return rows[0]?.value ?? "0";
}
