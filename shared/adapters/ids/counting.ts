/** Ids that count from 1, the same in every run: for tests. Its secrets are no secrets. */
import type { Ids } from "#ports/ids.ts";

export function countingIds(): Ids {
  let count = 0;
  const next = () => {
    count += 1;
    return count.toString(36);
  };
  return {
    next: (prefix) => `${prefix}_${next().padStart(16, "0")}`,
    secret: (bytes) => next().padStart(Math.ceil((bytes * 4) / 3), "A"),
  };
}
