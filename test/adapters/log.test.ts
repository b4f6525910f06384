import { describe, expect, it } from "vitest";
import { jsonLog } from "#adapters/log/json.ts";
import { prettyLog } from "#adapters/log/pretty.ts";
import { UacError } from "#core/errors.ts";
import { logContract, logged } from "../contracts/log.contract.ts";

logContract("json", jsonLog);
logContract("pretty", prettyLog);

describe("json", () => {
  const parsed = (lines: string[]) => lines.map((line) => JSON.parse(line));

  it("is one object per line: time, level, msg, fields", () => {
    const { log, lines } = logged(jsonLog, { fields: { program: "hq" } });
    log.with({ factory: "homer" }).info("claimed", { task: "task_1", epoch: 2 });
    expect(parsed(lines)).toEqual([
      { time: "2030-03-17T17:46:40.000Z", level: "info", msg: "claimed", program: "hq", factory: "homer", task: "task_1", epoch: 2 },
    ]);
  });

  it("lets no field pass for the line's own", () => {
    const { log, lines } = logged(jsonLog);
    log.info("true", { level: "error", msg: "forged", time: "never" });
    expect(parsed(lines)).toEqual([{ time: "2030-03-17T17:46:40.000Z", level: "info", msg: "true" }]);
  });

  it("shows an error with code, stack and the chain of its causes", () => {
    const { log, lines } = logged(jsonLog);
    const root = Object.assign(new TypeError("connect failed"), { code: "ECONNREFUSED" });
    log.error("beat", { error: new UacError("hq_unreachable", "Headquarters is away", { cause: root }) });
    expect(parsed(lines)[0].error).toMatchObject({
      name: "UacError",
      code: "hq_unreachable",
      message: "Headquarters is away",
      stack: expect.stringContaining("log.test.ts"),
      cause: { name: "TypeError", code: "ECONNREFUSED", message: "connect failed" },
    });
  });

  it("shows the errors of an AggregateError", () => {
    const { log, lines } = logged(jsonLog);
    log.error("both", { error: new AggregateError([new Error("one"), new Error("two")], "both failed") });
    expect(parsed(lines)[0].error.errors.map((error: Error) => error.message)).toEqual(["one", "two"]);
  });

  it("stays JSON where a secret is cut out of it", () => {
    const { log, lines } = logged(jsonLog);
    log.info("pin", { pin: 1234567890, text: 'very-secret-value-1"\\' });
    expect(parsed(lines)[0].msg).toContain("[PIN]");
  });

  it("names what JSON has no word for", () => {
    const { log, lines } = logged(jsonLog);
    const self: unknown[] = [];
    self.push(self);
    log.info("odd", {
      big: 12n,
      nan: Number.NaN,
      call: () => 1,
      date: new Date(0),
      bytes: new Uint8Array(4),
      map: new Map([["a", 1]]),
      self,
    });
    expect(parsed(lines)[0]).toMatchObject({
      ...{ big: "12", nan: "NaN", call: "[function]", date: "1970-01-01T00:00:00.000Z", bytes: "[4 bytes]", map: { a: 1 } },
      self: ["[circular]"],
    });
  });
});

describe("pretty", () => {
  it("is a line for a person", () => {
    const { log, lines } = logged(prettyLog);
    log.info("claimed", { task: "task_1", limits: { usd: 3 } });
    expect(lines).toEqual(['17:46:40 info  claimed task=task_1 limits={"usd":3}']);
  });

  it("does not let others' text move the cursor", () => {
    const { log, lines } = logged(prettyLog);
    log.warn("\u001b[2Jgone\u0007", { title: "a\u202eb" });
    expect(lines).toEqual(["17:46:40 warn  \u241b[2Jgone\u2407 title=a\ufffdb"]);
  });
});
