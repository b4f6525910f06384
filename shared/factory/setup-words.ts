/** What became of a set-up, for people and models. */
import type { SetupRun } from "#core/receipt.ts";

/** `npm ci ended with 0 after 12.3 s`. */
export function showSetupRun({ command, state, exitCode, durationMs, by, tail }: SetupRun): string {
  if (state === "declined") return `${command} was not run (${by})`;
  if (state === "impossible") return `${command} could not run: ${tail}`;
  return `${command} ${exitCode === null ? "did not end by itself" : `ended with ${exitCode}`} after ${(durationMs / 1000).toFixed(1)} s`;
}
