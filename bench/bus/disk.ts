/** How long this disk takes to keep a page: what every commit of the journal and of the database waits for. */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { quantile } from "../stats.ts";

const writes = 40;

/** Median of a 4 KB write with fsync in `folder`, milliseconds. */
export function diskFlushMs(folder: string): number {
  const file = openSync(join(folder, "flush"), "w");
  const page = Buffer.alloc(4096, 1);
  const times = Array.from({ length: writes }, () => {
    const began = performance.now();
    writeSync(file, page);
    fsyncSync(file);
    return performance.now() - began;
  });
  closeSync(file);
  return quantile(times, 0.5);
}
