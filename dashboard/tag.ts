/**
 * The tag of a page: the change counter it was made from, and until when it stays true if nothing is written. Stateless,
 * so that an unchanged page costs one read of one row.
 */

/** Even unchanged, a page is made anew after this. Milliseconds. */
export const longestMs = 30_000;

export function tagOf(seq: string, now: number, changesAt = Number.POSITIVE_INFINITY): string {
  return `"${seq}.${Math.min(now + longestMs, changesAt)}"`;
}

/** True if the page that bears `tag` is still what would be made now. */
export function stillTrue(tag: string | undefined, seq: string, now: number): boolean {
  const [, tagged, until] = /^"(\d{1,18})\.(\d{1,16})"$/.exec(tag ?? "") ?? [];
  return tagged === seq && now < Number(until) && Number(until) <= now + longestMs;
}
