/** The branch agent as a person calls it, and its journal as it lies on the disk. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "@libsql/client";
import type { House } from "./house.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Said {
  code: number | null;
  out: string;
  err: string;
}

/** `npx tsx branch-agent …args`. */
export function runAgent(args: readonly string[], env: Record<string, string>): Promise<Said> {
  return new Promise((resolve) => {
    const options = { cwd: root, env: { PATH: process.env.PATH, HOME: "/nonexistent", npm_config_update_notifier: "false", ...env } };
    const child = execFile("npx", ["tsx", "branch-agent", ...args], options, (_, out, err) => resolve({ code: child.exitCode, out, err }));
  });
}

export const homeOf = ({ dir }: House) => join(dir, "desk-1");

/** Rows of the branch's journal. */
export async function journalRows(house: House, sql: string, args: (string | number)[] = []): Promise<Record<string, unknown>[]> {
  const journal = createClient({ url: `file:${join(homeOf(house), "journal.db")}` });
  try {
    return (await journal.execute({ sql, args })).rows.map((row) => ({ ...row }));
  } finally {
    journal.close();
  }
}
