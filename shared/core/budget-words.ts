/** Budgets as a person writes them: `factory desk-1 day $5`, `vp coder 5h 2M tokens`, `corporation month off`. */
import { type Budget, type BudgetScope, budgetUnits } from "./budget.ts";
import { factoryIdPattern } from "./fleet.ts";
import { parseUsd } from "./ledger.ts";
import { vpSeats } from "./vp.ts";

/** Whose words: `hq` sets budgets for everybody, a factory for itself, where `factory` without an id is the factory. */
export type Speaker = "hq" | { factory: string };

/** `remove`: ids. `slip`: what is wrong with it, a sentence. */
export type Wish = { set: Budget } | { remove: string[] } | { slip: string };

const hourMs = 3_600_000;
/** A week: what is older is no subscription's window. */
const longestWindowH = 168;
const most = { usd: 1_000_000 * 1_000_000_000, tokens: 1_000_000_000_000 };
const scales: Readonly<Record<string, number>> = { "": 1, k: 1000, m: 1_000_000, b: 1_000_000_000 };

const form = "Write <whose> <period> <amount>, such as `factory desk-1 day $5`, `vp coder 5h 2M tokens` or `corporation month off`.";

export function parseBudget(words: string, speaker: Speaker): Wish {
  const left = words.trim().split(/\s+/);
  const scope = readScope(left, speaker);
  if (typeof scope === "string") return { slip: scope };
  const when = readPeriod(left.shift() ?? "");
  if (typeof when === "string") return { slip: when };
  const amount = left.join(" ");
  if (amount.toLowerCase() === "off") return { remove: budgetUnits.map((unit) => idOf(scope, when, unit, speaker)) };
  const size = readAmount(amount);
  if (typeof size === "string") return { slip: size };
  return { set: { id: idOf(scope, when, size.unit, speaker), scope, ...when, ...size } };
}

type When = Pick<Budget, "period" | "windowMs">;

function readScope(left: string[], speaker: Speaker): BudgetScope | string {
  const kind = left.shift()?.toLowerCase();
  switch (kind) {
    case "corporation":
      return speaker === "hq" ? { kind } : "A factory has no budget for the corporation: that is the owner's, /budget corporation …";
    case "vp": {
      const seat = vpSeats.find((known) => known === left[0]?.toLowerCase());
      if (!seat) return `Which VP? There are: ${vpSeats.join(", ")}.`;
      left.shift();
      return { kind, of: seat };
    }
    case "factory": {
      if (speaker !== "hq") return { kind, of: speaker.factory };
      const id = left.shift()?.toLowerCase() ?? "";
      return id === "hq" || factoryIdPattern.test(id) ? { kind, of: id } : "Which factory? Name its id; /fleet lists them.";
    }
    case "task":
      return "A task's budget is its limit: TASK_BUDGET_USD and TASK_MAX_TOKENS set it, and I ask when one has used it up.";
    default:
      return `Whose budget? corporation, factory <id> or vp <${vpSeats.join("|")}>. ${form}`;
  }
}

function readPeriod(word: string): When | string {
  const period = word.toLowerCase();
  if (period === "day" || period === "month") return { period };
  const hours = /^(\d{1,3})h$/.exec(period)?.[1];
  if (hours !== undefined && Number(hours) >= 1 && Number(hours) <= longestWindowH) {
    return { period: "window", windowMs: Number(hours) * hourMs };
  }
  return `Per what? day, month, or a window of 1h to ${longestWindowH}h. ${form}`;
}

function readAmount(text: string): Pick<Budget, "unit" | "amount"> | string {
  const dollars = /^\$\s?([\d.]+)$/.exec(text)?.[1];
  const [, count, scale = ""] = /^(\d{1,12}(?:\.\d{1,3})?)\s?([kmb]?)\s?tokens?$/i.exec(text) ?? [];
  if (dollars === undefined && count === undefined) return `How much? $5, 2M tokens, or off. ${form}`;
  const unit = dollars === undefined ? "tokens" : "usd";
  const amount = dollars === undefined ? Math.round(Number(count) * (scales[scale.toLowerCase()] ?? 1)) : parseUsd(dollars);
  // None, or a negative one, is never read as "unlimited".
  if (!amount || amount > most[unit])
    return "That is no amount: more than nothing, and at most $1000000 or 1000B tokens. To take it away, write off.";
  return { unit, amount };
}

/** The same budget has the same id: set again it is changed. */
function idOf(scope: BudgetScope, { period, windowMs = 0 }: When, unit: Budget["unit"], speaker: Speaker): string {
  const whose = "of" in scope ? `${scope.kind}:${scope.of}` : scope.kind;
  return `${speaker === "hq" ? "" : "own:"}${whose}:${period === "window" ? `${windowMs / hourMs}h` : period}:${unit}`;
}
