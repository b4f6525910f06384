import { describe, expect, it } from "vitest";
import { type ErrorCode, errorCodes, hasCode, publicMessage, UacError } from "#core/errors.ts";

describe("UacError", () => {
  it.each(Object.entries(errorCodes))("%s answers with %i", (code, status) => {
    expect(new UacError(code as ErrorCode, "m").status).toBe(status);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
  });

  it("keeps its cause for the log", () => {
    const cause = new Error("socket hang up");
    expect(new UacError("hq_unreachable", "away", { cause })).toMatchObject({
      name: "UacError",
      code: "hq_unreachable",
      message: "away",
      cause,
    });
  });
});

describe("publicMessage", () => {
  it("shows ours, and nothing of anyone else's (row 47)", () => {
    expect(publicMessage(new UacError("gone", "The code was used."))).toBe("The code was used.");
    for (const thrown of [new Error("https://host/?token=abc"), "token=abc", { message: "token=abc", code: "gone" }, null, undefined]) {
      expect(publicMessage(thrown)).not.toContain("abc");
      expect(publicMessage(thrown)).not.toBe("");
    }
  });

  it("shows nothing of a cause", () => {
    expect(publicMessage(new UacError("internal", "It broke.", { cause: new Error("token=abc") }))).toBe("It broke.");
  });
});

describe("hasCode", () => {
  it("tells ours by code", () => {
    expect(hasCode(new UacError("gone", ""), "gone")).toBe(true);
    expect(hasCode(new UacError("gone", ""), "conflict")).toBe(false);
    expect(hasCode(Object.assign(new Error(""), { code: "gone" }), "gone")).toBe(false);
    expect(hasCode(null, "gone")).toBe(false);
  });
});
