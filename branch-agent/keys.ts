/** The factory's own key: made once, kept in a file that only its owner reads, never sent anywhere. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID } from "node:crypto";
import { link, mkdir, open, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { UacError } from "#core/errors.ts";
import { type PublicKey, publicKeySchema } from "#core/hq-api.ts";

export interface FactoryKey {
  /** Ed25519 private JWK as JSON text: a secret. */
  privateJwk: string;
  publicKey: PublicKey;
  /** True if it was made just now, so that the factory is not enrolled yet. */
  made: boolean;
}

const fileName = "factory-key.json";
/** Permission bits: whoever is not the owner may read, may write. */
const othersRead = 0o077;
const othersWrite = 0o022;

/**
 * The key in `dir`; makes both if they are not there. Rejects with `bad_config` if the key can't be read, or if others may
 * read it or swap it.
 */
export async function loadOrMakeKey(dir: string): Promise<FactoryKey> {
  try {
    return await loadOrMake(dir);
  } catch (cause) {
    if (cause instanceof UacError) throw cause;
    const why = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new UacError(
      "bad_config",
      `The factory's key can't be kept in ${dir} (${why}). It must be a directory of the user who runs this.`,
      { cause },
    );
  }
}

async function loadOrMake(dir: string): Promise<FactoryKey> {
  const path = join(dir, fileName);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  refuseIf(othersWrite, (await stat(dir)).mode, `Others may write to ${dir}, where the factory's key lies. Run: chmod 700 ${dir}`);

  const found = await load(path);
  if (found) return { ...found, made: false };

  const made = await writeNew(path, dir, newPrivateJwk());
  // Where another process of this factory was faster, its key is the one.
  const kept = await load(path);
  if (!kept) throw new UacError("bad_config", `The key file ${path} vanished while it was made. Start again.`);
  return { ...kept, made };
}

function newPrivateJwk() {
  const { kty, crv, x, d } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return JSON.stringify({ kty, crv, x, d });
}

async function load(path: string): Promise<Omit<FactoryKey, "made"> | null> {
  const file = await open(path, "r").catch((error) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (!file) return null;
  try {
    refuseIf(othersRead, (await file.stat()).mode, `Others may read the key file ${path}. Run: chmod 600 ${path}`);
    return parse(await file.readFile("utf8"), path);
  } finally {
    await file.close();
  }
}

/** Windows has no such bits: there the access list of the user's profile guards the file. */
function refuseIf(bits: number, mode: number, message: string) {
  if (process.platform !== "win32" && (mode & bits) !== 0) throw new UacError("bad_config", message);
}

function parse(privateJwk: string, path: string) {
  try {
    const jwk = JSON.parse(privateJwk);
    const { kty, crv, x } = createPublicKey(createPrivateKey({ key: jwk, format: "jwk" })).export({ format: "jwk" });
    if (jwk.x !== x) throw new Error("the public part belongs to another key");
    return { privateJwk, publicKey: publicKeySchema.parse({ kty, crv, x }) };
  } catch {
    // No cause: a parser quotes what it could not read, and here that is the key.
    throw new UacError("bad_config", `The key file ${path} holds no Ed25519 key. Restore it, or delete it and enrol this factory anew.`);
  }
}

/** Whole or not at all, also through a power cut. False if `path` was there already. */
async function writeNew(path: string, dir: string, text: string): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`;
  await sync(draft, "wx", text);
  try {
    // Unlike rename, link never replaces a key that another process has just made.
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await unlink(draft);
  }
  if (process.platform !== "win32") await sync(dir, "r");
  return true;
}

async function sync(path: string, flags: string, text?: string) {
  const file = await open(path, flags, 0o600);
  try {
    if (text !== undefined) await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
