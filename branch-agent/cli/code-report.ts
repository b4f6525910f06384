/** What `code` says: a line a step while it works, and at the end what was measured and how to take it. */
import { resolve } from "node:path";
import { flagsBeside } from "#core/evidence.ts";
import { noTotal, showCost, tokensOf } from "#core/ledger.ts";
import type { Receipt } from "#core/receipt.ts";
import type { Outcome, Tell } from "#factory/bench.ts";
import { showSetupRun } from "#factory/setup-words.ts";
import type { Clock } from "#ports/clock.ts";

/** Of one line on a terminal, characters. */
const lineMax = 200;

/** What `--json` prints, whole. */
export interface Report {
  /** It succeeded and is verified, or there are no tests to verify it with. */
  ok: boolean;
  task: string;
  /** The repository. */
  repository: string;
  outcome: Outcome["outcome"];
  code: string;
  reason: string;
  persona: string;
  summary: string;
  /** False: the repository names no tests that could be run, so nothing is verified. */
  tested: boolean;
  receipt: Receipt | null;
}

/** @param mayRun whether commands may run here at all: where they may not, tests were not looked for */
export function reportOf({ epoch: _, log: __, ...outcome }: Outcome, repository: string, mayRun: boolean): Report {
  const { receipt } = outcome;
  const tested = receipt !== null && (receipt.testsBefore !== null || receipt.testsAfter !== null);
  const untestable = mayRun && receipt !== null && !tested;
  const ok = outcome.outcome === "succeeded" && (receipt?.verdict === "verified" || untestable);
  return { ok, repository, tested, ...outcome };
}

/** @param cwd commands are shown as they are typed from there */
export function showReport({ receipt, ...report }: Report, cwd: string): string {
  // That the coder came to its end is no success yet.
  const ended = report.outcome === "succeeded" && !report.ok ? "done, but not verified" : report.outcome;
  const lines = [
    `${ended}: ${report.reason}`,
    ...(report.summary ? ["", `${report.persona}: ${report.summary}`] : []),
    ...(receipt ? ["", ...receiptLines(receipt, report)] : []),
    ...(receipt?.branch
      ? ["", ...takeLines(receipt, report.repository === resolve(cwd) ? "git" : `git -C ${quoted(report.repository)}`)]
      : []),
  ];
  // Where nothing may be committed the diff is all that is left of the work.
  const diff = receipt && !receipt.branch && receipt.patch ? `\n${receipt.patch.split("\n").map(plainCode).join("\n").trimEnd()}\n` : "";
  return `${lines
    .flatMap((line) => line.split("\n"))
    .map(plain)
    .join("\n")}\n${diff}`;
}

function receiptLines(receipt: Receipt, { ok, tested, reason }: Pick<Report, "ok" | "tested" | "reason">): string[] {
  const { usage, verdict, why, branch, head, base, diffstat } = receipt;
  const spent = usage ?? noTotal;
  return [
    // What the reason says already is not said again.
    `verdict  ${verdict}${reason.startsWith(why) ? "" : `: ${why}`}${ok && !tested ? " (nothing but the diff says that it is right)" : ""}`,
    ...flagsBeside(receipt).map(({ text }) => `note     ${text}`),
    ...(branch ? [`branch   ${branch} (${head?.slice(0, 12)}, from ${base?.slice(0, 12)})`] : []),
    ...(receipt.setup ? [`set-up   ${showSetupRun(receipt.setup)}`] : []),
    ...(receipt.replayed?.files
      ? [`with     ${several(receipt.replayed.files, "file")} that ${receipt.replayed.files === 1 ? "was" : "were"} not committed`]
      : []),
    `spent    ${showCost(spent)}, ${several(tokensOf(spent.usage), "token")}, ${several(receipt.steps, "step")}, ${duration(receipt.wallMs)}`,
    ...(diffstat.text ? ["", diffstat.text.trimEnd()] : []),
  ];
}

function takeLines({ branch, base, replayed }: Receipt, git: string): string[] {
  const from = base?.slice(0, 12);
  return [
    `look at it   ${git} diff ${from} ${branch}`,
    // A merge would meet, in the checkout, the very changes that the branch begins with. No setting of the owner's changes what diff-tree prints.
    `take it      ${replayed?.files ? `${git} diff-tree -p --binary ${from} ${branch} | ${git} apply` : `${git} merge ${branch}`}`,
    `throw away   ${git} branch -D ${branch}`,
  ];
}

/** Lines with the time since the start, on a terminal with a little colour. */
export function progressLines(
  to: Pick<NodeJS.WriteStream, "isTTY" | "write">,
  { NO_COLOR: noColor }: Readonly<Record<string, string | undefined>>,
  clock: Pick<Clock, "now">,
): (kind: Parameters<Tell>[0] | "begin", persona: string, text: string) => void {
  const began = clock.now();
  const colours = to.isTTY === true && !noColor;
  const paint = (code: number, text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  const colourOf: Partial<Record<string, number>> = { begin: 1, step: 0, finished: 32, paused: 33 };
  return (kind, _, text) => {
    // To whom it was given stands in the first line.
    if (kind === "routed") return;
    const time = `${((clock.now() - began) / 1000).toFixed(1)} s`.padStart(8);
    const what = plain(text.replace(/\s+/g, " ")).slice(0, lineMax);
    to.write(`${paint(2, time)}  ${paint(colourOf[kind] ?? 36, kind === "step" ? what : `${labels[kind] ?? kind}: ${what}`)}\n`);
  };
}

const labels: Partial<Record<string, string>> = { begin: "at work", paused: "at a budget" };

function several(n: number, noun: string): string {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

function duration(ms: number): string {
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** For a shell, where it holds more than plain characters. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** What a model or a file's name says must not move the cursor or colour the screen. */
function plain(text: string): string {
  return plainCode(text).replaceAll("\t", " ");
}

/** The same with tabs as they are: a program may read it. */
function plainCode(text: string): string {
  return text.replace(/(?!\t)[\p{Cc}\p{Cf}]/gu, "\u{fffd}");
}
