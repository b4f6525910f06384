/** Figures for a person's eyes on a terminal. */
import { nanosPerUsd } from "#core/ledger.ts";

/** Columns as wide as their widest cell; the first two are text, the rest figures. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

/** Every digit of it: `$0.003625`, `$12.50`. */
export function exactUsd(nanos: number): string {
  const part = String(nanos % nanosPerUsd).padStart(9, "0");
  return `$${Math.floor(nanos / nanosPerUsd)}.${part.replace(/0{1,7}$/, "")}`;
}
