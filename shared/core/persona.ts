/** Who speaks: persona names by role. Every message a person reads names the persona and the factory. */
import type { Role } from "./capability.ts";

export const seats = ["primary", "coder", "general"] as const;
export type Seat = (typeof seats)[number];
export type Personas = Readonly<Record<Seat, string>>;

/** The seats that do work; the primary only leads. */
export const vpSeats = ["coder", "general"] as const;
export type VpSeat = (typeof vpSeats)[number];

export const defaultPersonas: Readonly<Record<Role, Personas>> = {
  headquarters: { primary: "Simone", coder: "Codie", general: "HAL" },
  branch: { primary: "Homer", coder: "Lisa", general: "Bart" },
};

/** `Lisa @ desk-1`: how a person is told who wrote something. */
export function byline(persona: string, factory: string): string {
  return `${persona} @ ${factory}`;
}
