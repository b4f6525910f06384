/** What a run leaves behind to be judged: read while the town stands still, and once more when it is gone. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { createClient } from "@libsql/client";
import { channels, groupOf, streamOf } from "#core/fleet.ts";
import { type LedgerEntry, ledgerEntrySchema } from "#core/ledger.ts";
import { type Receipt, receiptSchema } from "#core/receipt.ts";
import type { TaskState } from "#core/task.ts";
import { leftOf } from "../processes.ts";
import { redisCommand } from "../redis.ts";
import type { Told } from "./controller.ts";
import type { Landed } from "./dealer.ts";
import type { TownBranch } from "./machine.ts";
import type { Life } from "./member.ts";
import type { Call } from "./model.ts";
import { slipOf } from "./script.ts";
import { machineTime } from "./time.ts";
import type { Town } from "./town.ts";

export interface TaskRow {
  id: string;
  job: number;
  state: TaskState;
  epoch: number;
  lost: number;
  factory: string | null;
  code: string;
  reason: string;
  receipt: Receipt | null;
  leaseUntil: number | null;
}

export interface AttemptRow {
  task: string;
  epoch: number;
  factory: string;
  /** Machine time, ms. */
  claimedAt: number | null;
  outcome: string | null;
  reason: string;
  /** Its order left for the bus. */
  sent: boolean;
}

/** What the harness itself knows of a run. */
export interface Run {
  /** Jobs that the owner asked for. */
  jobs: readonly number[];
  /** Messages in which the owner asked for jobs. */
  wishes: readonly number[];
  landed: readonly Landed[];
  /** Tasks that the owner asked to stop. */
  cancelled: ReadonlySet<string>;
  /** Jobs that can't be done. */
  hopeless: ReadonlySet<number>;
}

export interface Evidence extends Run {
  tasks: readonly TaskRow[];
  attempts: readonly AttemptRow[];
  events: readonly { task: string; epoch: number; kind: string; text: string }[];
  ledger: readonly LedgerEntry[];
  /** Calls of headquarters' that are reserved for and not settled: whoever made them was killed, and their lease runs on. */
  held: number;
  calls: readonly Call[];
  /** What the bot said and everybody can hear, oldest first. */
  said: readonly { text: string; replyTo: number | null }[];
  told: readonly Told[];
  /** Runs of all processes, by the member's id. */
  lives: ReadonlyMap<string, readonly Life[]>;
  /** Slips on branches `uac/<task>-<epoch>`: what is written on them, by factory and branch. */
  slips: ReadonlyMap<string, string>;
  /** Everything that should not be there any more, in words. */
  left: readonly string[];
}

const exec = promisify(execFile);

/** What can be seen only while the servers answer. */
export async function lookAround(town: Town): Promise<string[]> {
  const left: string[] = [];
  for (const { id } of town.branches) {
    for (const channel of channels) {
      const stream = streamOf(id, channel);
      const pending = (await redisCommand(town.redis.url, "XPENDING", stream, groupOf[channel]).catch(() => [0])) as [number];
      const length = Number(await redisCommand(town.redis.url, "XLEN", stream));
      if (channel !== "ev" && pending[0] > 0) left.push(`${stream} has ${pending[0]} entries that nobody acknowledged`);
      if (channel === "out" && length > 0) left.push(`${stream} has ${length} entries that headquarters did not settle`);
    }
  }
  const [waiting] = await town.rows<{ letters: number; updates: number }>(
    `select (select count(*) from letters where sent_at is null and dropped_at is null) as letters,
      (select count(*) from inbound_updates where finished_at is null) as updates`,
  );
  if (waiting && waiting.letters > 0) left.push(`${waiting.letters} letters wait to be sent`);
  if (waiting && waiting.updates > 0) left.push(`${waiting.updates} messages of the owner's wait to be read`);
  return left;
}

/** Everything else, from files: the town is closed. */
export async function collect(town: Town, run: Run, left: readonly string[]): Promise<Evidence> {
  const { dir } = town.options;
  const client = createClient({ url: `file:${join(dir, "hq.db")}` });
  const rows = async <T>(sql: string) => (await client.execute(sql)).rows as unknown as T[];
  try {
    const tasks = await rows<Omit<TaskRow, "job" | "receipt"> & { title: string; receipt: string | null }>(
      "select id, title, state, epoch, lost, factory, code, reason, receipt_json as receipt, lease_until as leaseUntil from tasks order by rowid",
    );
    const attempts = await rows<Omit<AttemptRow, "sent"> & { sent: number }>(
      `select a.task, a.epoch, a.factory, a.claimed_at as claimedAt, a.outcome, a.reason,
        exists (select 1 from task_events e where e.task = a.task and e.epoch = a.epoch and e.kind = 'published') as sent
        from attempts a order by a.task, a.epoch`,
    );
    const lives = [town.hq, town.database, ...town.branches.map(({ member }) => member)].map(
      (member) => [member.id, member.lives] as const,
    );
    return {
      ...run,
      tasks: tasks.map(({ title, receipt, ...task }) => ({
        ...task,
        job: Number(title.replace(/\D/g, "")),
        receipt: receipt === null ? null : receiptSchema.parse(JSON.parse(receipt)),
      })),
      attempts: attempts.map((attempt) => ({
        ...attempt,
        sent: attempt.sent === 1,
        claimedAt: attempt.claimedAt === null ? null : machineTime(attempt.claimedAt, town.pace),
      })),
      events: await rows("select task, epoch, kind, text from task_events order by id"),
      held: (await rows("select id from reservations")).length,
      ledger: (await rows<Record<string, unknown>>("select * from usages")).map(toEntry),
      calls: town.model.calls,
      said: await heard(town.chatFile),
      told: town.controller.told,
      lives: new Map(lives),
      slips: new Map((await Promise.all(town.branches.map(slipsOf))).flat()),
      left: [...left, ...(await remains(town)), ...(await unsent(rows))],
    };
  } finally {
    client.close();
  }
}

