/** The benchmark runs, and says what it promises. Its figures are nobody's here: a machine that runs tests measures nothing. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const bench = (...args: string[]) =>
  promisify(execFile)(process.execPath, ["--import", "tsx", "bench/index.ts", ...args], { cwd: root, timeout: 240_000 });

it("bus: one object on standard output, every figure with a unit, every ratio with what it is taken against", async () => {
  const { stdout, stderr } = await bench("bus", "--quick", "--json");
  const { suite, figures } = JSON.parse(stdout) as { suite: string; figures: Record<string, unknown>[] };
  expect(suite).toBe("bus");
  for (const figure of figures) {
    expect(Object.keys(figure)).toEqual(["name", "value", "unit", "of"]);
    expect(figure.value, String(figure.name)).toEqual(expect.any(Number));
  }
  const named = new Map(figures.map((figure) => [figure.name, figure]));
  for (const contender of ["bare", "port", "whole", "bullmq"]) {
    expect(named.get(`${contender} p50`)).toMatchObject({ unit: "ms", of: null });
    expect(named.get(`${contender} p50 ratio`)).toMatchObject({ unit: "ratio", of: "bare p50" });
    expect(named.get(`${contender} jobs/s at 10 ratio`)).toMatchObject({ unit: "ratio", of: "bare jobs/s at 10" });
    expect(stderr).toContain(contender);
  }
  expect(named.get("bare p50 ratio")?.value).toBe(1);
});

it("gateway: what ours adds to a call, as a ratio to what a bare proxy adds in the same run", async () => {
  const { stdout, stderr } = await bench("gateway", "--quick", "--json");
  const { suite, figures } = JSON.parse(stdout) as { suite: string; figures: { name: string }[] };
  expect(suite).toBe("gateway");
  const named = new Map(figures.map((figure) => [figure.name, figure]));
  for (const share of ["p50", "p99"]) {
    expect(named.get(`gateway added ${share} at 1`)).toMatchObject({ unit: "ms", of: null });
    const ratio = { value: expect.any(Number), unit: "ratio", of: `bare added ${share} at 1` };
    expect(named.get(`gateway added ${share} ratio at 1`)).toMatchObject(ratio);
  }
  expect(stderr).toContain("a proxy that does nothing");
});

it("costs: each period's page, and what it is measured against", async () => {
  const { stdout } = await bench("costs", "--quick", "--json", "--seconds", "1");
  const { suite, figures } = JSON.parse(stdout) as { suite: string; figures: Record<string, unknown>[] };
  expect(suite).toBe("costs");
  const named = new Map(figures.map((figure) => [figure.name, figure]));
  for (const period of ["day", "7 days", "30 days", "month"]) expect(named.get(`${period} p99`)).toMatchObject({ unit: "ms", of: null });
  expect(named.get("30 days ratio")).toMatchObject({ unit: "ratio", of: "from the ledger p50" });
  expect(named.get("ledger rows")?.value).toBe(20_000);
});

it("says how it is used, and exits non-zero", async () => {
  await expect(bench("nothing")).rejects.toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("npm run bench --") });
});
