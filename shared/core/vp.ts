/** The seats of the VPs, one row each: capability flags, persona names, settings and wire schemas are read from it. */
import type { Role } from "./role.ts";

interface VpRow {
  /** The capability that opens the seat. */
  env: string;
  label: string;
  /** As people read it: `VP Coder`. */
  title: string;
  allows: string;
  on: Readonly<Record<Role, boolean>>;
  names: Readonly<Record<Role, string>>;
  nameEnv: string;
  modelEnv: string;
  providerEnv: string;
  fallbackEnv: string;
}

const rows = {
  coder: {
    env: "ENABLE_VP_CODER",
    label: "VP_CODER",
    title: "VP Coder",
    allows: "the VP Coder takes coding tasks",
    on: { headquarters: true, branch: true },
    names: { headquarters: "Codie", branch: "Lisa" },
    nameEnv: "VP_CODER_NAME",
    modelEnv: "VP_CODER_MODEL_NAME",
    providerEnv: "VP_CODER_LLM_PROVIDER",
    fallbackEnv: "VP_CODER_LLM_FALLBACK",
  },
  general: {
    env: "ENABLE_VP_GENERAL",
    label: "VP_GENERAL",
    title: "VP General",
    allows: "the VP General takes every other task",
    on: { headquarters: true, branch: true },
    names: { headquarters: "HAL", branch: "Bart" },
    nameEnv: "VP_GENERAL_NAME",
    modelEnv: "VP_GENERAL_MODEL_NAME",
    providerEnv: "VP_GENERAL_LLM_PROVIDER",
    fallbackEnv: "VP_GENERAL_LLM_FALLBACK",
  },
} as const satisfies Record<string, VpRow>;

export type VpSeat = keyof typeof rows;
export const vps: Readonly<Record<VpSeat, VpRow>> = rows;
export const vpSeats = Object.keys(rows) as [VpSeat, ...VpSeat[]];

/** A value for every VP seat. */
export function byVp<T>(make: (seat: VpSeat) => T): Record<VpSeat, T> {
  return Object.fromEntries(vpSeats.map((seat) => [seat, make(seat)])) as Record<VpSeat, T>;
}
