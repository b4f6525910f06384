import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startBox } from "../../dev/box/box.ts";

it("throws nothing away that is no box", async () => {
  const dir = await mkdtemp(join(tmpdir(), "uac-notabox-"));
  try {
    await mkdir(join(dir, "photos"));
    await writeFile(join(dir, "letter.txt"), "dear");
    const started = startBox({ dir, fresh: true, env: {}, anyPorts: true, say: () => undefined });
    await expect(started).rejects.toThrow(/is no box: there is no box-keys\.json in it/);
    expect(await readdir(dir)).toEqual(["letter.txt", "photos"]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
