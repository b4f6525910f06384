import { chmod, link, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { joseSigner, joseVerifier } from "#adapters/signer/jose.ts";
import type { UacError } from "#core/errors.ts";
import { loadOrMakeKey } from "../../branch-agent/keys.ts";

const root = await mkdtemp(join(tmpdir(), "uac-keys-"));
afterAll(() => rm(root, { recursive: true, force: true }));

let count = 0;
let dir = "";
beforeEach(() => {
  count += 1;
  dir = join(root, `home-${count}`, "state");
});

const mode = async (path: string) => (await stat(path)).mode & 0o777;
const keyFile = () => join(dir, "factory-key.json");

async function refusal(): Promise<UacError> {
  return loadOrMakeKey(dir).then(
    () => {
      throw new Error("the key was accepted");
    },
    (error) => error,
  );
}

describe("the factory's key", () => {
  it("is made once and found again", async () => {
    const first = await loadOrMakeKey(dir);
    const second = await loadOrMakeKey(dir);
    expect(first.made).toBe(true);
    expect(second).toEqual({ ...first, made: false });
  });

  it("lies in a file that only its owner reads, alone in a directory of its own", async () => {
    await loadOrMakeKey(dir);
    expect(await mode(keyFile())).toBe(0o600);
    expect(await mode(dir)).toBe(0o700);
    expect(await readdir(dir)).toEqual(["factory-key.json"]);
  });

  it("is private whatever the umask", async () => {
    const before = process.umask(0);
    try {
      await loadOrMakeKey(dir);
    } finally {
      process.umask(before);
    }
    expect(await mode(keyFile())).toBe(0o600);
    expect(await mode(dir)).toBe(0o700);
  });

  it("signs, and its public part verifies", async () => {
    const { privateJwk, publicKey } = await loadOrMakeKey(dir);
    const signer = await joseSigner(privateJwk);
    expect(signer.publicKey).toEqual(publicKey);
    await expect(joseVerifier().proves(await signer.prove("text"), "text", publicKey)).resolves.toBe(true);
  });

  it("is another on every machine", async () => {
    const here = await loadOrMakeKey(dir);
    const there = await loadOrMakeKey(`${dir}-2`);
    expect(here.publicKey.x).not.toBe(there.publicKey.x);
  });

  it("is one key when many start at once, and one of them made it", async () => {
    const keys = await Promise.all(Array.from({ length: 12 }, () => loadOrMakeKey(dir)));
    expect(new Set(keys.map((key) => key.privateJwk)).size).toBe(1);
    expect(keys.filter((key) => key.made)).toHaveLength(1);
    expect(await readdir(dir)).toEqual(["factory-key.json"]);
  });

  it.each([0o640, 0o604, 0o660, 0o644, 0o610])("is refused when others may read its file (%o), and is left as it was", async (bits) => {
    const { privateJwk } = await loadOrMakeKey(dir);
    await chmod(keyFile(), bits);
    expect(await refusal()).toMatchObject({ code: "bad_config", message: expect.stringContaining(`chmod 600 ${keyFile()}`) });
    expect(await readFile(keyFile(), "utf8")).toBe(privateJwk);
    expect(await mode(keyFile())).toBe(bits);
  });

  it("is refused when the file behind a link is open to others", async () => {
    await loadOrMakeKey(dir);
    const open = join(root, `open-${count}`);
    await link(keyFile(), open);
    await rm(keyFile());
    await symlink(open, keyFile());
    await chmod(open, 0o644);
    expect(await refusal()).toMatchObject({ code: "bad_config" });
  });

  it.each([0o777, 0o1777, 0o770])("is not made where others could swap it (%o)", async (bits) => {
    await mkdir(dir, { recursive: true });
    await chmod(dir, bits);
    expect(await refusal()).toMatchObject({ code: "bad_config", message: expect.stringContaining(`chmod 700 ${dir}`) });
    expect(await readdir(dir)).toEqual([]);
  });

  it.each([
    ["empty", () => ""],
    ["cut short", (jwk: string) => jwk.slice(0, -10)],
    ["the public part alone", (jwk: string) => JSON.stringify({ ...JSON.parse(jwk), d: undefined })],
    ["of another kind", () => JSON.stringify({ kty: "oct", k: "c2VjcmV0LXNlY3JldC1zZWNyZXQ" })],
    ["halves of two keys", (jwk: string) => JSON.stringify({ ...JSON.parse(jwk), x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })],
  ])("is refused when its file is %s: never replaced in silence, never repeated", async (_, damage) => {
    const { privateJwk } = await loadOrMakeKey(dir);
    const damaged = damage(privateJwk);
    await writeFile(keyFile(), damaged);
    const error = await refusal();
    expect(error).toMatchObject({ code: "bad_config", message: expect.stringContaining("enrol") });
    expect(error).not.toHaveProperty("cause");
    expect(error.message).not.toContain(JSON.parse(privateJwk).d);
    expect(await readFile(keyFile(), "utf8")).toBe(damaged);
  });

  it("says so when there is something else in its place", async () => {
    await mkdir(keyFile(), { recursive: true, mode: 0o700 });
    await chmod(dir, 0o700);
    expect(await refusal()).toMatchObject({ code: "bad_config", message: expect.stringContaining(dir) });
    await rm(dir, { recursive: true });
    await writeFile(dir, "a file where the directory should be");
    expect(await refusal()).toMatchObject({ code: "bad_config", message: expect.stringContaining(dir) });
  });
});
