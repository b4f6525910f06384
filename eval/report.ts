/** What an evaluation says: a line a task while it runs, then a table, then whether it is as it should be. */
import { addUsage, noTotal, showCost, type Total, tokensOf } from "#core/ledger.ts";
import type { Result, Solver } from "./run.ts";

const titles: Readonly<Record<Solver, string>> = {
  model: "the environment's model",
  oracle: "the known solution, played through the real tools: a test of the harness, not of coding",
  nothing: "nothing done: every task must fail, or it asks for nothing",
};

export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
  steps: number;
  usage: Total;
  /** Of the coder, summed over the tasks, ms. */
  wallMs: number;
}

export function totalsOf(results: readonly Result[]): Totals {
  const count = (outcome: Result["outcome"]) => results.filter((result) => result.outcome === outcome).length;
  return {
    passed: count("passed"),
    failed: count("failed"),
    skipped: count("skipped"),
    steps: results.reduce((sum, { steps }) => sum + steps, 0),
    usage: results.reduce((sum, { usage }) => plus(sum, usage ?? noTotal), noTotal),
    wallMs: results.reduce((sum, { wallMs }) => sum + wallMs, 0),
  };
}

function plus(a: Total, b: Total): Total {
  const usage = addUsage(a.usage, b.usage);
  return { cost: a.cost + b.cost, calls: a.calls + b.calls, unpriced: a.unpriced + b.unpriced, usage };
}

/** As it should be: all passed, or, where nothing was done, all failed. A task that was skipped says nothing; skipping all is no success. */
export function isAsItShould(solver: Solver, { passed, failed }: Pick<Totals, "passed" | "failed">): boolean {
  return solver === "nothing" ? passed === 0 && failed > 0 : failed === 0 && passed > 0;
}

export function showLine({ name, solver, outcome, why }: Result): string {
  const expected = solver === "nothing" && outcome === "failed" ? ", as it should" : "";
  const said = outcome === "passed" || expected ? "" : `: ${oneLine(why)}`;
  return `${outcome}${expected}  ${name}${said}`;
}

export function showTable(solver: Solver, results: readonly Result[]): string {
  const head = ["task", "language", "result", "verdict", "steps", "tokens", "cost", "seconds"];
  const rows = results.map(({ name, language, outcome, verdict, ...figures }) => [
    name,
    language ?? "",
    outcome,
    verdict ?? "–",
    ...cells(figures),
  ]);
  const totals = totalsOf(results);
  const { passed, failed, skipped } = totals;
  const last = ["all", "", `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`, "", ...cells(totals)];
  const all = [head, ...rows, last];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const lines = all.map((row) => row.map((cell, i) => (i < 4 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "));
  return [`With ${titles[solver]}`, ...lines].map((line) => line.trimEnd()).join("\n");
}

function cells({ steps, usage, wallMs }: Pick<Result, "steps" | "usage" | "wallMs">): string[] {
  const spent = usage ? [tokensOf(usage.usage).toLocaleString("en"), showCost(usage)] : ["–", "–"];
  return [String(steps), ...spent, (wallMs / 1000).toFixed(1)];
}

function oneLine(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(/\p{Cc}/gu, "")
    .slice(0, 500);
}
