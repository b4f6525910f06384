/** `npm run ledger -- replay FILE`: what a recording of usages costs at list price, model by model. */
import { addUsage, noTotal, showCost, sum, type Total } from "#core/ledger.ts";
import type { PriceOf } from "#core/prices.ts";
import { collectCalls, type RecordedCall } from "./calls.ts";
import { readLine, type Trouble } from "./line.ts";
import { longestLine } from "./lines.ts";
import { exactUsd, table } from "./table.ts";

export interface ReplayRow {
  provider: string;
  model: string;
  total: Total;
  /** Calls whose tokens were reckoned from what was streamed, and those of them that were cut. */
  estimated: number;
  interrupted: number;
  /** Calls of which the recording does not have the input: their cost is a floor. */
  inputUnknown: number;
  /** Calls of a batch, or of another tier with a price of its own: the lists have the usual one. */
  tiered: number;
  /** Calls whose provider was guessed from the model's name. */
  assumed: number;
  prices: readonly string[];
}

export interface Replay {
  rows: readonly ReplayRow[];
  total: Total;
  problems: readonly ({ line: number } & Trouble)[];
}

export interface ReplayDeps {
  priceOf: PriceOf;
  knows(provider: string): boolean;
  /** Of lines that say none; null: it is guessed. */
  provider: string | null;
  /** Prices of calls that do not say when they were. */
  now: number;
}

/** A line that is null was too long to read. */
export async function replay(lines: AsyncIterable<string | null> | Iterable<string | null>, deps: ReplayDeps): Promise<Replay> {
  const collected = collectCalls(deps.provider);
  const problems: Replay["problems"][number][] = [];
  let line = 0;
  for await (const raw of lines) {
    line += 1;
    if (raw === null) {
      problems.push({ line, what: "is too long", why: `a line has ${longestLine} characters at most`, todo: "leave out images and files" });
      continue;
    }
    const text = raw.replace(/^\uFEFF/, "").trim();
    if (text === "") continue;
    const read = readLine(text, deps.knows);
    const problem = "problem" in read ? read.problem : read.heard && collected.add(read.said, read.heard);
    if (problem) problems.push({ line, ...problem });
  }
  const groups = Map.groupBy(
    collected.calls().map((call) => priced(call, deps)),
    ({ call, model }) => `${call.provider} ${model}`,
  );
  const rows = [...groups.values()]
    .map(rowOf)
    .toSorted((a, b) => b.total.cost - a.total.cost || order(a.provider, b.provider) || order(a.model, b.model));
  return { rows, total: rows.reduce((all, { total }) => add(all, total), noTotal), problems };
}

interface Priced {
  call: RecordedCall;
  model: string;
  list: string | null;
  cost: number | null;
}

/** By the model that was asked for; where no list knows that name, by the one that answered. */
function priced(call: RecordedCall, { priceOf, now }: ReplayDeps): Priced {
  for (const model of call.models) {
    const price = priceOf(call.provider, model, call.at ?? now);
    if (price) return { call, model, list: price.list, cost: price.cost(call.usage) };
  }
  return { call, model: call.models[0] ?? "", list: null, cost: null };
}

function rowOf(group: readonly Priced[]): ReplayRow {
  const [first] = group;
  const how = (is: (call: RecordedCall) => boolean) => group.filter(({ call }) => is(call)).length;
  return {
    ...{ provider: first?.call.provider ?? "", model: first?.model ?? "" },
    total: sum(group.map(({ call, cost }) => ({ usage: call.usage, cost }))),
    estimated: how(({ source }) => source === "estimated"),
    interrupted: how(({ interrupted }) => interrupted),
    inputUnknown: how(({ inputUnknown }) => inputUnknown),
    tiered: how(({ tiered }) => tiered),
    assumed: how(({ assumed }) => assumed),
    prices: [...new Set(group.flatMap(({ list }) => list ?? []))],
  };
}

function add(a: Total, b: Total): Total {
  const usage = addUsage(a.usage, b.usage);
  return { cost: a.cost + b.cost, calls: a.calls + b.calls, unpriced: a.unpriced + b.unpriced, usage };
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function replayJson({ rows, total, problems }: Replay): object {
  const told = (one: Total) => ({ ...one, usd: one.unpriced === one.calls && one.calls > 0 ? null : exactUsd(one.cost).slice(1) });
  return {
    complete: isComplete({ rows, total, problems }),
    total: told(total),
    models: rows.map((row) => ({ ...row, total: told(row.total) })),
    problems,
  };
}

/** Everything in the file is in the sum. */
function isComplete({ rows, total, problems }: Replay): boolean {
  return problems.length === 0 && total.unpriced === 0 && rows.every(({ inputUnknown }) => inputUnknown === 0);
}

/** So that a file that is no recording does not scroll away what there is to say of it. */
const shownProblems = 50;

/** What a file holds does not steer the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "\uFFFD");
}

export function replayText(result: Replay): string {
  const { rows, total, problems } = result;
  const cells = ({ usage, calls }: Total) =>
    [calls, usage.uncachedIn, usage.cacheRead, usage.write5m, usage.write1h, usage.output].map(String);
  const cost = (one: Total) => (one.unpriced > 0 ? showCost(one) : exactUsd(one.cost));
  const lines = table([
    ["provider", "model", "calls", "input", "cache read", "5 min write", "1 h write", "output", "list price"],
    ...rows.map((row) => [row.provider, row.model, ...cells(row.total), cost(row.total)]),
    ["total", isComplete(result) ? "" : "incomplete", ...cells(total), cost(total)],
  ]);
  const notes = rows.flatMap(({ provider, model, ...row }) => {
    const note = (count: number, text: string) => (count > 0 ? [`${provider} ${model}: ${count} of ${row.total.calls} calls ${text}`] : []);
    return [
      ...note(row.total.unpriced, "unpriced: no list knows this model of this provider; give --prices FILE (docs/models.md, Prices)"),
      ...note(row.interrupted, "interrupted: output estimated from what was streamed"),
      ...note(row.estimated - row.interrupted, "told no whole usage: estimated from what was written"),
      ...note(row.inputUnknown, `without input in the recording: the price is a floor; record "request" beside the first event`),
      ...note(row.tiered, "of a batch or another tier than the usual: priced as the usual, a batch is mostly half of it"),
      ...note(row.assumed, `without a provider: taken to be ${provider}'s own; add "provider" or give --provider`),
    ];
  });
  const lists = [...new Set(rows.flatMap(({ prices }) => prices))];
  const bad = problems.slice(0, shownProblems).map(({ line, what, why, todo }) => `line ${line} ${what}: ${why}; ${todo}`);
  const more = problems.length - bad.length;
  return [
    ...lines,
    ...(lists.length > 0 ? ["", `prices: ${lists.join("; ")}`] : []),
    ...(notes.length > 0 ? ["", ...notes] : []),
    ...(bad.length > 0 ? ["", `${problems.length} ${problems.length === 1 ? "line is" : "lines are"} not in the total:`, ...bad] : []),
    ...(more > 0 ? [`and ${more} more, which --json lists`] : []),
  ]
    .map(printable)
    .join("\n");
}
