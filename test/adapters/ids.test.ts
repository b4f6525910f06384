import { describe, expect, it } from "vitest";
import { countingIds } from "#adapters/ids/counting.ts";
import { randomIds } from "#adapters/ids/random.ts";
import { idsContract } from "../contracts/ids.contract.ts";

describe("random", () => {
  idsContract(() => randomIds);

  it("favours no character", () => {
    const counts = new Map<string, number>();
    const drawn = 20_000;
    for (let i = 0; i < drawn; i += 1) for (const char of randomIds.next("x").slice(2)) counts.set(char, (counts.get(char) ?? 0) + 1);
    const expected = (drawn * 16) / 36;
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(counts.size).toBe(36);
    // 35 degrees of freedom: a fair source exceeds 100 about once in 10^7 runs; byte % 36 alone gives about 1300.
    expect(chiSquare).toBeLessThan(100);
  });
});

describe("counting", () => {
  idsContract(countingIds);

  it("counts the same in every run", () => {
    const draw = (ids = countingIds()) => [ids.next("task"), ids.secret(16), ids.next("env")];
    expect(draw()).toEqual(draw());
    expect(draw()[0]).toBe("task_0000000000000001");
  });
});
