/** The end of a run: the town comes to rest, is closed, and what it left is judged. */
import { setTimeout as sleep } from "node:timers/promises";
import { ownerTold } from "./checks/chat.ts";
import { endsOnce } from "./checks/ends.ts";
import { effectsFenced, ordersLeft } from "./checks/fence.ts";
import type { Invariant } from "./checks/invariant.ts";
import { endedOnlyByUs, nothingLeft } from "./checks/landed.ts";
import { spendRecorded } from "./checks/ledger.ts";
import { collect, type Evidence, lookAround, type Run } from "./evidence.ts";
import type { Town } from "./town.ts";

/** Acknowledgements follow what they acknowledge by a heartbeat or two. Machine time. */
const settleMs = 20_000;

/** What is still on its way, once it has had time to arrive. */
export async function settled(town: Town): Promise<string[]> {
  const until = Date.now() + settleMs;
  for (;;) {
    const left = await lookAround(town);
    if (left.length === 0 || Date.now() > until) return left;
    await sleep(300);
  }
}

/** Closes the town and judges it. `around` is what was seen while it stood. */
export async function judge(town: Town, run: Run, around: readonly string[]): Promise<{ evidence: Evidence; invariants: Invariant[] }> {
  for (const { member } of town.branches) await member.stop();
  await town.hq.stop();
  await town.database.stop();
  await town.stop();
  const evidence = await collect(town, run, around);
  const checks = [endsOnce, effectsFenced, ordersLeft, ownerTold, spendRecorded, nothingLeft, endedOnlyByUs];
  return { evidence, invariants: checks.map((check) => check(evidence)) };
}
