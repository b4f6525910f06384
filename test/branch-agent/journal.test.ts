import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { limitBudgets } from "#core/budget.ts";
import type { Control } from "#core/control.ts";
import type { Order } from "#core/envelope.ts";
import { noUsage } from "#core/ledger.ts";
import { defaultLimits } from "#core/limits.ts";
import { attemptFact, attemptFacts, type Journal, type Report } from "#ports/journal.ts";
import { libsqlJournal } from "../../branch-agent/journal/libsql.ts";
import { ledgerEntry } from "../support/ledger.ts";

let folder: string;
let journal: Journal;
const url = () => `file:${join(folder, "journal.db")}`;
const open = () => libsqlJournal(createClient({ url: url() }));
/** As after a kill: nothing of the old client is closed or told. */
const reopen = async () => {
  journal = await open();
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "uac-journal-"));
  journal = await open();
});
afterEach(async () => {
  await journal.close();
  rmSync(folder, { recursive: true, force: true });
});

const order = (task: string, epoch = 1): Order => ({
  task,
  epoch,
  kind: "coder",
  title: `Title of ${task}`,
  instruction: "Do it.",
  workspace: null,
  limits: defaultLimits,
  requireVerified: false,
  follow: null,
});
const attempt = (task: string, epoch = 1) => ({
  order: order(task, epoch),
  orderId: `order-${task}-${epoch}`,
  entryId: `entry-${task}-${epoch}`,
});
const report = (id: string, seq: number, ackEntry: string | null = null): Report => ({ id, seq, data: `sealed ${id}`, ackEntry });
const spending = (id: string, task: string | null = "task-a", epoch = 1) =>
  ledgerEntry({ id: `usage no ${id}`, task, epoch, usage: { ...noUsage, output: 3 }, cost: null });

test("an order is accepted once per task and epoch, whatever brought it", async () => {
  expect(await journal.accept(attempt("task-a"), 1)).toBe(true);
  expect(await journal.accept({ ...attempt("task-a"), orderId: "another", entryId: "another" }, 2)).toBe(false);
  expect(await journal.accept(attempt("task-a", 2), 3)).toBe(true);
  expect(await journal.find("task-a", 1)).toEqual({ ...attempt("task-a"), state: "accepted", starts: 0 });
  expect(await journal.find("task-a", 3)).toBeNull();
});

test("of many acceptances at once one wins", async () => {
  const wins = await Promise.all(Array.from({ length: 20 }, () => journal.accept(attempt("task-a"), 1)));
  expect(wins.filter(Boolean)).toHaveLength(1);
});

test("starts are counted over crashes, and open attempts come oldest first", async () => {
  for (const task of ["task-b", "task-a", "task-c"]) await journal.accept(attempt(task), 1);
  expect(await journal.begin("task-a", 1, 2)).toBe(1);
  await reopen();
  expect(await journal.begin("task-a", 1, 3)).toBe(2);
  await journal.report("task-b", 1, report("r1", 1), [], 4);
  expect((await journal.open()).map((one) => [one.order.task, one.state, one.starts])).toEqual([
    ["task-a", "running", 2],
    ["task-c", "accepted", 0],
  ]);
});

test("what never was accepted, or has ended, can't begin", async () => {
  await expect(journal.begin("task-a", 1, 1)).rejects.toMatchObject({ code: "not_found" });
  await journal.accept(attempt("task-a"), 1);
  await journal.drop("task-a", 1, 2);
  await expect(journal.begin("task-a", 1, 3)).rejects.toMatchObject({ code: "not_found" });
  expect(await journal.open()).toEqual([]);
  expect(await journal.unsent(10)).toEqual([]);
  expect(await journal.accept(attempt("task-a"), 4)).toBe(false);
});

