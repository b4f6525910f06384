/** A branch that is killed between the reservation and the end of a call: nothing stays reserved, and what was spent is not forgotten. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "@libsql/client";
import { afterEach, expect, it } from "vitest";
import { openBranch } from "../../branch-agent/compose.ts";
import { startModel } from "../../dev/model/server.ts";
import { closers, joinedHome } from "./gateway-bench.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const ends = closers();
afterEach(ends.close);

it.each([
  ["before the provider answered", "slow:600000", { output: 500 }],
  ["in the middle of the answer", "stalls", { output: 500 }],
] as const)("killed %s", async (_, behaviour, usage) => {
  const model = ends.add(await startModel(), (one) => one.close());
  model.behave(behaviour);
  const { home, env } = await joinedHome(ends, model.url);
  const journal = createClient({ url: `file:${join(home, "journal.db")}` });
  ends.add(journal, (one) => one.close());
  const count = async (table: string) => (await journal.execute(`select id from ${table}`)).rows.length;

  const child = spawn(process.execPath, ["--import", "tsx", "test/branch-agent/doomed-branch.ts"], { cwd: root, env, stdio: "inherit" });
  ends.add(child, (one) => one.kill("SIGKILL"));
  await expect.poll(() => model.requests.length, { timeout: 30_000 }).toBe(1);
  expect([await count("reservations"), await count("usages")]).toEqual([1, 0]);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect([await count("reservations"), await count("usages")]).toEqual([1, 0]);

  const { branch, close } = await openBranch(env);
  ends.add(close, (end) => end());
  expect(await count("reservations")).toBe(0);
  const entries = await branch.journal.spent("t1-1-1", 1);
  expect(entries).toMatchObject([{ usage, source: "estimated", outcome: "interrupted", seat: "coder", engine: "uac" }]);
  expect(entries[0]?.cost).toBeGreaterThan(0);
  expect(await branch.journal.untold(9)).toEqual(entries);
});
