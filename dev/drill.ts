/**
 * `npm run drill`: one synthetic mission, Telegram → HQ → bus → branch → Telegram, and what each hop took, read from the
 * task's recorded events. Uses the box that `npm start` runs, else one of its own. Exit 0 only if everything arrived.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createClient } from "@libsql/client";
import { busScheme } from "#adapters/bus/index.ts";
import { libsqlStore } from "#adapters/store/libsql.ts";
import { isTerminal } from "#core/task.ts";
import type { Store } from "#ports/store.ts";
import type { Task } from "#ports/tasks.ts";
import { startBox } from "./box/box.ts";
import { type HqKind, hqKinds } from "./box/hq.ts";
import { loadOrMakeKeys } from "./box/keys.ts";
import { findRunning } from "./box/running.ts";
import { type Hop, hops } from "./drill-hops.ts";

const usage = `npm run drill -- [--json] [--own] [--hq workerd|node] [--without branch] [--seconds N]
  --json            one JSON object on standard output
  --own             a box of its own, even if npm start runs one
  --hq workerd|node a box of its own, with headquarters on that
  --without branch  leave the branch out, to see what the drill says then
  --seconds N       wait so long for the mission (default 120)
`;
const mission = "This is a drill. The tests of the demo shop fail. Fix them.";

interface Ground {
  store: Store;
  bus: string;
  hq: HqKind;
  chatUrl: string;
  leave(): Promise<void>;
}

interface Report {
  ok: boolean;
  task: string | null;
  bus: string;
  hq: HqKind;
  hops: Hop[];
  totalMs: number | null;
  missing: string | null;
  why: string | null;
}

const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      json: { type: "boolean" },
      own: { type: "boolean" },
      hq: { type: "string" },
      without: { type: "string" },
      seconds: { type: "string" },
      help: { type: "boolean" },
    },
  });
  const seconds = Number(values.seconds ?? 120);
  const hq = hqKinds.find((kind) => kind === (values.hq ?? "workerd"));
  if (values.help || !hq || (values.without && values.without !== "branch") || !(seconds > 0 && seconds <= 3600)) {
    process.stderr.write(usage);
    return values.help ? 0 : 2;
  }
  const own = values.own || values.hq || values.without;
  const ground = (own ? null : await runningGround()) ?? (await ownGround(hq, values.without === "branch"));
  try {
    const report = await drill(ground, seconds * 1000);
    if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else say(asTable(report));
    return report.ok ? 0 : 1;
  } finally {
    await ground.leave();
  }
}

/** The box of `npm start`, if it runs on stand-ins: a drill spends nobody's money and writes to nobody's chat. */
async function runningGround(): Promise<Ground | null> {
  const dir = fileURLToPath(new URL("../.uac/box", import.meta.url));
  const box = await findRunning(dir);
  if (!box?.chatUrl || !box.standInModel) return null;
  say(`drilling in the running box (${box.hqUrl})`);
  const client = createClient({ url: box.databaseUrl, authToken: (await loadOrMakeKeys(dir)).databaseToken });
  return { store: libsqlStore(client), bus: box.busKind, hq: box.hq, chatUrl: box.chatUrl, leave: async () => client.close() };
}

async function ownGround(hq: HqKind, withoutBranch: boolean): Promise<Ground> {
  const dir = await mkdtemp(join(tmpdir(), "uac-drill-"));
  const { BUS_URL, BUS_TOKEN, BRANCH_BUS_URL, BRANCH_BUS_TOKEN, PATH, HOME } = process.env;
  const stopEarly = () => process.exit(130);
  process.once("SIGINT", stopEarly);
  process.once("SIGTERM", stopEarly);
  const box = await startBox({
    dir,
    env: { BUS_URL, BUS_TOKEN, BRANCH_BUS_URL, BRANCH_BUS_TOKEN, PATH, HOME },
    hq,
    anyPorts: true,
    without: withoutBranch ? ["branch"] : [],
    say,
  });
  return {
    store: box.store,
    bus: BUS_URL ? busScheme(BUS_URL).transport : "libsql",
    hq,
    chatUrl: box.telegram?.chatUrl ?? "",
    async leave() {
      await box.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function drill({ store, bus, hq, chatUrl }: Ground, withinMs: number): Promise<Report> {
  const before = new Set((await store.tasks.list({ limit: 50 })).map((task) => task.id));
  const sent = await fetch(new URL("/dev/say", chatUrl), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text: mission }),
  });
  if (!sent.ok) throw new Error(`The chat did not take the message: ${sent.status}`);

  const until = Date.now() + withinMs;
  let task: Task | null = null;
  while (Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    task = (await store.tasks.list({ limit: 50 })).find((candidate) => !before.has(candidate.id)) ?? null;
    if (!task) continue;
    if (task.state === "held") break;
    if (isTerminal(task.state) && (await store.tasks.events(task.id)).some((event) => event.kind === "told")) break;
  }
  const path = hops(task, task ? await store.tasks.events(task.id) : []);
  const gap = path.find((hop) => hop.ms === null);
  const ok = task?.state === "succeeded" && task.receipt?.verdict === "verified" && !gap;
  const why = ok
    ? null
    : task
      ? `the task is ${task.state}${task.reason ? `: ${task.reason}` : ""}`
      : "headquarters made no task of the message";
  if (task && !isTerminal(task.state)) await giveUp(chatUrl, task.id);
  const totalMs = gap ? null : path.reduce((total, hop) => total + (hop.ms ?? 0), 0);
  return { ok, task: task?.id ?? null, bus, hq, hops: path, totalMs, missing: gap?.hop ?? null, why };
}

/** A mission that did not arrive must not start later. */
async function giveUp(chatUrl: string, task: string) {
  const body = JSON.stringify({ text: `/cancel ${task}` });
  await fetch(new URL("/dev/say", chatUrl), { method: "POST", headers: { "content-type": "application/json" }, body });
  await new Promise((resolve) => setTimeout(resolve, 1500));
}

function asTable({ ok, task, bus, hq, hops: path, totalMs, missing, why }: Report): string {
  const width = Math.max(...path.map((hop) => hop.hop.length));
  const lines = path.map(({ hop, ms }) => `  ${hop.padEnd(width)}  ${ms === null ? "  missing" : `${String(ms).padStart(6)} ms`}`);
  const end = ok
    ? `  ${"in all".padEnd(width)}  ${String(totalMs).padStart(6)} ms`
    : `  NOT ARRIVED${missing ? `; missing: ${missing}` : ""}; ${why}`;
  return [`mission ${task ?? "–"} over the ${bus} bus, headquarters ${hq === "node" ? "under Node" : "in workerd"}`, ...lines, end].join(
    "\n",
  );
}

process.exitCode = await main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error));
  return 1;
});
