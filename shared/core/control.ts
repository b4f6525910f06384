/**
 * What HQ tells a factory about what it does: the one list of controls. Each goes by the bus and with the answer to a
 * heartbeat, whichever comes first: its id makes the second coming harmless, and its number puts them in HQ's order again.
 */
import * as z from "zod";
import { longestInstruction } from "./limits.ts";
import { allowances } from "./setup.ts";

const id = z.string().regex(/^[A-Za-z0-9_-]{4,64}$/);
/** `seq` rises with every control to a factory. */
const head = { id, seq: z.int().positive() };
const attempt = { ...head, task: id, epoch: z.int().positive() };

/** Longest message of the owner's to a running task. */
export const longestSteer = 4000;

export const controlSchema = z.discriminatedUnion("do", [
  /** End this attempt; its result says `cancelled`. */
  z.strictObject({ do: z.literal("cancel"), ...attempt, reason: z.string().max(500) }),
  /** A message of the owner's to whoever works on it, taken in between two steps. */
  z.strictObject({ do: z.literal("steer"), ...attempt, text: z.string().min(1).max(longestSteer) }),
  /** Stop after the step that runs; the time limit stands still. */
  z.strictObject({ do: z.literal("pause"), ...attempt }),
  z.strictObject({ do: z.literal("resume"), ...attempt }),
  /**
   * What stands still since a budget is used up goes on: to this attempt that budget is so much (nano-dollars or tokens), as long as the
   * period of `at` (HQ's clock) lasts.
   */
  z.strictObject({ do: z.literal("raise"), ...attempt, budget: z.string().max(128), amount: z.int().positive(), at: z.int() }),
  /** The same attempt ends with what is there: no more calls of a model, but what was done is committed and tested. */
  z.strictObject({ do: z.literal("finish"), ...attempt, reason: z.string().max(500) }),
  /** What the owner decided of the set-up that this attempt waits to run: the one of this digest, no other. */
  z.strictObject({
    do: z.literal("approve"),
    ...attempt,
    digest: z.string().max(64),
    allow: z.enum(allowances),
    by: z.string().max(100),
  }),
  /** Begin nothing new, end what runs, give back what waits; `undrain` takes it back. */
  z.strictObject({ do: z.literal("drain"), ...head }),
  z.strictObject({ do: z.literal("undrain"), ...head }),
  /** Out of the corporation: stop everything at once, and go. */
  z.strictObject({ do: z.literal("revoke"), ...head, reason: z.string().max(500) }),
]);
export type Control = z.infer<typeof controlSchema>;

type WithoutSeq<C> = C extends Control ? Omit<C, "seq"> : never;
/** A control before the store gave it its number. */
export type NewControl = WithoutSeq<Control>;
/** Those about one attempt at a task. */
export type NewTaskControl = Extract<NewControl, { task: string }>;
export type Steer = Extract<Control, { do: "steer" }>;
export type RaiseControl = Extract<Control, { do: "raise" }>;
export type ApproveControl = Extract<Control, { do: "approve" }>;

/** An instruction with what the owner added to it later; null where an order has no room for that. */
export function instructionWith(instruction: string, text: string): string | null {
  const whole = `${instruction}\n\n[Added by the owner later:]\n${text}`;
  return whole.length > longestInstruction ? null : whole;
}

interface Said {
  /** Why it is to end; null: it is not. */
  cancel: string | null;
  paused: boolean;
  steers: Steer[];
  raises: RaiseControl[];
  approvals: ApproveControl[];
  /** Who lets it end with what is there, in words; null: nobody. */
  finish: string | null;
}

/** What was said about one attempt, all in all. The last word on pausing counts, in whatever order the words came. */
export function standing(controls: readonly Control[]): Said {
  const ordered = controls.toSorted((a, b) => a.seq - b.seq);
  const cancel = ordered.find((control) => control.do === "cancel");
  const last = ordered.findLast((control) => control.do === "pause" || control.do === "resume");
  return {
    cancel: cancel?.reason ?? null,
    paused: last?.do === "pause",
    steers: ordered.filter((control) => control.do === "steer"),
    raises: ordered.filter((control) => control.do === "raise"),
    approvals: ordered.filter((control) => control.do === "approve"),
    finish: ordered.find((control) => control.do === "finish")?.reason ?? null,
  };
}
