/** What a factory tells HQ: into the journal first, then on the bus, then the doorbell. */
import { type Body, maxEntryBytes, type Result } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { progressKept } from "#core/fleet.ts";
import type { LedgerEntry } from "#core/ledger.ts";
import type { Attempt } from "#ports/journal.ts";
import { nextSeq } from "./accept.ts";
import type { Branch } from "./branch.ts";
import { seal } from "./seal.ts";

const perFlush = 20;
/** Ledger entries that one report may carry. */
const usagesPerReport = 100;

/** Ends an attempt: result, acknowledgement and ledger entries are one step in the journal and one on the bus. */
export async function reportResult(deps: Branch, attempt: Attempt, result: Omit<Result, "usages">): Promise<void> {
  const { journal, clock } = deps;
  let usages = await journal.untold(usagesPerReport);
  while (usages.length === usagesPerReport) {
    const { id, jws } = await seal(deps, "usage", { usages }, { aud: "hq", corr: result.task, seq: await nextSeq(deps) });
    await journal.send({ id, channel: "out", data: jws, ackEntry: null }, idsOf(usages), clock.now());
    usages = await journal.untold(usagesPerReport);
  }
  const { id, jws } = await sealResult(deps, { ...result, usages }, await nextSeq(deps));
  const report = { id, channel: "out" as const, data: jws, ackEntry: attempt.entryId };
  await journal.report(result.task, result.epoch, report, idsOf(usages), clock.now());
}

/** A result that is too large for the bus leaves behind what is on this machine anyway: the patch, then the log. */
async function sealResult(deps: Branch, result: Result, seq: number) {
  const to = { aud: "hq", corr: result.task, seq };
  const { receipt } = result;
  const smaller: Result[] = [result, { ...result, receipt: receipt && { ...receipt, patch: null } }];
  smaller.push({ ...result, log: "", receipt: receipt && { ...receipt, patch: null, commands: receipt.commands.slice(-20) } });
  for (const candidate of smaller) {
    const sealed = await seal(deps, "result", candidate, to);
    if (sealed.jws.length <= maxEntryBytes) return sealed;
  }
  throw new UacError("too_large", `The result of ${result.task} does not fit into ${maxEntryBytes} bytes`);
}

function idsOf(usages: readonly LedgerEntry[]) {
  return usages.map((usage) => usage.id);
}

/** One line of a task's story; lossy, so it goes straight to the bus. */
export async function tellProgress(deps: Branch, progress: Body<"progress">): Promise<void> {
  const { jws } = await seal(deps, "progress", progress, { aud: "hq", corr: progress.task });
  await deps.bus.publish({ factory: deps.self, channel: "ev" }, jws, progressKept);
}

/** Journal → bus. Stops at the first failure; resolves to how many reports went out. */
export async function flushReports(deps: Branch): Promise<number> {
  const { journal, bus, self, log } = deps;
  let sent = 0;
  for (const report of await journal.unsent(perFlush)) {
    try {
      if (report.ackEntry) await bus.finish(self, report.data, report.ackEntry);
      else await bus.publish({ factory: self, channel: report.channel }, report.data);
    } catch (error) {
      log.warn("a report waits for the bus", { report: report.id, error });
      break;
    }
    await journal.sent(report.id);
    sent += 1;
  }
  return sent;
}

/** Rings HQ's doorbell; if nobody answers, HQ's minute tick finds the report. */
export async function ringDoorbell(deps: Branch, reason: "result" | "progress"): Promise<void> {
  const { jws } = await seal(deps, "doorbell", { reason }, { aud: "hq", corr: null });
  await deps.hq.ring(jws).catch((error: unknown) => deps.log.warn("the doorbell was not heard", { reason, error }));
}
