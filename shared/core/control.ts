/**
 * What HQ tells a factory about what it does: the one list of controls. Each goes by the bus and with the answer to a
 * heartbeat, whichever comes first; its id makes the second coming harmless.
 */
import * as z from "zod";

const id = z.string().regex(/^[A-Za-z0-9_-]{4,64}$/);
const attempt = { task: id, epoch: z.int().positive() };

export const controlSchema = z.discriminatedUnion("do", [
  /** End this attempt; its result says `cancelled`. */
  z.strictObject({ id, do: z.literal("cancel"), ...attempt, reason: z.string().max(500) }),
  /** A message of the owner's to whoever works on it, taken in between two steps. */
  z.strictObject({ id, do: z.literal("steer"), ...attempt, text: z.string().min(1).max(4000) }),
  /** Stop after the step that runs; the time limit stands still. */
  z.strictObject({ id, do: z.literal("pause"), ...attempt }),
  z.strictObject({ id, do: z.literal("resume"), ...attempt }),
  /** Begin nothing new, end what runs, give back what waits; `undrain` takes it back. */
  z.strictObject({ id, do: z.literal("drain") }),
  z.strictObject({ id, do: z.literal("undrain") }),
  /** Out of the corporation: stop everything at once, and go. */
  z.strictObject({ id, do: z.literal("revoke"), reason: z.string().max(500) }),
]);
export type Control = z.infer<typeof controlSchema>;
