/** The primary takes an order in and gives it to a VP: by the order's kind of work, else by its words. */
import type { Order } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { type VpSeat, vpSeats } from "#core/vp.ts";
import { roster } from "#staff/roster.ts";
import type { Profile } from "./profile.ts";

export interface Assignment {
  seat: VpSeat;
  persona: string;
  reason: string;
}

/** Throws `bad_config` if nobody here may do it: a pruned VP is not there, whatever an order says. */
export function assign(
  order: Pick<Order, "kind" | "title" | "instruction">,
  profile: Pick<Profile, "capabilities" | "personas" | "name">,
): Assignment {
  const here = vpSeats.filter((seat) => profile.capabilities[seat]);
  const to = (seat: VpSeat, reason: string) => ({ seat, persona: profile.personas[seat], reason });
  if (order.kind) {
    if (here.includes(order.kind)) return to(order.kind, `the order is for a VP ${order.kind}`);
    throw new UacError("bad_config", `${profile.name} has no VP ${order.kind}; its capabilities switch that off`);
  }
  const [only] = here;
  if (!only) throw new UacError("bad_config", `${profile.name} has no VP at all; its capabilities switch them off`);
  if (here.length === 1) return to(only, `${profile.personas[only]} is the only VP here`);

  const text = `${order.title}\n${order.instruction}`;
  const scores = here.map((seat) => ({ seat, words: countHints(text, seat) }));
  const best = scores.toSorted((a, b) => b.words - a.words)[0];
  if (!best || best.words === 0) return to(here.includes("general") ? "general" : only, "nothing in it points to a VP");
  return to(best.seat, `${best.words} of its words point to ${best.seat}`);
}

function countHints(text: string, seat: VpSeat): number {
  const hints = roster.find((member) => member.seat === seat)?.hints;
  return hints ? [...text.matchAll(new RegExp(hints.source, "gi"))].length : 0;
}
