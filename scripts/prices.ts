/**
 * `npm run prices`: writes shared/adapters/prices/genai-prices.json from `@pydantic/genai-prices`, which itself would be a fifth of the
 * Worker. Run it after an update of the package; a test compares the two.
 */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { renderPrices } from "./prices/render.ts";

const root = join(import.meta.dirname, "..");
const path = "shared/adapters/prices/genai-prices.json";
const { version } = JSON.parse(readFileSync(join(root, "node_modules/@pydantic/genai-prices/package.json"), "utf8"));

/** The package does not say when it was made, so the registry is asked once for each version. */
async function releasedOn(): Promise<string> {
  const known = JSON.parse(readFileSync(join(root, path), { encoding: "utf8", flag: "a+" }) || "{}");
  if (known.version === version) return known.date;
  const { stdout } = await promisify(execFile)("npm", ["view", "@pydantic/genai-prices", "time", "--json"], { timeout: 60_000 });
  return String(JSON.parse(stdout)[version]).slice(0, 10);
}

writeFileSync(join(root, path), renderPrices(version, await releasedOn()));
console.log(path);
