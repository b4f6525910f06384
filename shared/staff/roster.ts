/** Who works in a factory. To add a VP: a row in core/vp.ts, a file beside this one, and a row here. */
import type { VpSeat } from "#core/vp.ts";
import { coder } from "./coder.ts";
import { general } from "./general.ts";

export interface StaffMember {
  seat: VpSeat;
  /** One line for the primary and for the router. */
  does: string;
  /** Words of an order that point to this member when the order names no kind. */
  hints: RegExp;
  /** Tool names, beside `finish`. */
  tools: readonly string[];
  /** System prompt: byte-stable for a task, since every step pays for it again. */
  prompt(context: PromptContext): string;
}

export interface PromptContext {
  persona: string;
  factory: string;
  worktree: string;
  test: string | null;
}

export const roster: readonly StaffMember[] = [coder, general];

/** The member in a seat. */
export function staffIn(seat: VpSeat): StaffMember {
  const member = roster.find((candidate) => candidate.seat === seat);
  if (!member) throw new Error(`nobody in staff/roster.ts sits in the seat ${seat}`);
  return member;
}
