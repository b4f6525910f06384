import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startBox } from "../../dev/box/box.ts";
import type { HqKind } from "../../dev/box/hq.ts";

async function refusal(env: Record<string, string>, hq: HqKind): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "uac-refused-"));
  const { PATH = "", HOME = "" } = process.env;
  try {
    const box = await startBox({ dir, env: { PATH, HOME, ...env }, hq, anyPorts: true, say: () => undefined });
    await box.stop();
    return "it started";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

it.each<[string, Record<string, string>, RegExp, HqKind?]>([
  ["headquarters", { TASK_BUDGET_USD: "abc" }, /^Headquarters did not start:\n.*\n- TASK_BUDGET_USD is "abc"/],
  ["headquarters under Node", { TASK_BUDGET_USD: "abc" }, /^Headquarters did not start:\n.*\n- TASK_BUDGET_USD is "abc"/, "node"],
  ["the branch", { ENABLE_SHELL: "maybe" }, /^The branch could not join: .*\n- ENABLE_SHELL is "maybe"; allowed: true, false$/],
  ["the bus", { BUS_URL: "redis://127.0.0.1:1" }, /bus/i],
])("says at once what %s finds wrong, and nothing else", async (_, env, said, hq = "workerd") => {
  const told = await refusal(env, hq);
  expect(told).toMatch(said);
  expect(told).not.toContain("node_modules");
});

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
