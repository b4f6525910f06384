/**
 * The parameters of a Bot API call, whichever way they came: query string, JSON, urlencoded or multipart. In the last
 * three forms of text, lists and objects are JSON inside a string, as Telegram takes them.
 */
import type { z } from "zod";
import { badRequest } from "./api-error.ts";

export interface Params {
  has(name: string): boolean;
  /** "" if absent. */
  text(name: string): string;
  /** Null if absent; refuses what is no whole number. */
  int(name: string): number | null;
  bool(name: string): boolean;
  /** Null if absent; refuses what does not fit. `what` is named in the error. */
  json<T>(name: string, schema: z.ZodType<T>, what: string): T | null;
  /** A file under this name, or the one that `attach://` points to. Null if there is none. */
  file(name: string): File | null;
}

/** Reads a request's parameters; rejects with 400 if its body can't be read. */
export async function readParams(request: Request): Promise<Params> {
  const values = new Map<string, unknown>(new URL(request.url).searchParams);
  const files = new Map<string, File>();
  const type = request.headers.get("content-type") ?? "";
  try {
    if (type.startsWith("application/json")) {
      const body: unknown = JSON.parse((await request.text()) || "{}");
      if (typeof body !== "object" || body === null || Array.isArray(body)) throw new Error("not an object");
      for (const [name, value] of Object.entries(body)) values.set(name, value);
    } else if (type.startsWith("multipart/form-data") || type.startsWith("application/x-www-form-urlencoded")) {
      for (const [name, value] of await request.formData()) {
        if (typeof value === "string") values.set(name, value);
        else files.set(name, value);
      }
    }
  } catch {
    throw badRequest("can't parse the request body");
  }
  return paramsOf(values, files);
}

function paramsOf(values: ReadonlyMap<string, unknown>, files: ReadonlyMap<string, File>): Params {
  const has = (name: string) => values.has(name) && values.get(name) !== null && values.get(name) !== "";
  const text = (name: string) => {
    const value = values.get(name);
    return typeof value === "string" ? value : typeof value === "number" || typeof value === "boolean" ? String(value) : "";
  };
  return {
    has: (name) => has(name) || files.has(name),
    text,
    int(name) {
      if (!has(name)) return null;
      const value = text(name);
      if (!/^-?\d{1,15}$/.test(value)) throw badRequest(`${name} is not a valid Integer`);
      return Number(value);
    },
    bool: (name) => ["true", "True", "1", "yes"].includes(text(name)),
    json(name, schema, what) {
      if (!has(name)) return null;
      let value = values.get(name);
      try {
        if (typeof value === "string") value = JSON.parse(value);
      } catch {
        throw badRequest(`can't parse ${what} JSON object`);
      }
      const checked = schema.safeParse(value);
      if (checked.success) return checked.data;
      const issue = checked.error.issues[0];
      throw badRequest(`can't parse ${what}: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`.trim());
    },
    file(name) {
      const attached = text(name).match(/^attach:\/\/(.+)$/)?.[1];
      return files.get(attached ?? name) ?? null;
    },
  };
}
