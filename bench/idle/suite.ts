/** `npm run bench -- idle`: what a corporation of one headquarters and three branches uses that has nothing to do. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Figure, type Options, type Report, rounded, tableOf } from "../figure.ts";
import { type Counts, openIdleHouse, sum } from "./house.ts";
import { type Allowance, allowances, dollarsPer100kCommands } from "./tiers.ts";

const branches = 3;
/** Tasks in the database that are over. */
const past = 200;
/** A branch's Redis commands in an idle hour: the bound that this bench holds it to. */
const mostCommandsPerHour = 120;
/** Until what belongs to starting up is over: joins, first reads, connections that close when nobody used them for 30 s. */
const settleMs = 45_000;
const usualSeconds = 180;
const hour = 3600;
const [hoursPerDay, daysPerMonth] = [24, 30];

export async function benchIdle({ quick, seconds: asked, say }: Options): Promise<Report> {
  const seconds = asked ?? (quick ? 35 : usualSeconds);
  const house = await openIdleHouse(quick ? 1 : branches, quick ? 5 : past, say);
  try {
    const settling = quick ? 1000 : settleMs;
    say(`everybody is there; waiting ${settling / 1000} s for the start to be over …`);
    await sleep(settling);
    const before = await house.counts();
    const began = performance.now();
    say(`measuring for ${seconds} s …`);
    await sleep(seconds * 1000);
    const elapsed = (performance.now() - began) / 1000;
    const used = difference(await house.counts(), before);
    return reportOf(used, elapsed, say);
  } finally {
    await house.close();
  }
}

function difference(after: Counts, before: Counts): Counts {
  const minus = (a: Record<string, number>, b: Record<string, number> = {}) =>
    Object.fromEntries(Object.entries(a).flatMap(([name, count]) => (count > (b[name] ?? 0) ? [[name, count - (b[name] ?? 0)]] : [])));
  return {
    branchCommands: after.branchCommands.map((counts, i) => minus(counts, before.branchCommands[i])),
    hqCommands: minus(after.hqCommands, before.hqCommands),
    redis: minus(after.redis, before.redis),
    branchRequests: after.branchRequests.map((counts, i) => minus(counts, before.branchRequests[i])),
    sqlRequests: after.sqlRequests - before.sqlRequests,
    chatRequests: after.chatRequests - before.chatRequests,
    statements: after.statements - before.statements,
    rowsScanned: after.rowsScanned - before.rowsScanned,
    rowsReturned: after.rowsReturned - before.rowsReturned,
    rowsChanged: after.rowsChanged - before.rowsChanged,
    bytes: after.bytes,
  };
}

function reportOf(used: Counts, seconds: number, say: (line: string) => void): Report {
  const perHour = (count: number) => (count * hour) / seconds;
  const perDay = (count: number) => perHour(count) * hoursPerDay;
  const perMonth = (count: number) => perDay(count) * daysPerMonth;
  const figures: Figure[] = [];
  const add = (name: string, value: number, unit: string, of: string | null = null) => {
    figures.push({ name, value: rounded(value), unit, of });
    return String(rounded(value));
  };
  const rows: string[][] = [["", "in the window", "per hour"]];
  const row = (name: string, count: number, unit: string) =>
    rows.push([name, String(count), add(`${name} per hour`, perHour(count), `${unit}/h`)]);

  const most = Math.max(...used.branchCommands.map(sum));
  row("Redis commands of a branch (of the one with most)", most, "commands");
  row("HTTPS requests of a branch to headquarters (of the one with most)", Math.max(...used.branchRequests.map(sum)), "requests");
  row("Redis commands of headquarters", sum(used.hqCommands), "commands");
  row("database requests of headquarters", used.sqlRequests, "requests");
  row("SQL statements of headquarters", used.statements, "statements");
  row("chat requests of headquarters", used.chatRequests, "requests");

  const ticks = seconds / 60;
  const requests = used.branchRequests.reduce((total, counts) => total + sum(counts), 0) + ticks;
  // A scan steps over rows, an index leads to those returned or changed, or to one that is not: an estimate, rather too high.
  const rowsRead = used.rowsScanned + used.rowsReturned + used.rowsChanged + used.statements;
  const commands = used.branchCommands.reduce((total, counts) => total + sum(counts), sum(used.hqCommands));
  const tiers: string[][] = [["1 headquarters, 3 branches, idle", "uses", "free", "share"]];
  const tier = (of: Allowance, value: number, estimate = "") => {
    const name = `${of.service}: ${of.what}${estimate}`;
    const free = `${of.free.toLocaleString("en")} ${of.per}`;
    const amount = add(name, value, of.per === "in all" ? "bytes" : `${of.what.split(",")[0]}/${of.per}`);
    tiers.push([name, amount, free, `${add(`${name}, share`, (value / of.free) * 100, "%", `${of.service} free: ${free}`)} %`]);
  };
  tier(allowances.commands, perMonth(commands));
  tier(allowances.requests, perDay(requests));
  tier(allowances.rowsRead, perMonth(rowsRead), " (estimate)");
  tier(allowances.rowsWritten, perMonth(used.rowsChanged));
  tier(allowances.storage, used.bytes);
  const beyond = Math.max(0, perMonth(commands) - allowances.commands.free);
  add("Upstash Redis: beyond the free tier", (beyond / 100_000) * dollarsPer100kCommands, "$/month");

  say("");
  for (const [i, counts] of used.branchCommands.entries()) say(`branch ${i + 1}: ${told(counts)}; ${told(used.branchRequests[i] ?? {})}`);
  say(`headquarters: ${told(used.hqCommands)}`);
  const sources = new Set(Object.values(allowances).map(({ service, source, seen }) => `  ${service}: ${source}, as of ${seen}`));
  const table = `${tableOf(rows)}\n\n${tableOf(tiers)}\n\n${[...sources].join("\n")}`;
  return { figures, table, broken: brokenBy(used, commands, perHour(most)) };
}

function brokenBy({ redis, branchCommands, branchRequests }: Counts, commands: number, perHour: number): string | null {
  if (branchRequests.some((counts) => sum(counts) === 0))
    return "a branch asked headquarters nothing at all: it is gone, or the time was too short";
  // A read that blocks at either end of the window is counted by the road when it is sent, by Redis when it is answered.
  if (Math.abs(sum(redis) - commands) > branchCommands.length) {
    return `the roads saw ${commands} commands, Redis itself ${sum(redis)} (${told(redis)}): nothing was measured`;
  }
  if (perHour > mostCommandsPerHour) {
    return `a branch sends Redis ${Math.round(perHour)} commands in an idle hour; the bound is ${mostCommandsPerHour}`;
  }
  return null;
}

function told(counts: Record<string, number>): string {
  const parts = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return parts.length > 0 ? parts.join(", ") : "nothing";
}
