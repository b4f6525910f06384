/** A task's story on its way to HQ: in order, lossy, never waited for. */
import type { Body, Order } from "#core/envelope.ts";
import type { Branch } from "#factory/branch.ts";
import { ringDoorbell, tellProgress } from "#factory/report.ts";

/** Lines that wait for the bus; the oldest goes when there are more. */
const maxWaiting = 200;
/** HQ is rung at most so often for progress; the last line is rung for too, since a long silence may follow it. */
const ringEveryMs = 3000;

export interface ProgressTeller {
  tell(of: Pick<Order, "task" | "epoch">, kind: Body<"progress">["kind"], persona: string, text: string): void;
  /** Resolves when what was told is on the bus or given up. */
  settled(): Promise<void>;
}

/** Nobody is rung any more once `signal` aborts. */
export function progressTeller(deps: Branch, signal: AbortSignal): ProgressTeller {
  const waiting: Body<"progress">[] = [];
  const seqs = new Map<string, number>();
  let sending: Promise<void> = Promise.resolve();
  let active = false;
  let lastRing = 0;
  let ringing = false;

  async function send() {
    active = true;
    try {
      for (let line = waiting.shift(); line; line = waiting.shift()) await tellProgress(deps, line);
    } catch (error) {
      // The rest waits for the next line: a bus that is away is asked once, not for every line.
      deps.log.debug("a line of progress was lost", { error });
    }
    active = false;
    void ring();
  }

  async function ring() {
    if (ringing) return;
    ringing = true;
    // Where headquarters set the clock back, the last ring lies in the future.
    await deps.clock.sleep(Math.min(lastRing + ringEveryMs - deps.clock.now(), ringEveryMs), signal);
    ringing = false;
    if (signal.aborted) return;
    lastRing = deps.clock.now();
    await ringDoorbell(deps, "progress");
  }

  return {
    tell({ task, epoch }, kind, persona, text) {
      const key = `${task}:${epoch}`;
      // The clock as first number keeps lines of a restarted factory apart from those before.
      const seq = seqs.get(key) ?? deps.clock.now();
      seqs.set(key, seq + 1);
      waiting.push({ task, epoch, seq, at: deps.clock.now(), kind, persona, text });
      if (waiting.length > maxWaiting) waiting.shift();
      if (!active) sending = send();
    },
    settled: () => sending,
  };
}
