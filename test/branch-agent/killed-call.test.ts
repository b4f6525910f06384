/** A branch that is killed between the reservation and the end of a call: nothing stays reserved, and what was spent is not forgotten. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "@libsql/client";
import { afterEach, expect, it } from "vitest";
import { joseSigner, newKeyPair } from "#adapters/signer/jose.ts";
import { openBranch } from "../../branch-agent/compose.ts";
import { writeEnrolment } from "../../branch-agent/state.ts";
import { startModel } from "../../dev/model/server.ts";
import { closers } from "./gateway-bench.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const ends = closers();
afterEach(ends.close);

async function joinedHome() {
  const home = ends.add(await mkdtemp(join(tmpdir(), "uac-killed-")), (path) => rm(path, { recursive: true, force: true }));
  const hq = await joseSigner((await newKeyPair()).privateJwk);
  const busUrl = `file:${join(home, "bus.db")}`;
  const where = { hqUrl: "http://127.0.0.1:9", hqKey: hq.publicKey, hqKid: hq.kid, busUrl, busToken: "" };
  await writeEnrolment(home, { factory: "desk-1", name: "Desk", role: "branch", ...where });
  return home;
}

it.each([
  ["before the provider answered", "slow:600000", { output: 500 }],
  ["in the middle of the answer", "stalls", { output: 500 }],
] as const)("killed %s", async (_, behaviour, usage) => {
  const model = ends.add(await startModel(), (one) => one.close());
  model.behave(behaviour);
  const home = await joinedHome();
  const env = {
    ...{ PATH: process.env.PATH ?? "", UAC_HOME: home, SANDBOX: "none", LLM_PROVIDER: "scripted" },
    ...{ ANTHROPIC_BASE_URL: model.url, ANTHROPIC_API_KEY: randomBytes(16).toString("hex") },
  };
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