test("a report closes the attempt, waits in the outbox and tells its ledger entries, all or nothing", async () => {
  await journal.accept(attempt("task-a"), 1);
  await journal.settle(spending("1"), 1);
  await journal.settle(spending("2"), 1);
  await journal.settle(spending("3"), 1);
  await journal.report("task-a", 1, report("r1", 1, "entry-task-a-1"), ["usage no 1", "usage no 2"], 5);
  await reopen();
  expect((await journal.find("task-a", 1))?.state).toBe("reported");
  expect(await journal.unsent(10)).toEqual([report("r1", 1, "entry-task-a-1")]);
  expect((await journal.untold(10)).map(({ id }) => id)).toEqual(["usage no 3"]);

  await expect(journal.report("task-a", 1, report("r2", 2), ["usage no 3"], 6)).rejects.toMatchObject({ code: "conflict" });
  await expect(journal.report("task-x", 1, report("r3", 3), ["usage no 3"], 6)).rejects.toMatchObject({ code: "conflict" });
  expect((await journal.unsent(10)).map(({ id }) => id)).toEqual(["r1"]);
  expect((await journal.untold(10)).map(({ id }) => id)).toEqual(["usage no 3"]);
  expect(await journal.find("task-x", 1)).toBeNull();
});

test("the same report may be handed in again, before and after it was sent", async () => {
  await journal.accept(attempt("task-a"), 1);
  for (let i = 0; i < 2; i += 1) await journal.report("task-a", 1, report("r1", 1), [], 5);
  expect(await journal.unsent(10)).toHaveLength(1);
  await journal.sent("r1");
  await journal.sent("r1");
  await journal.report("task-a", 1, report("r1", 1), [], 6);
  await journal.send(report("r1", 1), [], 6);
  expect(await journal.unsent(10)).toEqual([]);
});

test("reports leave in the order of their numbers, up to a limit, and each number is given once", async () => {
  expect(await journal.kept()).toBeNull();
  expect(await journal.nextSeq(7000), "a new journal begins with its clock").toBe(7000);
  const first = await Promise.all(["a", "b", "c"].map((id) => journal.send(report(id, 7000), [], 1)));
  expect(first.toSorted()).toEqual([false, false, true]);
  expect(await journal.send(report("far", 7002), [], 1), "a gap is none of ours").toBe(false);
  await journal.accept(attempt("task-a"), 1);
  expect(await journal.report("task-a", 1, report("taken", 7000), [], 2)).toBe(false);
  expect((await journal.find("task-a", 1))?.state).toBe("accepted");
  await reopen();
  expect(await journal.nextSeq(1)).toBe(7001);
  expect(await journal.report("task-a", 1, report("z", 7001, "entry"), [], 2)).toBe(true);
  expect(await journal.send(report("y", 7002), [], 3)).toBe(true);
  expect((await journal.unsent(2)).map(({ seq }) => seq)).toEqual([7000, 7001]);
  await journal.sent("z");
  expect((await journal.unsent(10)).map(({ seq }) => seq)).toEqual([7000, 7002]);
});

test("a report is kept until it was heard, and sent again less and less often", async () => {
  for (const seq of [1, 2, 3]) await journal.send(report(`r${seq}`, seq, null), [], 0);
  expect(await journal.kept()).toEqual({ first: 1, last: 0 });
  await journal.sent("r1");
  expect(await journal.kept()).toEqual({ first: 1, last: 1 });
  await journal.sent("r2");
  await journal.heard(3);
  expect(await journal.kept(), "what is not on the bus is not heard").toEqual({ first: 3, last: 2 });
  await journal.sent("r3");
  const minute = 60_000;
  const again = (at: number, ...seqs: number[]) => sentAgain(at, seqs);
  expect(await again(minute, 1, 2, 3, 4)).toEqual(["r3"]);
  expect(await again(2 * minute - 1, 3)).toEqual([]);
  expect(await again(2 * minute, 3)).toEqual(["r3"]);
  expect(await again(4 * minute - 1, 3)).toEqual([]);
  let at = 4 * minute;
  for (let i = 0; i < 20; i += 1) {
    expect(await again(at, 3)).toEqual(["r3"]);
    at += 60 * minute;
  }
  await journal.reseal({ ...report("r3", 3), data: "sealed anew" });
  expect(await journal.missed([3], at)).toEqual([{ ...report("r3", 3), data: "sealed anew" }]);
  await journal.heard(3);
  expect(await journal.kept()).toEqual({ first: 4, last: 3 });
  expect(await journal.missed([3], at * 2)).toEqual([]);
});

