/** What a factory tells HQ: into the journal first, then on the bus, then the doorbell; kept until HQ heard it. */
import { type Body, type Envelope, type Kind, kinds, maxEntryBytes, type Result, wireVersion } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { progressKept } from "#core/fleet.ts";
import type { LedgerEntry } from "#core/ledger.ts";
import type { Attempt, Report } from "#ports/journal.ts";
import type { Branch } from "./branch.ts";
import { inPresentWords } from "./earlier-report.ts";
import { type Sealed, seal } from "./seal.ts";

const perFlush = 20;
/** Ledger entries that one report may carry, if their bytes do not end it before. */
const usagesPerReport = 400;
/** Bytes of a report's body: base64 makes 4 characters of 3, and head and signature need some. */
const maxBodyBytes = Math.floor((maxEntryBytes * 3) / 4) - 2048;
/** Slots that end at once take the same number; all but one take the next. More than there are slots. */
const maxSeals = 100;

/**
 * Ends an attempt: result, acknowledgement and ledger entries are one step in the journal and one on the bus. Entries that do not fit
 * beside the receipt go ahead of it, so that no patch stays behind for the ledger's sake.
 */
export async function reportResult(deps: Branch, attempt: Attempt, result: Omit<Result, "usages">): Promise<void> {
  const { journal, clock } = deps;
  const room = maxBodyBytes - bytesOf(result);
  let usages = await journal.untold(usagesPerReport);
  while (usages.length === usagesPerReport || (usages.length > 0 && bytesOf(usages) > room)) {
    const ahead = fitting(usages);
    await sendReport(deps, "usage", { usages: ahead }, { corr: result.task, ackEntry: null, told: idsOf(ahead) });
    usages = await journal.untold(usagesPerReport);
  }
  await numbered(
    deps,
    (seq) => sealResult(deps, { ...result, usages }, seq),
    (sealed) => journal.report(result.task, result.epoch, { ...sealed, ackEntry: attempt.entryId }, idsOf(usages), clock.now()),
  );
}

/** Tells what no result may ever carry: calls that an earlier life of the factory left, of attempts that are another's by now. */
export async function reportUsages(deps: Branch): Promise<void> {
  for (;;) {
    const usages = await deps.journal.untold(usagesPerReport);
    if (usages.length === 0) return;
    await sendReport(deps, "usage", { usages }, { corr: null, ackEntry: null, told: idsOf(usages) });
  }
}

/** Puts a report into the outbox, with the ledger entries that it tells. */
export async function sendReport<K extends "usage" | "reject">(
  deps: Branch,
  kind: K,
  body: Body<K>,
  { corr, ackEntry, told }: { corr: string | null; ackEntry: string | null; told: readonly string[] },
): Promise<void> {
  await numbered(
    deps,
    (seq) => seal(deps, kind, body, { aud: "hq", corr, seq }),
    (sealed) => deps.journal.send({ ...sealed, ackEntry }, told, deps.clock.now()),
  );
}

/** Numbers have no gap: one counts from when its report is in the journal, and who was slower seals with the next. */
async function numbered(
  { journal, clock }: Branch,
  sealWith: (seq: number) => Promise<Sealed>,
  write: (sealed: Pick<Report, "id" | "seq" | "data">) => Promise<boolean>,
): Promise<void> {
  for (let seals = 0; seals < maxSeals; seals += 1) {
    const seq = await journal.nextSeq(clock.now());
    const { id, jws } = await sealWith(seq);
    if (await write({ id, seq, data: jws })) return;
  }
  throw new UacError("conflict", `No number could be had for a report in ${maxSeals} tries; it is tried again.`);
}

/**
 * A result that the bus would not carry leaves behind what is on this machine anyway: the patch, then the log. One that no
 * reader would accept at all is told as a failure: an attempt that can't be reported would be worked on for ever.
 */
async function sealResult(deps: Branch, result: Result, seq: number): Promise<Sealed> {
  const { receipt } = result;
  const without = (changed: Partial<Result>): Result => ({ ...result, ...changed });
  const candidates = [
    result,
    without({ receipt: receipt && { ...receipt, patch: null } }),
    without({ log: "", receipt: receipt && { ...receipt, patch: null, commands: receipt.commands.slice(-20) } }),
    without({
      log: "",
      receipt: null,
      summary: "",
      outcome: "failed",
      code: "unreportable",
      reason: "its result could not be put into a report",
    }),
  ];
  for (const [i, candidate] of candidates.entries()) {
    try {
      return await seal(deps, "result", candidate, { aud: "hq", corr: result.task, seq });
    } catch (error) {
      if (i === candidates.length - 1) throw error;
      deps.log.warn("a result is told with less", { task: result.task, epoch: result.epoch, error });
    }
  }
  throw new Error("unreachable");
}

