/** The journal, headquarters' ledger and the receipts, compared as they lie on disk; and the command with its exit codes. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@libsql/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { libsqlStore } from "#adapters/store/libsql.ts";
import { type LedgerEntry, noUsage, sum } from "#core/ledger.ts";
import { openJournal } from "../../branch-agent/compose-bench.ts";
import { writeEnrolment } from "../../branch-agent/state.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";
import { receipt } from "../contracts/store/samples.ts";
import { ledgerEntry } from "../support/ledger.ts";

const root = join(import.meta.dirname, "../..");
let dir: string;
let home: string;
let hq: Client;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "uac-ledger-"));
  home = join(dir, "home");
  const key = { kty: "OKP", crv: "Ed25519", x: "x".repeat(43) } as const;
  await writeEnrolment(home, {
    ...{ factory: "desk-1", name: "Desk", role: "branch", hqUrl: "http://127.0.0.1", hqKey: key, hqKid: "k", busUrl: "", busToken: "" },
  });
  hq = createClient({ url: `file:${join(dir, "hq.db")}` });
  await migrateDatabase(hq);
});
afterEach(async () => {
  hq.close();
  await rm(dir, { recursive: true });
});

const entry = (n: number, changed: Partial<LedgerEntry> = {}) =>
  ledgerEntry({
    ...{ id: `usage_${String(n).padStart(4, "0")}`, task: "task_1", step: n, at: Date.parse("2026-11-26T07:00:00Z") + n },
    ...{ usage: { ...noUsage, uncachedIn: 100 * n, cacheRead: 7, write5m: 5, write1h: 3, output: n, reasoning: 1 } },
    ...{ cost: 1000 * n, billed: 1000 * n, ...changed },
  });

/** What the journal has spent; `told` ids are those that no report is kept of any more. */
async function journal(entries: readonly LedgerEntry[], told: readonly LedgerEntry[] = entries) {
  const opened = await openJournal(home);
  for (const one of entries) await opened.settle(one, 1);
  await opened.close();
  const client = createClient({ url: `file:${join(home, "journal.db")}` });
  for (const { id } of told) await client.execute({ sql: "update usages set told = 1 where id = ?", args: [id] });
  client.close();
}
/** As headquarters keeps what a factory told: under ids of that factory's own. */
const keep = (entries: readonly LedgerEntry[]) => {
  const own = entries.map((one) => ({ ...one, id: `${one.factory}:${one.id}` }));
  return Promise.all(own.map((one) => libsqlStore(hq).spending.settle(one, Date.parse("2026-11-26T08:00:00Z"))));
};
async function receiptOf(task: string, total: ReturnType<typeof sum> | null) {
  await hq.execute({
    sql: `insert into tasks (id, chat, title, instruction, state, epoch, limits_json, require_verified, received_at, created_at, updated_at, receipt_json)
      values (?, 1, 't', 'i', 'succeeded', 1, '{}', 0, 1, 1, 1, ?)`,
    args: [task, JSON.stringify({ ...receipt, usage: total })],
  });
  await hq.execute({
    sql: "insert into attempts (task, epoch, factory, route_reason, dispatched_at, outcome) values (?, 1, 'desk-1', '', 1, 'succeeded')",
    args: [task],
  });
}

