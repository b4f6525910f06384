/** What would be deployed: small, whole, and nothing of the branch agent in it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";

it("is at most 700 KB gzip, needs no built-in that workerd lacks, and holds no file of the branch agent", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "scripts/bundle-size.ts", "--json"], {
    timeout: 120_000,
  });
  const report = JSON.parse(stdout);
  expect(report.gzipKb).toBeGreaterThan(100);
  expect(report.gzipKb).toBeLessThanOrEqual(700);
  expect(report.packages.map(({ name }: { name: string }) => name)).toContain("hq-worker/ (ours)");
  expect(report).toMatchObject({ ok: true, lacking: [], branchFiles: [] });
}, 120_000);
