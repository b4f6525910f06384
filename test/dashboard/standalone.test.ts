/** The dashboard alone under Node, as a process of its own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "@libsql/client";
import { afterEach, beforeEach, expect, it } from "vitest";
import { libsqlStore } from "#adapters/store/libsql.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let dir: string;
let child: ChildProcess | undefined;
beforeEach(async () => {
  execFileSync(process.execPath, ["scripts/build-assets.mjs"], { cwd: root });
  dir = await mkdtemp(join(tmpdir(), "uac-standalone-"));
});
afterEach(async () => {
  if (child && child.exitCode === null) {
    child.kill();
    await once(child, "exit");
  }
  await rm(dir, { recursive: true });
});

function start(env: Record<string, string>): { output: () => Promise<string>; exit: Promise<unknown[]> } {
  const { PATH = "", HOME = "" } = process.env;
  const started = spawn(process.execPath, ["--import", "tsx", "dashboard/index.ts"], { cwd: root, env: { PATH, HOME, PORT: "0", ...env } });
  child = started;
  let text = "";
  started.stdout.on("data", (chunk) => {
    text += chunk;
  });
  started.stderr.on("data", (chunk) => {
    text += chunk;
  });
  const exit = once(started, "exit");
  return {
    exit,
    async output() {
      while (!text.includes("\n") && started.exitCode === null) await new Promise((later) => setTimeout(later, 20));
      return text;
    },
  };
}

it("serves the pages and their files to who has its link, and writes nothing to the database", async () => {
  const url = `file:${join(dir, "hq.db")}`;
  const client = createClient({ url });
  await migrateDatabase(client);
  const store = libsqlStore(client);
  const { output } = start({ DATABASE_URL: url, HQ_URL: "https://hq.example" });
  const [, site = "", token = ""] = /Open once: (http:\/\/localhost:\d+)\/login\?t=(\S+)/.exec(await output()) ?? [];

  expect((await fetch(`${site}/`)).status).toBe(401);
  expect(await (await fetch(`${site}/`)).text()).toContain("printed a link when it started");
  const enter = () =>
    fetch(`${site}/login`, {
      method: "POST",
      body: new URLSearchParams({ t: token }),
      headers: { "sec-fetch-site": "same-origin" },
      redirect: "manual",
    });
  const entered = await enter();
  expect(entered.status).toBe(303);
  expect((await enter()).status).toBe(401);

  const headers = { cookie: (entered.headers.get("set-cookie") ?? "").split(";")[0] ?? "" };
  const html = await (await fetch(`${site}/`, { headers })).text();
  expect(html).toContain("No factories yet");
  expect(html).toContain('href="https://hq.example"');
  const files = [...html.matchAll(/"(\/assets\/[^"]+)"/g)].map((match) => match[1]);
  expect(files).toHaveLength(4);
  for (const file of files) {
    const response = await fetch(site + file);
    expect(response.status, file).toBe(200);
    expect(response.headers.get("cache-control")).toContain("immutable");
  }
  const sessions = await client.execute("select count(*) as n from sessions");
  expect(Number(sessions.rows[0]?.n)).toBe(0);
  expect(await store.changeSeq()).toBe(0);
  client.close();
});

it.each([
  [{}, "DATABASE_URL is not set"],
  [{ DATABASE_URL: "file:x.db" }, "HQ_URL is not set"],
  [{ DATABASE_URL: "file:x.db", HQ_URL: "javascript:alert(1)" }, "HQ_URL is not set"],
  [{ DATABASE_URL: "file:x.db", HQ_URL: "https://hq.example", PORT: "http" }, "PORT is http"],
])("refuses to start with %o: %s", async (env, message) => {
  const { output, exit } = start(env);
  expect((await exit)[0]).toBe(1);
  expect(await output()).toContain(message);
});