test("a report that was sent again by a clock that was hours ahead waits no longer for that", async () => {
  await journal.send(report("r1", 1), [], 0);
  await journal.sent("r1");
  const hour = 3_600_000;
  const again = async (at: number) => (await sentAgain(at, [1])).length;
  expect([await again(10 * hour), await again(2 * hour), await again(2 * hour), await again(2 * hour + 120_000)]).toEqual([1, 1, 0, 1]);
});

test("a journal that replaces one with higher numbers goes on above them", async () => {
  await journal.send(report("r1", 50), [], 0);
  await journal.sent("r1");
  await journal.heard(9000);
  expect(await journal.kept()).toEqual({ first: 50, last: 9000 });
  expect(await journal.nextSeq(60)).toBe(9001);
});

test("deliveries are counted until the entry was taken in or refused", async () => {
  expect([await journal.deliver("e1"), await journal.deliver("e1"), await journal.deliver("e2")]).toEqual([1, 2, 1]);
  await reopen();
  expect(await journal.deliver("e1")).toBe(3);
  await journal.accept({ ...attempt("task-a"), entryId: "e1" }, 1);
  expect(await journal.deliver("e1"), "it is here").toBe(0);
  await journal.send(report("refusal", 1, "e2"), [], 1);
  expect(await journal.deliver("e2")).toBe(1);
});

test("an attempt is held until its result is on the bus", async () => {
  for (const task of ["task-b", "task-a", "task-c"]) await journal.accept(attempt(task), 1);
  await journal.report("task-b", 1, report("r1", 1, "entry-task-b-1"), [], 2);
  await journal.drop("task-c", 1, 2);
  const held = async (limit = 10) => (await journal.held(limit)).map(({ task }) => task);
  expect(await held()).toEqual(["task-b", "task-a"]);
  expect(await held(1)).toEqual(["task-b"]);
  await journal.sent("r1");
  expect(await journal.held(10)).toEqual([{ task: "task-a", epoch: 1 }]);
});

test("a start that came to nothing is taken back", async () => {
  await journal.accept(attempt("task-a"), 1);
  await journal.begin("task-a", 1, 2);
  await journal.begin("task-a", 1, 2);
  await journal.unbegin("task-a", 1);
  expect(await journal.find("task-a", 1)).toMatchObject({ starts: 1, state: "running" });
  await journal.unbegin("task-a", 1);
  expect(await journal.find("task-a", 1)).toMatchObject({ starts: 0, state: "accepted" });
  expect(await journal.begin("task-a", 1, 3)).toBe(1);
  await journal.drop("task-a", 1, 4);
  await journal.unbegin("task-a", 1);
  expect((await journal.find("task-a", 1))?.state).toBe("reported");
});

test("the starts that an attempt survived are counted from one again, and nobody else's", async () => {
  for (const task of ["task-a", "task-b"]) {
    await journal.accept(attempt(task), 1);
    for (let i = 0; i < 3; i += 1) await journal.begin(task, 1, 2);
  }
  await journal.survived("task-a", 1);
  expect(await journal.find("task-a", 1)).toMatchObject({ starts: 1, state: "running" });
  expect(await journal.find("task-b", 1)).toMatchObject({ starts: 3 });
  expect(await journal.begin("task-a", 1, 3)).toBe(2);
});

