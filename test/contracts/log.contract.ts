/** What every log keeps: it redacts, it never throws, one line per call. */
import { describe, expect, it } from "vitest";
import { manualClock } from "#adapters/clock/manual.ts";
import type { LogOptions } from "#adapters/log/json.ts";
import { knownValues } from "#adapters/redactor/known-values.ts";
import type { Log } from "#ports/log.ts";

const secret = "very-secret-value-1";

/** A log at `debug` that knows `TOKEN`, and the lines that it wrote. */
export function logged(make: (options: LogOptions) => Log, options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const redactor = knownValues();
  redactor.learn({ TOKEN: secret, PIN: "1234567890" });
  const log = make({ write: (line) => lines.push(line), redactor, level: "debug", clock: manualClock(1_900_000_000_000), ...options });
  return { log, lines };
}

export function logContract(name: string, make: (options: LogOptions) => Log) {
  describe(`${name}: every log`, () => {
    it("hides secrets in messages, fields, keys and errors, also deep inside", () => {
      const { log, lines } = logged(make);
      const cause = new Error(`refused: Bearer ${secret}`);
      log.info(`message ${secret}`);
      log.info("field", { header: secret, nested: [{ deep: `x${secret}x` }] });
      log.info("key", { [secret]: 1 });
      log.error("error", { error: new Error("outer", { cause }) });
      log.info("encoded", { url: `https://host/?t=${Buffer.from(secret).toString("base64")}` });
      log.with({ always: secret }).warn("inherited");
      expect(lines).toHaveLength(6);
      for (const line of lines) {
        expect(line).not.toContain(secret);
        expect(line).not.toContain(Buffer.from(secret).toString("base64"));
        expect(line).toContain("[TOKEN]");
      }
    });

    it("hides a secret that is a number", () => {
      const { log, lines } = logged(make);
      log.info("pin", { pin: 1234567890 });
      expect(lines).toHaveLength(1);
      expect(lines[0]).not.toContain("1234567890");
    });

    it("hides a secret that a length limit would cut in two", () => {
      const { log, lines } = logged(make);
      for (let pad = 7980; pad < 8002; pad += 1) log.info("cut", { text: `${"x".repeat(pad)}${secret}${"y".repeat(100)}` });
      expect(lines).toHaveLength(22);
      for (const line of lines) expect(line).not.toContain(secret.slice(0, 8));
    });

    it("writes one line for whatever it is given", () => {
      const { log, lines } = logged(make);
      const circle: Record<string, unknown> = { name: "circle" };
      circle.self = circle;
      const throwing = Object.defineProperty({}, "bad", {
        enumerable: true,
        get: () => {
          throw new Error("no");
        },
      });
      const hostile = new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error("no");
          },
        },
      );
      const loop = new Error("loop");
      loop.cause = loop;
      const odd = Object.assign(new Error("odd"), { name: 7, code: Symbol("code"), stack: undefined });
      const values = [
        circle,
        throwing,
        hostile,
        loop,
        odd,
        10n,
        Symbol("s"),
        () => 1,
        Number.NaN,
        new Date(Number.NaN),
        new Map([[{}, 1]]),
      ];
      for (const value of [...values, new Set([1]), new Uint8Array(3), "a\nb\r\nc", null, undefined, Object.create(null), "\ud800"]) {
        log.error("value", { value });
      }
      log.error("all", { values });
      log.info(undefined as unknown as string, null as unknown as Record<string, unknown>);
      expect(lines).toHaveLength(values.length + 9);
      for (const line of lines) expect(line).not.toMatch(/[\n\r]/);
    });

    it("bounds a line, whatever its depth and width", () => {
      const { log, lines } = logged(make);
      let deep: unknown = "end";
      for (let depth = 0; depth < 10_000; depth += 1) deep = { deep };
      log.info("deep", { deep });
      log.info("wide", {
        wide: Array.from({ length: 10_000 }, (_, i) => i),
        keys: Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [i, i])),
      });
      log.info("long", { text: "x".repeat(1_000_000) });
      for (const line of lines) expect(line.length).toBeLessThan(10_000);
    });

    it("drops what is below its level", () => {
      const { log, lines } = logged(make, { level: "warn" });
      log.debug("no");
      log.info("no");
      log.warn("yes");
      log.error("yes");
      expect(lines).toHaveLength(2);
    });

    it("withholds what it can't redact (row 50)", () => {
      const redactor = {
        learn() {},
        clean(): string {
          throw new Error("broken");
        },
      };
      const { log, lines } = logged(make, { redactor });
      log.error(`message ${secret}`, { secret });
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain("withheld");
      expect(lines[0]).not.toContain(secret);
    });

    it("never throws, also where it can't write or tell the time", () => {
      const fail = () => {
        throw new Error("disk full");
      };
      expect(() => logged(make, { write: fail }).log.error("x")).not.toThrow();
      expect(() => logged(make, { clock: { now: () => Number.NaN } }).log.error("x")).not.toThrow();
      expect(() => logged(make, { clock: { now: fail } }).log.error("x")).not.toThrow();
    });
  });
}
