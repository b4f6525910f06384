import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tableOf } from "../../bench/figure.ts";
import { commandCounter } from "../../bench/idle/command-proxy.ts";
import { median, quantile, spread } from "../../bench/stats.ts";

describe("order statistics", () => {
  it("are those of the values, in whatever order", () => {
    expect([quantile([3, 1, 2], 0.5), quantile([5], 0.99), quantile([4, 1, 3, 2], 0), quantile([4, 1, 3, 2], 1)]).toEqual([2, 5, 1, 4]);
    expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([7])]).toEqual([2, 2.5, 7]);
    expect([spread([9, 11, 10]), spread([5]), spread([0, 0])]).toEqual([0.2, 0, 0]);
    expect(() => median([])).toThrow("Nothing was measured");
  });
});

it("a table has columns as wide as their widest cell", () => {
  expect(
    tableOf([
      ["", "ms"],
      ["bare", "10.5"],
    ]),
  ).toBe("        ms\nbare  10.5");
});

it("commands are counted by name, however their bytes are cut into pieces", () => {
  const command = fc.tuple(
    fc.constantFrom("XADD", "xreadgroup", "Ping"),
    fc.array(fc.constantFrom("", "a", "é\r\n", "*2\r\n$1\r\n"), { maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 20 }), (commands, cuts) => {
      const bytes = Buffer.concat(commands.map(([name, args]) => encoded([name, ...args])));
      const places = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
      const names: string[] = [];
      const count = commandCounter((name) => names.push(name));
      for (const [i, place] of places.entries()) count(bytes.subarray(places[i - 1] ?? 0, place));
      expect(names).toEqual(commands.map(([name]) => name.toLowerCase()));
    }),
  );
});

function encoded(parts: string[]): Buffer {
  const bulk = parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
  return Buffer.from(`*${parts.length}\r\n${bulk.join("")}`);
}