test("a ledger entry is kept once, listed by its attempt and told once", async () => {
  await journal.settle(spending("2"), 1);
  await journal.settle(spending("1"), 1);
  await journal.settle({ ...spending("1"), step: 99 }, 1);
  await journal.settle(spending("of another", "task-b"), 1);
  await journal.settle(spending("of no task", null, 0), 1);
  expect(await journal.spent("task-a", 1)).toEqual([spending("2"), spending("1")]);
  expect(await journal.spent("task-a", 2)).toEqual([]);
  expect((await journal.untold(2)).map(({ id }) => id)).toEqual(["usage no 2", "usage no 1"]);
  await journal.send(report("usage report", 1), ["usage no 2", "usage no of no task"], 1);
  expect((await journal.untold(10)).map(({ id }) => id)).toEqual(["usage no 1", "usage no of another"]);
});

test("a ledger entry that could not be read back is refused, since it would stand in the way of every report", async () => {
  await expect(journal.settle({ ...spending("1"), cost: Number.NaN }, 1)).rejects.toMatchObject({ code: "internal" });
  expect(await journal.untold(10)).toEqual([]);
});

test("a transcript is loaded as it was appended, and a number once written stays", async () => {
  const transcript = journal.transcript("task-a", 1);
  expect(await transcript.load()).toEqual([]);
  const said = { type: "assistant" as const, content: [{ type: "text" as const, text: "naïve 🙂" }], stop: "end" };
  await transcript.append(0, { type: "user", text: "go" });
  await transcript.append(1, said);
  await transcript.append(1, { type: "user", text: "overwritten" });
  await transcript.append(10, { type: "intent", toolUseId: "t", name: "bash" });
  await journal.transcript("task-a", 2).append(0, { type: "user", text: "another epoch" });
  await reopen();
  expect(await journal.transcript("task-a", 1).load()).toEqual([
    { type: "user", text: "go" },
    said,
    { type: "intent", toolUseId: "t", name: "bash" },
  ]);
});

const day = 86_400_000;
/** Rows that the journal has of a task, by table. */
/** Ids of those that are due, each sent again. */
async function sentAgain(at: number, seqs: readonly number[]) {
  const due = await journal.missed(seqs, at);
  for (const { id } of due) await journal.sentAgain(id, at);
  return due.map(({ id }) => id);
}

async function leftOf(task: string) {
  const client = createClient({ url: url() });
  const count = async (table: string, where: string) =>
    Number((await client.execute(`select count(*) as n from ${table} where ${where}`)).rows[0]?.n);
  const left = {
    attempts: await count("attempts", `task = '${task}'`),
    transcript: await count("transcript_entries", `task = '${task}'`),
    usages: await count("usages", `task = '${task}'`),
    facts: await count("facts", `key like '%:${task}:%'`),
  };
  client.close();
  return left;
}
const whole = { attempts: 1, transcript: 1, usages: 1, facts: attemptFacts.length };
const nothing = { attempts: 0, transcript: 0, usages: 0, facts: 0 };
/** An attempt with everything that a journal keeps of one. */
async function worked(task: string, now = 0) {
  await journal.accept(attempt(task), now);
  await journal.transcript(task, 1).append(0, { type: "user", text: "go" });
  await journal.settle(spending(`of ${task}`, task), now);
  for (const what of attemptFacts) await journal.set(attemptFact(what, { task, epoch: 1 }), "kept");
}
/** It ended, and its report is in the outbox. */
const ended = (task: string, seq: number, now = 0) =>
  journal.report(task, 1, report(`r${seq}`, seq, `entry-${task}-1`), [`usage no of ${task}`], now);

