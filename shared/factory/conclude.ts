/** How an attempt ended, in a code and in words: by what the agent said, what the owner said, and what was measured. */
import type { Receipt } from "#core/receipt.ts";
import type { Worktree } from "#ports/workspace.ts";
import type { AgentEnd } from "./agent-run.ts";
import type { Bench, Outcome } from "./bench.ts";

/** Cancelled by the owner, or given back by its factory: the signal's reason says which. */
export function interrupted(bench: Bench, reason: string): Outcome {
  const { persona } = bench.assigned;
  if (reason === releasing) return bench.end("released", "released", reason, { persona });
  return bench.end("cancelled", "cancelled", reason, { persona });
}

/** Abort reason of a factory that gives its work back. */
export const releasing = "its factory gave it back";

export interface Said {
  /** What the owner said too late. */
  missed: readonly string[];
  /** The owner let it end where it stood. */
  endedBy: { code: string; reason: string } | null;
}

export function concluded(bench: Bench, agent: AgentEnd, receipt: Receipt, { missed, endedBy }: Said): Outcome {
  const { persona } = bench.assigned;
  const late = missed.map((text) => `What you said came too late to be heard: ${text}`);
  const summary = [...(agent.kind === "finished" ? [agent.summary] : []), ...late].join("\n");
  const more = { persona, receipt, summary };
  // What there was is enough if the tests say so: then it is what the owner wanted.
  if (endedBy && receipt.verdict === "verified") {
    return bench.end("succeeded", "finished_at_budget", `${receipt.why}; ${endedBy.reason}`, more);
  }
  if (agent.kind === "stopped") return bench.end("failed", agent.code, `${persona} stopped: ${agent.reason}`, more);
  if (agent.kind !== "finished") throw new Error(`a VP's work can't end as ${agent.kind}`);
  if (agent.status === "failed") return bench.end("failed", "gave_up", `${persona} could not do it`, more);
  if (receipt.verdict === "regressed") return bench.end("failed", "regressed", `${persona} says it is done, but ${receipt.why}`, more);
  if (bench.order.requireVerified && receipt.verdict !== "verified") {
    return bench.end("failed", "not_verified", `the order demands a verified result, but ${receipt.why}`, more);
  }
  const uncommitted = receipt.diffstat.files > 0 && receipt.head === null;
  const reason = `${receipt.why}${uncommitted ? `; ${notCommitted(receipt)}` : ""}${aboutEdits(bench.worktree)}`;
  return bench.end("succeeded", "finished", reason, more);
}

/** Whether the work starts with what the owner has in hand, or from the last commit alone; either way that is not touched. */
export function aboutEdits({ uncommitted, replayed }: Worktree) {
  if (replayed?.files === 0 && replayed.left.length === 0) return "; you had no uncommitted changes";
  if (replayed) {
    const left =
      replayed.left.length > 0 ? `, without ${replayed.left.slice(0, 3).join(", ")}${replayed.left.length > 3 ? ", …" : ""}` : "";
    return `; with your ${replayed.files === 1 ? "uncommitted change" : `${replayed.files} uncommitted changes`}${left}`;
  }
  if (uncommitted === 0) return "";
  return `; without your ${uncommitted === 1 ? "uncommitted change" : `${uncommitted} uncommitted changes`}`;
}

/** Where a factory may not commit, its worktree goes and the diff is all that stays. */
function notCommitted({ patch }: Receipt) {
  return patch === null
    ? "nothing may be committed here, and the diff was too large to send: it is lost"
    : "nothing may be committed here, so the diff is the result";
}
