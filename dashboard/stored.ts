import type { z } from "zod";

/** A `*_json` column, validated. Null where there is none or it isn't what it should be: the page shows it as missing, it never breaks. */
export function parsed<T>(schema: z.ZodType<T>, json: string | null): T | null {
  if (json === null) return null;
  try {
    return schema.safeParse(JSON.parse(json)).data ?? null;
  } catch {
    return null;
  }
}