test("what is left of attempts that ended over a month ago is let go, whole, and nothing of those that are open or not heard", async () => {
  await worked("task-open");
  await worked("task-running");
  await journal.begin("task-running", 1, 0);
  await worked("task-over");
  await ended("task-over", 1);
  await worked("task-later");
  await ended("task-later", 2, 2 * day);
  await worked("task-untold");
  await journal.drop("task-untold", 1, 0);
  for (const id of ["r1", "r2"]) await journal.sent(id);
  await journal.heard(2);
  await worked("task-unsent");
  await ended("task-unsent", 3);
  await worked("task-unheard");
  await ended("task-unheard", 4);
  await journal.sent("r4");

  await journal.accept(attempt("task-new-1"), 35 * day);
  expect(await leftOf("task-over"), "a month is not over").toEqual(whole);
  await journal.accept(attempt("task-new-2"), 36 * day);
  expect(await leftOf("task-over")).toEqual(nothing);
  for (const task of ["task-open", "task-running", "task-later", "task-untold", "task-unsent", "task-unheard"]) {
    expect(await leftOf(task), task).toEqual(whole);
  }
  expect(await journal.nextSeq(1), "facts of the journal itself stay").toBe(5);
  expect((await journal.unsent(9)).map(({ id }) => id)).toEqual(["r3"]);
  expect((await journal.untold(9)).map(({ task }) => task)).toEqual(["task-open", "task-running", "task-untold"]);
  await reopen();
  await journal.accept(attempt("task-new-3"), 90 * day);
  expect(await leftOf("task-later")).toEqual(nothing);
  expect(await leftOf("task-unheard")).toEqual(whole);
});

test("letting go costs little: once an hour, whichever way the clock is set, and two hundred attempts at once", async () => {
  const client = createClient({ url: url() });
  const statement =
    "insert into attempts (task, epoch, order_json, order_id, entry_id, state, updated_at) values (?, 1, '{}', '', ?, 'reported', 0)";
  const row = (i: number) => ({ sql: statement, args: [`task-${i}`, `e${i}`] });
  await client.batch(
    Array.from({ length: 700 }, (_, i) => row(i)),
    "write",
  );
  const left = async () => Number((await client.execute("select count(*) as n from attempts where updated_at = 0")).rows[0]?.n);
  const hour = 3_600_000;
  const seen: number[] = [];
  for (const [i, at] of [45 * day, 45 * day + hour - 1, 45 * day + hour, 40 * day, 40 * day + 1].entries()) {
    await journal.accept(attempt(`task-new-${i}`), at);
    seen.push(await left());
  }
  expect(seen).toEqual([500, 500, 300, 100, 100]);
  client.close();
});

const said = (id: string, task = "task-a", epoch = 1): Control => ({ id, seq: 1, do: "pause", task, epoch });

test("a control is taken down once, before or after its attempt, and told until HQ has heard", async () => {
  expect(await journal.obey(said("ctl_b"), 1)).toBe(true);
  expect(await journal.obey({ id: "ctl_a", seq: 2, do: "drain" }, 2)).toBe(true);
  expect(await journal.obey(said("ctl_c", "task-b"), 3)).toBe(true);
  await reopen();
  expect(await journal.obey(said("ctl_b"), 4)).toBe(false);
  expect(await journal.controls("task-a", 1)).toEqual([said("ctl_b")]);
  expect(await journal.controls("task-a", 2)).toEqual([]);
  expect(await journal.obeyed(2)).toEqual(["ctl_b", "ctl_a"]);
  await journal.obeyedTold(["ctl_b", "ctl_a", "ctl_unknown"]);
  expect(await journal.obeyed(9)).toEqual(["ctl_c"]);
  // It comes again: HQ has not heard after all.
  expect(await journal.obey(said("ctl_b"), 5)).toBe(false);
  expect(await journal.obeyed(9)).toEqual(["ctl_b", "ctl_c"]);
});

test("of many copies at once one is new", async () => {
  const taken = await Promise.all(Array.from({ length: 20 }, () => journal.obey(said("ctl_a"), 1)));
  expect(taken.filter(Boolean)).toHaveLength(1);
});

