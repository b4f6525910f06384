/** Where a running box can be found: for the drill, and for a second start in the same folder. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { hqKinds } from "./hq.ts";

const schema = z.strictObject({
  pid: z.int(),
  hqUrl: z.string(),
  databaseUrl: z.string(),
  /** Null where Telegram is the real one. */
  chatUrl: z.string().nullable(),
  busKind: z.string(),
  /** Null where the environment named it. */
  busUrl: z.string().nullable(),
  /** What headquarters runs on. */
  hq: z.enum(hqKinds),
  standInModel: z.boolean(),
});
export type RunningBox = z.infer<typeof schema>;

const fileName = "running.json";

export async function noteRunning(dir: string, box: RunningBox): Promise<() => Promise<void>> {
  const path = join(dir, fileName);
  await writeFile(path, JSON.stringify(box));
  return () => rm(path, { force: true });
}

/** The box that runs in `dir`; null where none does (a note whose process is gone counts for nothing). */
export async function findRunning(dir: string): Promise<RunningBox | null> {
  const text = await readFile(join(dir, fileName), "utf8").catch(() => null);
  const box = text === null ? null : schema.safeParse(parsed(text)).data;
  return box && isAlive(box.pid) ? box : null;
}

/** A box that was killed while it wrote leaves half a note, which counts for nothing too. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
