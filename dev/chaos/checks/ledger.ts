/**
 * The ledger is the model server's own log, to the token. Each answer has a number of its own as its output tokens, so that
 * every entry is about one answer, and every answer has one entry; but for those that the product can't know of:
 *
 * - `cut off`: whoever asked was gone before it was answered;
 * - `unrecorded`: the process was killed, or its record away, between the answer and writing it down;
 * - `estimated`: whoever asked was stopped just then, and the ledger says what was reckoned of it.
 *
 * And no call is forgotten, not even those: each has an entry, or a reservation that will become one.
 */
import type { LedgerEntry } from "#core/ledger.ts";
import type { Evidence } from "../evidence.ts";
import type { Life } from "../member.ts";
import type { Call } from "../model.ts";
import { type Invariant, invariant } from "./invariant.ts";

/** So soon after an answer is a kill in that moment, machine time: writing it down takes milliseconds, on a busy machine more. */
const momentMs = 2500;

export function spendRecorded({ calls, ledger, lives, held }: Evidence): Invariant {
  const broken: string[] = [];
  const priced = ledger.filter(({ source }) => source === "reported");
  const entries = new Map<number, LedgerEntry[]>();
  for (const entry of priced) entries.set(entry.usage.output, [...(entries.get(entry.usage.output) ?? []), entry]);

  const answered = calls.filter(({ answeredAt }) => answeredAt !== null);
  const unrecorded: Call[] = [];
  const estimated: Call[] = [];
  for (const call of answered) {
    const its = entries.get(call.serial) ?? [];
    if (its.length > 1) broken.push(`${named(call)} is in the ledger ${its.length} times`);
    const [entry] = its;
    if (entry && !fits(entry, call)) broken.push(`${named(call)} is in the ledger as one of task ${entry.task}, attempt ${entry.epoch}`);
    if (entry) continue;
    if (killedAt(call, calls, lives)) unrecorded.push(call);
    else if (stoppedAt(call, ledger)) estimated.push(call);
    else broken.push(`${named(call)} was answered, and is not in the ledger`);
  }
  const known = new Set(calls.map(({ serial }) => serial));
  const invented = priced.filter(({ usage }) => !known.has(usage.output));
  broken.push(...invented.map(({ id, usage }) => `the ledger's ${id} tells of ${usage.output} tokens, which no answer had`));

  broken.push(...forgotten(calls, ledger, held));

  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
  const ours = sum(priced.map(({ usage }) => usage.output));
  const theirs = sum(answered.map(({ serial }) => serial)) - sum([...unrecorded, ...estimated].map(({ serial }) => serial));
  if (ours !== theirs && broken.length === 0) broken.push(`the ledger has ${ours} output tokens, the model server ${theirs}`);
  return invariant("the ledger is the model server's log", answered.length, broken, {
    outputTokens: ours,
    cutOff: calls.length - answered.length,
    unrecorded: unrecorded.length,
    estimated: estimated.length,
  });
}

/** Those who made more calls than the ledger and what is still reserved know of. A call that reached nobody has an entry too. */
function forgotten(calls: readonly Call[], ledger: readonly LedgerEntry[], held: number): string[] {
  const made = new Map<string, number>();
  const count = (who: string, by: number) => made.set(who, (made.get(who) ?? 0) + by);
  const whose = (factory: string, of: { task: string | null; epoch: number } | null) =>
    of?.task ? `${factory}'s attempt ${of.epoch} of task ${of.task}` : "headquarters";
  for (const { attempt, life } of calls) count(whose(life.split(".")[0] ?? "", attempt), 1);
  for (const entry of ledger) count(whose(entry.factory, entry), -1);
  count("headquarters", -held);
  return [...made].filter(([, missing]) => missing > 0).map(([who, missing]) => `the ledger has forgotten ${missing} calls of ${who}`);
}

function fits(entry: LedgerEntry, { attempt, life }: Call) {
  if (attempt === null) return entry.task === null && life.startsWith("hq.");
  return entry.task === attempt.task && entry.epoch === attempt.epoch && life.startsWith(`${entry.factory}.`);
}

/** The process died before it did anything with the answer; or what it records in did, at headquarters. */
function killedAt(call: Call, calls: readonly Call[], lives: Evidence["lives"]): boolean {
  const wentOn = calls.some((later) => later.serial > call.serial && later.life === call.life && sameRun(later, call));
  const life = [...lives.values()].flat().find(({ name }) => name === call.life);
  if (life && !wentOn && endedInThatMoment(life, call)) return true;
  return call.attempt === null && recordAway(lives.get("database") ?? [], call);
}

function recordAway(lives: readonly Life[], { answeredAt }: Call): boolean {
  return lives.some(({ until }, i) => {
    const back = lives[i + 1]?.since;
    return until !== null && answeredAt !== null && back !== undefined && answeredAt >= until - momentMs && answeredAt <= back + momentMs;
  });
}

function sameRun(a: Call, b: Call) {
  return a.attempt?.task === b.attempt?.task && a.attempt?.epoch === b.attempt?.epoch;
}

/** Time in which it was frozen does not count. */
function endedInThatMoment({ how, until, frozen }: Life, { answeredAt }: Call): boolean {
  if (how !== "killed" || until === null || answeredAt === null) return false;
  const asleep = frozen.reduce((ms, { from, to }) => ms + Math.max(0, Math.min(to ?? until, until) - Math.max(from, answeredAt)), 0);
  return until >= answeredAt - 100 && until - answeredAt - asleep <= momentMs;
}

function stoppedAt({ attempt }: Call, ledger: readonly LedgerEntry[]): boolean {
  return ledger.some(
    ({ task, epoch, source }) => source !== "reported" && task === (attempt?.task ?? null) && (attempt === null || epoch === attempt.epoch),
  );
}

function named({ serial, attempt, life }: Call) {
  const whose = attempt ? `task ${attempt.task}, attempt ${attempt.epoch}` : "a turn of Simone's";
  return `answer ${serial} (${whose}, by ${life})`;
}
