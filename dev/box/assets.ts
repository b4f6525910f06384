/** The dashboard's static files, made before whoever serves them starts. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const script = fileURLToPath(new URL("../../scripts/build-assets.mjs", import.meta.url));

export async function buildAssets(): Promise<void> {
  await promisify(execFile)(process.execPath, [script], { timeout: 30_000 });
}
