/** Days are UTC: the same for every factory, and for headquarters. */

export const dayMs = 86_400_000;

/** The midnight with which the day of a time begins. Both in milliseconds since 1970. */
export function startOfDay(at: number): number {
  return at - (at % dayMs);
}
