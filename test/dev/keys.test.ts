import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadOrMakeKeys } from "../../dev/box/keys.ts";

it("keeps a box's credentials for its owner alone, and says what to do with another version's", async () => {
  const dir = await mkdtemp(join(tmpdir(), "uac-keys-"));
  const path = join(dir, "box-keys.json");
  try {
    const keys = await loadOrMakeKeys(dir);
    expect(await loadOrMakeKeys(dir)).toEqual(keys);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const { busToken: _, ...older } = JSON.parse(await readFile(path, "utf8")) as typeof keys;
    for (const left of [JSON.stringify(older), '{"botToken":"1']) {
      await writeFile(path, left);
      await expect(loadOrMakeKeys(dir)).rejects.toThrow(/box-keys\.json .* Begin anew: npm start -- --fresh$/);
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
