/**
 * A vitest reporter that writes what the runner counted to the file in UAC_COUNTS_FILE. A file or suite that broke
 * outside its tests, and an error that nobody handled, count as one failure each: no test of theirs would show it.
 */
import { writeFileSync } from "node:fs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

export default class CountReporter {
  /**
   * @param {ReadonlyArray<import("vitest/node").TestModule>} modules
   * @param {ReadonlyArray<unknown>} unhandled
   */
  onTestRunEnd(modules, unhandled) {
    /** @type {Counts} */
    const counts = { passed: 0, failed: unhandled.length, skipped: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state !== "pending") counts[state] += 1;
      }
      for (const suite of [module, ...module.children.allSuites()]) {
        if (suite.errors().length > 0) counts.failed += 1;
      }
    }
    if (process.env.UAC_COUNTS_FILE) writeFileSync(process.env.UAC_COUNTS_FILE, JSON.stringify(counts));
  }
}
