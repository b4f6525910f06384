/**
 * The town's time: it runs `speed` times as fast as the machine's, from one anchor for every process, so that a lease of two
 * minutes ends in seconds. A process may be off by `skewMs`, as a clock that nobody sets.
 */
import { systemClock } from "#adapters/clock/system.ts";
import type { Clock } from "#ports/clock.ts";

/** How fast the town lives: a lease of 120 s ends after 10 s, a heartbeat goes every 2.5 s. */
export const townSpeed = 12;

export interface Pace {
  /** When both times were the same, milliseconds since 1970. */
  anchor: number;
  speed: number;
  skewMs: number;
}

export function pacedClock({ anchor, speed, skewMs }: Pace): Clock {
  return {
    now: () => Math.round(anchor + (Date.now() - anchor) * speed + skewMs),
    sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
  };
}

/** When a moment of the town comes, in the machine's time. */
export function machineTime(at: number, { anchor, speed, skewMs }: Pace): number {
  return anchor + (at - skewMs - anchor) / speed;
}

/** The pace as a child process is told it. */
export const paceVariable = "CHAOS_PACE";

/** Throws if the variable is missing: a process of the town that lives in another time than the others judges wrongly. */
export function paceOf(env: Readonly<Record<string, unknown>>): Pace {
  const told = env[paceVariable];
  if (typeof told !== "string") throw new Error(`${paceVariable} is not set: this program is started by the chaos harness alone`);
  return JSON.parse(told) as Pace;
}

/** `promise`, or an error that names `what` after `ms` of the machine's time: no wait of the harness is without end. */
export async function inTime<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${Math.round(ms / 1000)} s`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
