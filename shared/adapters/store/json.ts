/** JSON columns on their way out: what does not fit its schema is an error that names the column, never a half-read row. */
import { UacError } from "#core/errors.ts";

interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: Error };
}

/** Rejects with `internal`. `column` is for the message. */
export function parseJson<T>(schema: Schema<T>, text: string, column: string): T {
  const parsed = schema.safeParse(read(text, column));
  if (!parsed.success) throw unreadable(column, parsed.error);
  return parsed.data;
}

/** For the unions of the ports, which have no schema: only this adapter writes them, so their tag is checked alone. */
export function parseTagged<T>(tag: keyof T & string, known: readonly string[], text: string, column: string): T {
  const value = read(text, column);
  const is = value !== null && typeof value === "object" ? (value as Record<string, unknown>)[tag] : undefined;
  if (typeof is !== "string" || !known.includes(is)) throw unreadable(column, new Error(`no ${tag} among ${known.join(", ")}`));
  return value as T;
}

function read(text: string, column: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadable(column, cause);
  }
}

function unreadable(column: string, cause: unknown) {
  return new UacError("internal", `A row's ${column} can't be read: it was written by another version, or by hand.`, { cause });
}
