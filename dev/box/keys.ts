/**
 * Throwaway credentials of a box: made at its first start, good only for its own stand-ins, kept in a file that only its
 * owner reads so that a second start finds the same corporation. Credentials from the environment are never written.
 */
import { randomBytes, randomInt } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { newKeyPair } from "#adapters/signer/jose.ts";

const schema = z.strictObject({
  botToken: z.string(),
  webhookSecret: z.string(),
  signingKey: z.string(),
  databaseToken: z.string(),
  /** Not the database's: branches are told this one. */
  busToken: z.string(),
  modelKey: z.string(),
  owner: z.int(),
});
/** Where they are; a folder without it is no box. */
export const keysFile = "box-keys.json";
export type BoxKeys = z.infer<typeof schema>;

/** Another version of this program, or a start that was killed, may have left others: what they opened can't be opened with new ones. */
function known(text: string, path: string): BoxKeys {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const why = `The credentials in ${path} are not such as this version makes: the box is another version's, or was never finished.`;
    throw new Error(`${why} Begin anew: npm start -- --fresh`, { cause });
  }
}

/** Rejects if those of an earlier start can't be used. */
export async function loadOrMakeKeys(dir: string): Promise<BoxKeys> {
  const path = join(dir, keysFile);
  const text = await readFile(path, "utf8").catch(() => null);
  if (text !== null) return known(text, path);
  const secret = (bytes: number) => randomBytes(bytes).toString("base64url");
  const keys: BoxKeys = {
    botToken: `${randomInt(1e9, 9e9)}:${secret(26).slice(0, 35)}`,
    webhookSecret: secret(32),
    signingKey: (await newKeyPair()).privateJwk,
    databaseToken: secret(24),
    busToken: secret(24),
    modelKey: secret(24),
    owner: randomInt(1e8, 9e8),
  };
  await writeFile(path, JSON.stringify(keys), { mode: 0o600 });
  return keys;
}
