/** A factory's folder: what its enrolment fixed. The key and the journal lie beside it. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import * as z from "zod";
import { UacError } from "#core/errors.ts";
import { factoryIdPattern } from "#core/fleet.ts";
import { publicKeySchema } from "#core/hq-api.ts";

const enrolmentSchema = z.strictObject({
  factory: z.string().regex(factoryIdPattern),
  name: z.string(),
  role: z.enum(["headquarters", "branch"]),
  hqUrl: z.string(),
  hqKey: publicKeySchema,
  hqKid: z.string(),
  busUrl: z.string(),
  busToken: z.string(),
});
export type Enrolment = z.infer<typeof enrolmentSchema>;

const fileName = "enrolment.json";

/** `UAC_HOME`, else `~/.uac`. Throws `bad_config` for a path that would be another folder wherever it is called. */
export function homeOf(env: Readonly<Record<string, string | undefined>>): string {
  const home = env.UAC_HOME?.trim() || join(homedir(), ".uac");
  if (!isAbsolute(home)) throw new UacError("bad_config", `UAC_HOME must be an absolute path, not ${home}.`);
  return home;
}

/** Null where this machine has not joined. Throws `bad_config` if the file is damaged. */
export async function readEnrolment(home: string): Promise<Enrolment | null> {
  const path = join(home, fileName);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw new UacError("bad_config", `${path} can't be read: ${error.code}`, { cause: error });
  });
  if (text === null) return null;
  try {
    return enrolmentSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new UacError("bad_config", `${path} is damaged; join again: npx tsx branch-agent enrol <code>`, { cause });
  }
}

/** Readable by its owner alone: it may hold the bus credential. */
export async function writeEnrolment(home: string, enrolment: Enrolment): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const path = join(home, fileName);
  await writeFile(`${path}.new`, `${JSON.stringify(enrolment, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
