/** `npm run bench -- costs`: the costs page over a ledger of a million calls, as long as headquarters takes for it. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@libsql/client";
import { systemClock } from "#adapters/clock/system.ts";
import { libsqlStore } from "#adapters/store/libsql.ts";
import { database } from "#adapters/store/sql.ts";
import { dayMs, startOfDay } from "#core/day.ts";
import { dashboardApp } from "../../dashboard/app.tsx";
import { dashboardDb } from "../../dashboard/db.ts";
import { sha256 } from "../../dashboard/gate.ts";
import { rebuildDaily } from "../../scripts/ledger/rebuild-daily.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";
import { type Figure, type Options, type Report, rounded, tableOf } from "../figure.ts";
import { quantile } from "../stats.ts";
import { fillLedger, priceOf } from "./ledger.ts";

const [usualRows, usualDays] = [1_000_000, 90];
const usualSeconds = 60;
/** What the page may take of the time that its sums take from the ledger itself: a machine with other work too slows both. */
const mostShare = 0.1;
const pages = { day: "/costs?period=day", "7 days": "/costs", "30 days": "/costs?period=30d", month: "/costs?period=month" } as const;
/** The page whose sums are also taken from the ledger itself. */
const compared = "30 days";
const straightRounds = 3;

export async function benchCosts({ quick, seconds: asked, say }: Options): Promise<Report> {
  const [rows, days] = quick ? [20_000, 40] : [usualRows, usualDays];
  const seconds = asked ?? (quick ? 2 : usualSeconds);
  const folder = await mkdtemp(join(tmpdir(), "uac-bench-costs-"));
  const file = join(folder, "hq.db");
  const client = createClient({ url: `file:${file}` });
  try {
    await migrateDatabase(client);
    // Filling it is not what is measured, and need not outlive the machine.
    await client.execute("pragma synchronous = off");
    const empty = await size(client, file);
    const now = Date.now();
    const filled = await timed(() => fillLedger(libsqlStore(client, priceOf), { rows, days, now, say }));
    const full = await size(client, file);
    const asWritten = await daily(client);
    const rebuilt = await timed(() => rebuildDaily(database(client)));
    const asRebuilt = await daily(client);

    say(`asking for the pages for ${seconds} s …`);
    const get = await visitor(client);
    const times = await measure(get, seconds);
    const straight: number[] = [];
    for (let i = 0; i < straightRounds; i += 1) straight.push(await timed(() => fromLedger(client, startOfDay(now) - 29 * dayMs)));

    const share = quantile(times[compared], 0.5) / quantile(straight, 0.5);
    const same = asWritten.digest === asRebuilt.digest;
    const broken = same ? tooSlow(share, quick) : "the sums of days as they were written are not those of the ledger";
    return report({ rows, dailyRows: asWritten.rows, bytes: full - empty, filled, rebuilt, times, straight, share }, broken);
  } finally {
    client.close();
    await rm(folder, { recursive: true });
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function size(client: Client, file: string): Promise<number> {
  await client.execute("pragma wal_checkpoint(truncate)");
  return (await stat(file)).size;
}

/** What the table of days holds, told apart by a digest of every row. */
async function daily(client: Client): Promise<{ rows: number; digest: string }> {
  const { rows } = await client.execute("select * from usage_daily order by day, factory, persona, seat, provider, model, billing");
  return { rows: rows.length, digest: await sha256(JSON.stringify(rows.map((row) => Object.values(row)))) };
}

/** Pages as somebody who is signed in gets them. Resolves to the milliseconds until the last byte. */
async function visitor(client: Client): Promise<(path: string) => Promise<number>> {
  const { access } = libsqlStore(client);
  const app = dashboardApp({ db: dashboardDb(client), access, clock: systemClock, hqUrl: null });
  const [login, session] = [randomBytes(16).toString("hex"), randomBytes(16).toString("hex")];
  const now = Date.now();
  await access.addLogin(login, now + 60_000);
  await access.redeemLogin(login, { hash: await sha256(session), expiresAt: now + 3 * 3_600_000 }, now);
  return async (path) => {
    const began = performance.now();
    const response = await app.request(path, { headers: { cookie: `uac=${session}` } });
    const html = await response.text();
    const took = performance.now() - began;
    if (response.status !== 200 || !html.includes("By model")) throw new Error(`${path} answered ${response.status}: nothing was measured`);
    return took;
  };
}

type Times = Record<keyof typeof pages, number[]>;

/** One page after the other, in turn, after a warm-up. */
async function measure(get: (path: string) => Promise<number>, seconds: number): Promise<Times> {
  const names = Object.keys(pages) as (keyof typeof pages)[];
  const times: Times = { day: [], "7 days": [], "30 days": [], month: [] };
  for (const name of names) await get(pages[name]);
  const until = performance.now() + seconds * 1000;
  do {
    for (const name of names) times[name].push(await get(pages[name]));
  } while (performance.now() < until);
  return times;
}

/** What the page would ask if there were no sums of days: by billing, day, factory, VP and model. */
async function fromLedger(client: Client, since: number): Promise<void> {
  const sums = ["cost", "uncached_in", "cache_read", "write_5m", "write_1h", "output", "reasoning", "billed", "cost_input", "cost_output"];
  const groups = ["billing", "recorded_at / 86400000", "factory", "factory, seat, persona", "provider, model, billing"];
  const columns = ["count(*)", "sum(cost is null)", ...sums.map((name) => `total(${name})`)].join(", ");
  await client.batch(
    groups.map((by) => ({ sql: `select ${by}, ${columns} from usages where recorded_at >= ? group by ${by}`, args: [since] })),
  );
}

/** Of a short ledger the sums are no work, so that a quick run has no bound. */
function tooSlow(share: number, quick: boolean): string | null {
  if (quick || share <= mostShare) return null;
  return `the page of ${compared} takes ${rounded(share)} of the time of its sums from the ledger itself; the bound is ${mostShare}`;
}

interface Measured {
  rows: number;
  dailyRows: number;
  bytes: number;
  filled: number;
  rebuilt: number;
  times: Times;
  straight: number[];
  share: number;
}

function report({ rows, dailyRows, bytes, filled, rebuilt, times, straight, share }: Measured, broken: string | null): Report {
  const figures: Figure[] = [];
  const add = (name: string, value: number, unit: string, of: string | null = null) => {
    figures.push({ name, value: rounded(value), unit, of });
    return `${rounded(value)}${unit === "ratio" ? "" : ` ${unit}`}`;
  };
  const table = [["costs page, server time", "p50", "p99", "requests"]];
  for (const [name, of] of Object.entries(times)) {
    table.push([name, add(`${name} p50`, quantile(of, 0.5), "ms"), add(`${name} p99`, quantile(of, 0.99), "ms"), String(of.length)]);
  }
  const anchor = quantile(straight, 0.5);
  table.push([`${compared}: the same sums from the ledger itself`, add("from the ledger p50", anchor, "ms"), "", String(straight.length)]);
  table.push([`${compared}: page to that`, add(`${compared} ratio`, share, "ratio", "from the ledger p50")]);
  const beside = [
    ["ledger", add("ledger rows", rows, "calls"), add("ledger row", bytes / rows, "bytes/call")],
    ["sums of days", add("rows of days", dailyRows, "rows"), `made again in ${add("rebuild", rebuilt / 1000, "s")}`],
    ["recorded", add("recorded", (rows * 1000) / filled, "calls/s"), "400 a batch, without waiting for the disk"],
  ];
  return { figures, table: `${tableOf(table)}\n\n${tableOf(beside)}`, broken };
}
