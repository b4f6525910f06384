/** What a factory tells HQ: into the journal first, then on the bus, then the doorbell. */
import type { Body, Result } from "#core/envelope.ts";
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

/**
 * A result that the bus would not carry leaves behind what is on this machine anyway: the patch, then the log. One that no
 * reader would accept at all is told as a failure: an attempt that can't be reported would be worked on for ever.
 */
async function sealResult(deps: Branch, result: Result, seq: number) {
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
  try {
    const { jws } = await seal(deps, "doorbell", { reason }, { aud: "hq", corr: null });
    await deps.hq.ring(jws);
  } catch (error) {
    deps.log.warn("the doorbell was not heard", { reason, error });
  }
}
