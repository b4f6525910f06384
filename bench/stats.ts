/** Order statistics. Each takes at least one value. */

/** The `share` quantile (0 to 1) by nearest rank. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new Error("Nothing was measured.");
  return value;
}

/** The middle value; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const upper = quantile(
    values.map((value) => -value),
    0.5,
  );
  return (quantile(values, 0.5) - upper) / 2;
}

/** Highest less lowest as a share of the median: how far rounds lay apart. */
export function spread(values: readonly number[]): number {
  const middle = median(values);
  return middle === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / middle;
}