/** The first of them, as many as one report holds: at least one, since an entry of the ledger is far smaller than that. */
function fitting(usages: readonly LedgerEntry[]): LedgerEntry[] {
  let bytes = 0;
  return usages.filter((usage, i) => {
    bytes += bytesOf(usage) + 1;
    return i === 0 || bytes <= maxBodyBytes;
  });
}

function bytesOf(value: object): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

function idsOf(usages: readonly LedgerEntry[]) {
  return usages.map((usage) => usage.id);
}

/** One line of a task's story; lossy, so it goes straight to the bus. */
export async function tellProgress(deps: Branch, progress: Body<"progress">): Promise<void> {
  const { jws } = await seal(deps, "progress", progress, { aud: "hq", corr: progress.task });
  await deps.bus.publish({ factory: deps.self, channel: "ev" }, jws, progressKept);
}

/** Journal → bus. Stops at the first failure, which `failed` is told of; resolves to how many reports went out. */
export async function flushReports(deps: Branch, failed: (error: unknown) => void = () => undefined): Promise<number> {
  const { journal, bus, self, log } = deps;
  let sent = 0;
  for (const report of await journal.unsent(perFlush)) {
    const { id, data, ackEntry } = await readable(deps, report);
    try {
      if (ackEntry) await bus.finish(self, data, ackEntry);
      else await bus.publish({ factory: self, channel: "out" }, data);
    } catch (error) {
      log.warn("a report waits for the bus", { report: id, error });
      failed(error);
      break;
    }
    await journal.sent(id);
    sent += 1;
  }
  return sent;
}

/** Reports that HQ missed go on the bus once more, as they were; each waits longer every time. Resolves to how many went out. */
export async function resendReports(
  deps: Branch,
  seqs: readonly number[],
  failed: (error: unknown) => void = () => undefined,
): Promise<number> {
  if (seqs.length === 0) return 0;
  const sent: number[] = [];
  for (const report of await deps.journal.missed(seqs, deps.clock.now())) {
    const { data } = await readable(deps, report);
    try {
      await deps.bus.publish({ factory: deps.self, channel: "out" }, data);
    } catch (error) {
      deps.log.warn("a report that headquarters missed waits for the bus", { seq: report.seq, error });
      failed(error);
      break;
    }
    await deps.journal.sentAgain(report.id, deps.clock.now());
    sent.push(report.seq);
  }
  if (sent.length > 0) deps.log.warn("reports that headquarters missed were sent again", { seqs: sent });
  return sent.length;
}

/** A report that lay here until it expired, or that an earlier version of the program sealed, is sealed anew. */
async function readable(deps: Branch, report: Report): Promise<Report> {
  const old = payloadOf(report.data);
  const nowS = Math.floor(deps.clock.now() / 1000);
  if (old?.v === wireVersion && old.seq === report.seq && Number(old.exp) > nowS) return report;
  const to = { aud: "hq", corr: typeof old?.corr === "string" ? old.corr : null, seq: report.seq };
  const kind = old?.kind;
  const told = kind === "result" || kind === "usage" || kind === "reject" ? kinds[kind].body.safeParse(inPresentWords(old?.body)) : null;
  // Its number must not stay a gap, so something is said in its place.
  const lost = { entry: report.id, reason: "a report that an earlier version of the program wrote can't be read any more" };
  const { jws } = told?.success ? await seal(deps, kind as "result", told.data as Result, to) : await seal(deps, "reject", lost, to);
  const fresh = { ...report, data: jws };
  await deps.journal.reseal(fresh);
  return fresh;
}

/** What an envelope of our own says, unverified; null where it is none. */
function payloadOf(jws: string): Partial<Record<keyof Envelope<Kind>, unknown>> | null {
  const [, payload = ""] = jws.split(".");
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

/** Rings HQ's doorbell; if nobody answers, HQ's minute tick finds the report. */
export async function ringDoorbell(deps: Branch, reason: "result" | "progress"): Promise<void> {
  try {
    const { jws } = await seal(deps, "doorbell", { reason }, { aud: "hq", corr: null });
    await deps.hq.ring(jws);
  } catch (error) {
    deps.log.warn("the doorbell was not heard", { reason, error });
  }
}
