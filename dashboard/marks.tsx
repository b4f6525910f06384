/** A state is a word plus a shape plus a colour: no reader has to rely on one of them. */
import type { Liveness } from "#core/fleet.ts";
import type { Verdict } from "#core/receipt.ts";
import type { TaskState } from "#core/task.ts";

export type Tone = "good" | "busy" | "warn" | "bad" | "idle";

const shapes = {
  disc: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z",
  half: "M8 2a6 6 0 1 0 0 12zM9.5 2.2v1.6a4.5 4.5 0 0 1 0 8.4v1.6a6 6 0 0 0 0-11.6z",
  ring: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zm0 2a4 4 0 1 1 0 8 4 4 0 0 1 0-8z",
  bars: "M3 2h4v12H3zM9 2h4v12H9z",
  down: "M1.5 3h13L8 14z",
  play: "M3 1.5 14 8 3 14.5z",
  arrow: "M1 6.5h7V2.5L15 8l-7 5.5v-4H1z",
  diamond: "M8 1l7 7-7 7-7-7z",
  check: "M6.2 13.4 1.3 8.5l2.1-2.1 2.8 2.8 6.4-6.6 2.1 2.1z",
  cross: "M3.6 1.5 8 5.9l4.4-4.4 2.1 2.1L10.1 8l4.4 4.4-2.1 2.1L8 10.1l-4.4 4.4-2.1-2.1L5.9 8 1.5 3.6z",
  dash: "M2 6.5h12v3H2z",
  block: "M2 2h12v12H2z",
  triangle: "M8 1.2 15.5 14.5H.5z",
  hourglass: "M3 1h10v2.5L9.5 8l3.5 4.5V15H3v-2.5L6.5 8 3 3.5z",
} as const;

export interface Mark {
  tone: Tone;
  shape: keyof typeof shapes;
  word: string;
}

export const livenessMarks: Readonly<Record<Liveness, Mark>> = {
  online: { tone: "good", shape: "disc", word: "online" },
  stale: { tone: "warn", shape: "half", word: "stale" },
  offline: { tone: "bad", shape: "ring", word: "offline" },
  draining: { tone: "busy", shape: "down", word: "draining" },
  paused: { tone: "idle", shape: "bars", word: "paused" },
  pending: { tone: "warn", shape: "diamond", word: "pending" },
  retired: { tone: "idle", shape: "dash", word: "retired" },
};

export const taskMarks: Readonly<Record<TaskState, Mark>> = {
  queued: { tone: "idle", shape: "ring", word: "queued" },
  waiting: { tone: "idle", shape: "hourglass", word: "waiting" },
  held: { tone: "warn", shape: "bars", word: "held" },
  dispatched: { tone: "busy", shape: "arrow", word: "dispatched" },
  running: { tone: "busy", shape: "play", word: "running" },
  awaiting_approval: { tone: "warn", shape: "diamond", word: "awaiting approval" },
  paused: { tone: "idle", shape: "bars", word: "paused" },
  succeeded: { tone: "good", shape: "check", word: "succeeded" },
  failed: { tone: "bad", shape: "cross", word: "failed" },
  cancelled: { tone: "idle", shape: "dash", word: "cancelled" },
  expired: { tone: "idle", shape: "hourglass", word: "expired" },
  dead: { tone: "bad", shape: "block", word: "dead" },
};

export const verdictMarks: Readonly<Record<Verdict, Mark>> = {
  verified: { tone: "good", shape: "check", word: "verified" },
  unverified: { tone: "warn", shape: "diamond", word: "unverified" },
  regressed: { tone: "bad", shape: "down", word: "regressed" },
};

export function State({ mark }: { mark: Mark }) {
  return (
    <span class={`state ${mark.tone}`}>
      <Shape name={mark.shape} />
      {mark.word}
    </span>
  );
}

export function Shape({ name }: { name: keyof typeof shapes }) {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <path d={shapes[name]} />
    </svg>
  );
}