interface Ran {
  code: number;
  out: string;
  err: string;
}
function ledger(
  args: readonly string[],
  env: Record<string, string> = { UAC_HOME: home, DATABASE_URL: `file:${join(dir, "hq.db")}` },
): Promise<Ran> {
  const bare = { PATH: process.env.PATH ?? "", HOME: dir };
  return new Promise((done) => {
    const command = ["--import", "tsx", "scripts/ledger.ts", ...args];
    execFile(
      process.execPath,
      command,
      { cwd: root, env: { ...bare, ...env }, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 },
      (error, out, err) => done({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

describe("npm run ledger -- verify", () => {
  it("says that journal, ledger and receipts agree to the token", async () => {
    const entries = [entry(1), entry(2), entry(3, { cost: null, billed: null, prices: null })];
    await journal(entries);
    await keep(entries);
    await receiptOf("task_1", sum(entries));
    await receiptOf("task_0", null);
    const { code, out } = await ledger(["verify"]);
    expect(out).toContain("compared the journal of desk-1, 3 entries, with headquarters' ledger");
    expect(out).toContain("compared 1 receipts with headquarters' ledger (1 of older factories say nothing of it)");
    expect(out).toContain("they agree to the token");
    expect(code).toBe(0);
  });

  it("shows by task and attempt what is lost, unknown or otherwise, in tokens and money", async () => {
    const [same, lost, other] = [entry(1), entry(2), entry(3, { task: "task_2", epoch: 2 })];
    await journal([same, lost, other]);
    await keep([same, { ...other, usage: { ...other.usage, output: 4 } }, entry(9, { task: "task_9", at: Date.now() })]);
    await receiptOf("task_1", sum([same, lost]));
    const { code, out } = await ledger(["verify"]);
    expect(code).toBe(1);
    expect(out).toContain("task_1, attempt 1 at desk-1: headquarters does not have what the journal reported");
    expect(out).toContain("journal: 1 calls, 217 tokens, <$0.0001; headquarters: 0 calls, 0 tokens, $0.00; usage_0002");
    expect(out).toContain("task_9, attempt 1 at desk-1: headquarters has what the journal does not know");
    expect(out).toContain("task_2, attempt 2 at desk-1: the same entries say different things");
    expect(out).toContain("journal: 1 calls, 318 tokens, <$0.0001; headquarters: 1 calls, 319 tokens");
    expect(out).toContain("task_1, attempt 1: the receipt and the ledger differ");
    expect(out).toContain("4 differences");
    const json = JSON.parse((await ledger(["verify", "--json"])).out);
    expect(json).toMatchObject({
      agree: false,
      unseen: [],
      parts: [{ differences: [{}, {}, {}] }, { differences: [{ task: "task_1", epoch: 1 }] }],
    });
  });

  it("what a journal let go of long ago is no difference, as long as it is all of an attempt", async () => {
    const old = { at: Date.now() - 36 * 86_400_000 };
    const [gone, half, other] = [entry(1, { ...old, task: "task_old" }), entry(2, old), entry(3)];
    await journal([other]);
    await keep([gone, half, other]);
    const { code, out } = await ledger(["verify"]);
    expect(out).toContain("not compared: 1 of headquarters' entries, so old that a journal keeps them no longer");
    expect(out).toContain("1 difference");
    expect(out).toContain("task_1, attempt 1 at desk-1: headquarters has what the journal does not know");
    expect(out).toContain("usage_0002");
    expect(code).toBe(1);
  });

  it("what is on the way is no difference, nor is a receipt that was faster", async () => {
    const [told, untold] = [entry(1), entry(2)];
    await journal([told, untold], [told]);
    await keep([told]);
    await receiptOf("task_1", sum([told, untold]));
    const { code, out } = await ledger(["verify"]);
    expect(out).toContain("1 entry is on the way to headquarters");
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining("they agree to the token") });
  });

  it("nor is what lies in a report that headquarters did not confirm", async () => {
    const one = entry(1);
    const opened = await openJournal(home);
    await opened.settle(one, 1);
    const data = `head.${Buffer.from(JSON.stringify({ body: { usages: [one] } })).toString("base64url")}.signature`;
    const seq = await opened.nextSeq(1);
    await opened.send({ id: "env_1", seq, data, ackEntry: null }, [one.id], 1);
    await opened.sent("env_1");
    expect(await ledger(["verify"])).toMatchObject({ code: 0, out: expect.stringContaining("1 entry is on the way") });
    await opened.heard(seq);
    expect(await ledger(["verify"])).toMatchObject({
      code: 1,
      out: expect.stringContaining("headquarters does not have what the journal reported"),
    });
    await opened.close();
  });

  it("says what it could not look at, and 2 where that is everything", async () => {
    const nobody = { UAC_HOME: join(dir, "nobody") };
    expect(await ledger(["verify"], nobody)).toMatchObject({
      code: 2,
      out: expect.stringMatching(/not looked at: headquarters.*\n.*no factory's folder.*\nnothing could be compared/),
    });
    const halves = await ledger(["verify"], { ...nobody, DATABASE_URL: `file:${join(dir, "hq.db")}` });
    expect(halves).toMatchObject({ code: 0, out: expect.stringMatching(/not looked at: .*nobody is no factory's folder/) });
    const broken = await ledger(["verify"], { ...nobody, DATABASE_URL: `file:${join(dir, "empty.db")}` });
    expect(broken).toMatchObject({ code: 2, err: expect.stringContaining("DATABASE_URL and DATABASE_AUTH_TOKEN right") });
  });
});

describe("npm run ledger -- export", () => {
  it("is one JSON object a line, under OpenTelemetry's names; the input is all of it", async () => {
    await keep([
      entry(1, { provider: "gemini", messageId: "msg_1", requestId: "req_1" }),
      entry(2, { outcome: "interrupted", factory: "desk-2" }),
    ]);
    const { code, out } = await ledger(["export"]);
    const [first, second] = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(code).toBe(0);
    expect(first).toMatchObject({
      ...{ timestamp: "2026-11-26T07:00:00.001Z", "gen_ai.provider.name": "gcp.gemini", "gen_ai.response.id": "msg_1" },
      ...{ "gen_ai.request.model": "scripted-1", "gen_ai.response.model": "scripted-1" },
      ...{ "gen_ai.usage.input_tokens": 115, "gen_ai.usage.cache_read.input_tokens": 7, "gen_ai.usage.cache_creation.input_tokens": 8 },
      ...{
        "gen_ai.usage.output_tokens": 1,
        "gen_ai.usage.reasoning.output_tokens": 1,
        "uac.cost.list_nano_usd": 1000,
        "uac.task": "task_1",
      },
    });
    expect(second).toMatchObject({ "error.type": "interrupted", "uac.factory": "desk-2" });
    expect((await ledger(["export", "--factory", "desk-2"])).out.trim().split("\n")).toHaveLength(1);
    expect((await ledger(["export", "--since", "2026-11-26T08:00:01Z"])).out).toBe("");
    expect(await ledger(["export", "--since", "soon"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("--since is no time: soon"),
    });
  });

  it("leaves nothing out between its pages", async () => {
    for (let page = 0; page < 3; page += 1) {
      const usages = Array.from({ length: 3500 }, (_, i) => entry(page * 3500 + i + 1));
      await libsqlStore(hq).tasks.settle("desk-1", { results: [], usages, incidents: [], heard: [] }, 1);
    }
    const { out } = await ledger(["export"]);
    expect(
      new Set(
        out
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line)["uac.id"]),
      ).size,
    ).toBe(10_500);
  });
});

describe("npm run ledger -- replay", () => {
  const line = { provider: "kimi", model: "kimi-k9", usage: { input_tokens: 1000, output_tokens: 1 } };
  const file = (name: string, text: string) => writeFile(join(dir, name), text).then(() => join(dir, name));

  it("ends with 0 where every line counts, and prices by the operator's list", async () => {
    const [recording, prices] = [
      await file("a.jsonl", JSON.stringify(line)),
      await file("prices.json", JSON.stringify({ date: "2026-11-20", models: { kimi: { "kimi-k9": { input: 0.5, output: 1 } } } })),
    ];
    expect(await ledger(["replay", recording])).toMatchObject({ code: 0, out: expect.stringMatching(/total .* unpriced\n/) });
    const acme = await file("acme.json", JSON.stringify({ date: "2026-11-20", models: { acme: { "kimi-k9": { input: 1, output: 1 } } } }));
    const theirs = await file("c.jsonl", JSON.stringify({ ...line, provider: "acme" }));
    expect((await ledger(["replay", theirs, "--prices", acme])).out).toContain("$0.001001");
    const priced = await ledger(["replay", recording, "--json"], { PRICES_FILE: prices });
    expect(JSON.parse(priced.out)).toMatchObject({
      complete: true,
      total: { usd: "0.000501", cost: 501_000 },
      models: [{ prices: ["operator 2026-11-20"] }],
    });
    expect((await ledger(["replay", recording, "--prices", prices])).out).toContain("$0.000501");
  });

  it("ends with 1 where a line is bad, and 2 where it can't begin", async () => {
    const bad = await file("b.jsonl", `${JSON.stringify(line)}\noh\n`);
    expect(await ledger(["replay", bad])).toMatchObject({ code: 1, out: expect.stringContaining("line 2 is not JSON: oh") });
    expect(await ledger(["replay", join(dir, "none.jsonl")])).toMatchObject({
      code: 2,
      err: expect.stringContaining("can't be read: ENOENT"),
    });
    expect(await ledger(["replay", dir])).toMatchObject({ code: 2, err: expect.stringContaining("can't be read: EISDIR") });
    expect(await ledger(["export"], { DATABASE_URL: "garbage" })).toMatchObject({
      code: 2,
      err: expect.stringContaining("DATABASE_URL is no address of a database"),
    });
    expect(await ledger(["replay", bad, "--provider", "acme"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("There is no provider acme"),
    });
    expect(await ledger(["replay"])).toMatchObject({ code: 2 });
    expect(await ledger(["replay", bad, "--prices", bad])).toMatchObject({ code: 2, err: expect.stringContaining("is not JSON") });
  });
});