test("controls that were told over a month ago are deleted, those of open attempts never", async () => {
  await journal.accept(attempt("task-open"), 0);
  await journal.obey(said("ctl_open", "task-open"), 0);
  await journal.obey(said("ctl_over"), 0);
  await journal.obey({ id: "ctl_drain", seq: 1, do: "drain" }, 0);
  await journal.obeyedTold(["ctl_open", "ctl_over", "ctl_drain"]);
  await journal.accept(attempt("task-b"), 35 * day + 1);
  expect(await journal.controls("task-open", 1)).toHaveLength(1);
  expect(await journal.controls("task-a", 1)).toEqual([]);
  expect(await journal.obey({ id: "ctl_drain", seq: 1, do: "drain" }, 0), "forgotten").toBe(true);
});

test("facts outlive a restart", async () => {
  expect(await journal.get("seq")).toBeNull();
  await journal.set("seq", "1");
  await journal.set("seq", "2");
  await reopen();
  expect(await journal.get("seq")).toBe("2");
});

test("it waits for another process that is writing, and works on after", async () => {
  const other = createClient({ url: url() });
  const lock = await other.transaction("write");
  const setting = Promise.all([journal.set("a", "1"), journal.accept(attempt("task-a"), 1), journal.get("a")]);
  await new Promise((resolve) => setTimeout(resolve, 60));
  await lock.commit();
  expect((await setting)[1]).toBe(true);
  await journal.set("b", "2");
  expect([await journal.get("a"), await journal.get("b")]).toEqual(["1", "2"]);
  other.close();
});

test("a journal of version 1 is brought up to date, by two programs at once too, and what HQ was not told is told with new numbers", async () => {
  const old = join(folder, "old.db");
  const first = createClient({ url: `file:${old}` });
  await first.executeMultiple(readFileSync(join(import.meta.dirname, "journal-1.sql"), "utf8"));
  first.close();
  const [migrated, other] = await Promise.all([1, 2].map(() => libsqlJournal(createClient({ url: `file:${old}` }))));
  if (!migrated || !other) throw new Error("unreachable");
  expect(await migrated.unsent(10)).toEqual([
    { id: "env_late", seq: 59, data: "sealed late", ackEntry: "6-0" },
    { id: "env_last", seq: 60, data: "sealed last", ackEntry: null },
  ]);
  expect(await other.nextSeq(1e12)).toBe(61);
  expect(await other.open()).toMatchObject([{ order: { task: "task-a" }, entryId: "7-0", state: "running", starts: 2 }]);
  expect(await other.transcript("task-a", 1).load()).toEqual([{ type: "user", text: "go" }]);
  expect(await other.deliver("8-0")).toBe(1);
  // Entries of then named neither seat nor engine nor billing; budgets sum them up all the same.
  const before = await other.untold(9);
  expect(before).toMatchObject([{ id: "use_of_old", seat: "coder", engine: "uac", requestedModel: "scripted-1", try: 1, billed: 150_000 }]);
  const bounds = limitBudgets({ kind: "task", of: "task-a", epoch: 1 }, { usd: 150_000, tokens: 200 });
  const reservation = { entry: spending("4"), asks: { usd: 1, tokens: 1 }, life: "life_1", leaseUntil: 9 };
  expect(await other.reserve(reservation, bounds, 1)).toMatchObject({ spent: 150_000, bound: { budget: { unit: "usd" } } });
  await Promise.all([migrated.close(), other.close()]);
});

test("a journal of a later version is refused; a closed one says so", async () => {
  const other = createClient({ url: url() });
  await other.execute("update journal_schema set version = 4");
  await expect(open()).rejects.toMatchObject({ code: "bad_config", message: expect.stringContaining("version 4") });
  await other.execute("update journal_schema set version = 3");
  other.close();
  const second = await open();
  await second.close();
  await expect(second.get("x")).rejects.toMatchObject({ code: "store_unavailable" });
});

test("writes are durable: write-ahead log, synced at every commit", async () => {
  const client = createClient({ url: url() });
  const value = async (pragma: string) => Object.values((await client.execute(`pragma ${pragma}`)).rows[0] ?? {})[0];
  expect(await value("journal_mode")).toBe("wal");
  expect(await value("synchronous")).toBe(2);
  client.close();
});
