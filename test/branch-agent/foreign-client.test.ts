/**
 * A client of somebody else's through the gateway: the newest Claude Code, installed from the npm registry into a folder of its own. It
 * does a small task, is priced by us, stays within its budget, and is refused beyond it.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it, type TestContext } from "vitest";
import { tokensOf } from "#core/ledger.ts";
import { startModel } from "../../dev/model/server.ts";
import type { WireRequest } from "../../dev/model/wire.ts";
import { closers, gatewayOn } from "./gateway-bench.ts";

const run = promisify(execFile);
const ends = closers();
/** Where it lies, or why it does not. */
let client: { path: string; version: string } | { missing: string };

/** No registry, or none that has it for this platform: reasons to leave it out. Any other failure is one. */
const outOfReach = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ENOTCACHED|E404|ETARGET)\b/;

beforeAll(async () => {
  const folder = ends.add(await mkdtemp(join(tmpdir(), "uac-client-")), (path) => rm(path, { recursive: true, force: true }));
  client = await install(folder).catch((error: Error) => {
    const why = outOfReach.exec(error.message)?.[0];
    if (why === undefined) throw error;
    return { missing: why };
  });
}, 300_000);
afterAll(ends.close);

/** Its program is in a package for each platform; nothing of it runs while it is installed. */
async function install(folder: string) {
  const name = `@anthropic-ai/claude-code-${process.platform}-${process.arch}`;
  const options = ["--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0", "--fetch-timeout=60000"];
  await run("npm", ["install", ...options, `${name}@latest`], { timeout: 240_000 });
  const { version } = JSON.parse(await readFile(join(folder, "node_modules", name, "package.json"), "utf8")) as { version: string };
  return { path: join(folder, "node_modules", name, "claude"), version };
}

function clientOr(context: TestContext) {
  if ("missing" in client) return context.skip(`the client can't be installed: ${client.missing}`);
  return client;
}

/** A model that writes the file it is asked for with the client's own tool, and says so. */
function says({ messages, tools = [] }: WireRequest) {
  if (!tools.some(({ name }) => name === "Write")) return { text: "Small talk." };
  const last = JSON.stringify(messages.at(-1));
  if (last.includes("tool_result")) return { text: "It is written." };
  const path = /write a greeting to (\S+?\.txt)/.exec(JSON.stringify(messages))?.[1];
  return path ? { call: { name: "Write", input: { file_path: path, content: "Hello from afar.\n" } } } : { text: "What file?" };
}

/** Its own folders, no outside host: what it asks of others than the gateway goes nowhere. */
async function work(path: string, { url, token }: { url: string; token: string }) {
  const home = ends.add(await mkdtemp(join(tmpdir(), "uac-client-home-")), (folder) => rm(folder, { recursive: true, force: true }));
  const file = join(home, "greeting.txt");
  const nowhere = "http://127.0.0.1:9";
  const env = {
    ...{
      PATH: process.env.PATH,
      HOME: home,
      CLAUDE_CONFIG_DIR: join(home, ".claude"),
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_AUTH_TOKEN: token,
    },
    ...{ CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", DISABLE_TELEMETRY: "1", DISABLE_AUTOUPDATER: "1", DISABLE_ERROR_REPORTING: "1" },
    ...{ HTTPS_PROXY: nowhere, HTTP_PROXY: nowhere, NO_PROXY: "127.0.0.1" },
  };
  const args = ["-p", `write a greeting to ${file}`, "--model", "scripted-1", "--allowedTools", "Write", "--output-format", "json"];
  const child = run(path, args, { cwd: home, env, timeout: 120_000 });
  child.child.stdin?.end();
  const { stdout, code = 0 } = (await child.catch((error: { stdout: string; code: number }) => error)) as { stdout: string; code?: number };
  return { stdout, code, file };
}

it("does a small task, and every token of it is in the ledger, priced by us", async (context) => {
  const { path, version } = clientOr(context);
  const model = ends.add(await startModel({ says }), (one) => one.close());
  const b = ends.add(await gatewayOn({ baseUrl: model.url }), (one) => one.close());
  const desk = b.desk({ engine: "claude-code" });
  const { stdout, code, file } = await work(path, desk);
  expect(code, stdout).toBe(0);
  expect(await readFile(file, "utf8")).toBe("Hello from afar.\n");

  const entries = await b.journal.untold(100);
  expect(entries).toHaveLength(model.requests.length);
  for (const entry of entries) {
    expect(entry).toMatchObject({ engine: "claude-code", provider: "scripted", model: "scripted-1", source: "reported", outcome: "ok" });
    expect(entry.cost).toBeGreaterThan(0);
  }
  const total = desk.meter.total();
  expect(total.cost).toBeLessThan(1_000_000_000);
  expect(await b.reserved()).toBe(0);
  const theirs = JSON.parse(stdout) as { total_cost_usd?: number };
  const tokens = entries.reduce((sum, { usage }) => sum + tokensOf(usage), 0);
  console.info(
    `Claude Code ${version}: ${entries.length} calls, ${tokens} tokens, $${total.cost / 1e9}; it says $${theirs.total_cost_usd}`,
  );
});

it("is refused beyond its budget, and understands it", async (context) => {
  const { path } = clientOr(context);
  const model = ends.add(await startModel({ says }), (one) => one.close());
  const b = ends.add(await gatewayOn({ baseUrl: model.url }), (one) => one.close());
  const desk = b.desk({ usd: 1_000_000, engine: "claude-code" });
  const { stdout, code } = await work(path, desk);
  expect(code).not.toBe(0);
  expect(stdout).toContain("budget of");
  expect(model.requests).toEqual([]);
  expect(await b.journal.untold(9)).toEqual([]);
});