function toEntry(row: Record<string, unknown>): LedgerEntry {
  const usage = {
    uncachedIn: row.uncached_in,
    cacheRead: row.cache_read,
    write5m: row.write_5m,
    write1h: row.write_1h,
    output: row.output,
    reasoning: row.reasoning,
  };
  const {
    id,
    task,
    epoch,
    step,
    try: tries,
    factory,
    persona,
    seat,
    engine,
    provider,
    model,
    source,
    cost,
    billing,
    billed,
    outcome,
  } = row;
  return ledgerEntrySchema.parse({
    ...{ id, task, epoch, step, try: tries, factory, persona, seat, engine, provider, requestedModel: row.requested_model, model },
    ...{ requestId: row.request_id, messageId: row.message_id, at: row.at, durationMs: row.duration_ms, usage, source },
    ...{ prices: row.prices, cost, billing, billed, outcome },
  });
}

/** Every message in its last version, from the chat's own file. */
async function heard(file: string): Promise<Evidence["said"]> {
  const messages = new Map<number, { text: string; replyTo: number | null; audible: boolean }>();
  for (const line of (await readFile(file, "utf8")).split("\n")) {
    if (!line.startsWith('{"message"')) continue;
    const { message, from, silent } = JSON.parse(line).message;
    messages.set(message.message_id, {
      text: message.text ?? "",
      replyTo: message.reply_to_message?.message_id ?? null,
      audible: from === "bot" && !silent,
    });
  }
  return [...messages.values()].filter(({ audible }) => audible);
}

/** `<factory> <branch>` → the slip's text. */
async function slipsOf({ id, repo }: TownBranch): Promise<[string, string][]> {
  const git = async (...args: string[]) => (await exec("git", args, { cwd: repo })).stdout;
  const names = (await git("for-each-ref", "--format=%(refname:short)", "refs/heads/uac")).split("\n").filter((name) => name !== "");
  return Promise.all(
    names.map(async (name): Promise<[string, string]> => {
      const [file = slipOf(0)] = (await git("ls-tree", "--name-only", name, "jobs/")).split("\n");
      return [`${id} ${name}`, await git("show", `${name}:${file}`).catch(() => "")];
    }),
  );
}

/** Processes, worktrees and locks. */
async function remains({ options: { dir }, branches }: Town): Promise<string[]> {
  const left = leftOf(dir).map((process) => `a process: ${process}`);
  for (const { id, home, repo } of branches) {
    const worktrees = await readdir(join(home, "worktrees")).catch((): string[] => []);
    left.push(...worktrees.map((name) => `${id}: worktrees/${name}`));
    const notes = await readdir(join(repo, ".git", "worktrees")).catch((): string[] => []);
    left.push(...notes.map((name) => `${id}: the repository's note of the worktree ${name}`));
    const files = await readdir(join(repo, ".git"), { recursive: true });
    left.push(...files.filter((name) => name.endsWith(".lock")).map((name) => `${id}: the lock .git/${name}`));
    const journal = createClient({ url: `file:${join(home, "journal.db")}` });
    const count = async (sql: string) => Number((await journal.execute(sql)).rows[0]?.n);
    const open = await count("select count(*) as n from attempts where state <> 'reported'");
    const waiting = await count("select count(*) as n from outbox where sent = 0");
    const reserved = await count("select count(*) as n from reservations");
    journal.close();
    if (open > 0) left.push(`${id}: ${open} attempts in its journal that are not over`);
    if (reserved > 0) left.push(`${id}: ${reserved} reservations in its journal that nobody settled`);
    if (waiting > 0) left.push(`${id}: ${waiting} reports in its journal that did not leave`);
  }
  return left;
}

async function unsent(rows: <T>(sql: string) => Promise<T[]>): Promise<string[]> {
  const leases = await rows<{ id: string }>("select id from tasks where lease_until is not null");
  const orders = await rows<{ task: string }>("select task from outbox where sent_at is null");
  // An answer to a tap that was given, without anybody noting so, is refused the second time.
  const letters = await rows<{ key: string }>(
    "select key from letters where sent_at is null and not (dropped_at is not null and attempts > 1 and body_json ->> '$.kind' = 'answer')",
  );
  return [
    ...leases.map(({ id }) => `a lease of task ${id}`),
    ...orders.map(({ task }) => `an order of task ${task} that did not leave`),
    ...letters.map(({ key }) => `a letter that was not sent: ${key}`),
  ];
}
