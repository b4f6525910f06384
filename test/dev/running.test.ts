import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { findRunning, noteRunning } from "../../dev/box/running.ts";

it("finds the box that runs, and none by a note that is half written or of a process that is gone", async () => {
  const dir = await mkdtemp(join(tmpdir(), "uac-running-"));
  try {
    const addresses = { hqUrl: "http://h", databaseUrl: "http://d", chatUrl: null, busUrl: null };
    const box = { pid: process.pid, ...addresses, busKind: "libsql", hq: "node" as const, standInModel: true };
    expect(await findRunning(dir)).toBeNull();
    const forget = await noteRunning(dir, box);
    expect(await findRunning(dir)).toEqual(box);
    await forget();
    await noteRunning(dir, { ...box, pid: 2 ** 30 });
    expect(await findRunning(dir)).toBeNull();
    await writeFile(join(dir, "running.json"), '{"pid":12');
    expect(await findRunning(dir)).toBeNull();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
