/** What a benchmark says: figures, each with a unit, and a ratio with what it is taken against in the same run. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** The figure of the same run that a ratio is taken against; null for what is not a ratio. */
  of: string | null;
}

export interface Report {
  figures: Figure[];
  /** For a person, on stderr. */
  table: string;
  /** What was to hold and does not; null where all holds. */
  broken: string | null;
}

export interface Options {
  /** A run that shows that everything works, and whose figures are worth little. */
  quick: boolean;
  /** How long to measure; null for the suite's own time. */
  seconds: number | null;
  say(line: string): void;
}

/** Columns as wide as their widest cell; the first is flush left, numbers right. */
export function tableOf(rows: readonly (readonly string[])[]): string {
  const width = (column: number) => Math.max(...rows.map((row) => (row[column] ?? "").length));
  const line = (row: readonly string[]) => row.map((cell, i) => (i === 0 ? cell.padEnd(width(i)) : cell.padStart(width(i)))).join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}

/** Three significant digits: more would say that it was measured better than it was. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
