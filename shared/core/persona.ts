/** Who speaks: persona names by role. Every message a person reads names the persona and the factory. */
import { type Role, roles } from "./role.ts";
import { byVp, type VpSeat, vpSeats, vps } from "./vp.ts";

export type Seat = "primary" | VpSeat;
/** The primary leads; the VPs do the work. */
export const seats: readonly Seat[] = ["primary", ...vpSeats];
export type Personas = Readonly<Record<Seat, string>>;

const primaries: Readonly<Record<Role, string>> = { headquarters: "Simone", branch: "Homer" };

export const defaultPersonas = Object.fromEntries(
  roles.map((role) => [role, { primary: primaries[role], ...byVp((seat) => vps[seat].names[role]) }]),
) as Readonly<Record<Role, Personas>>;

/** `Lisa @ desk-1`: how a person is told who wrote something. */
export function byline(persona: string, factory: string): string {
  return `${persona} @ ${factory}`;
}
