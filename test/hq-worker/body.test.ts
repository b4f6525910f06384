import { describe, expect, it } from "vitest";
import { parseJson, readBody } from "../../hq-worker/body.ts";

const at = "https://hq.example";
/** A body that comes in chunks, and tells how many were read and whether it was given up. */
function streamed(chunks: readonly string[], headers: Record<string, string> = {}) {
  const seen = { pulled: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = chunks[seen.pulled];
        seen.pulled += 1;
        if (chunk === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(chunk));
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { seen, request: new Request(at, { method: "POST", body, headers, duplex: "half" } as RequestInit) };
}

describe("readBody", () => {
  it("reads up to the bound, in bytes", async () => {
    expect(await readBody(new Request(at, { method: "POST", body: "ä".repeat(50) }), 100)).toBe("ä".repeat(50));
    expect(await readBody(new Request(at), 100)).toBe("");
    expect(await readBody(streamed(["a", "", "b"]).request, 2)).toBe("ab");
  });

  it("puts a character together that came in two chunks", async () => {
    const bytes = new TextEncoder().encode("ä");
    const body = new ReadableStream({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    expect(await readBody(new Request(at, { method: "POST", body, duplex: "half" } as RequestInit), 10)).toBe("ä");
  });

  it("refuses a body that says it is too large, unread", async () => {
    const { request, seen } = streamed(["x"], { "content-length": "101" });
    await expect(readBody(request, 100)).rejects.toMatchObject({ code: "too_large", status: 413 });
    expect(seen.pulled).toBe(0);
  });

  it("stops reading where a body is larger than it says", async () => {
    const { request, seen } = streamed(
      Array.from({ length: 100 }, () => "x".repeat(60)),
      { "content-length": "10" },
    );
    await expect(readBody(request, 100)).rejects.toMatchObject({ code: "too_large" });
    expect(seen.pulled).toBe(2);
    expect(seen.cancelled).toBe(true);
  });
});

describe("parseJson", () => {
  const nested = (depth: number, open = "[", close = "]") => open.repeat(depth) + close.repeat(depth);

  it("takes JSON of any ordinary depth", () => {
    expect(parseJson(nested(32))).toBeInstanceOf(Array);
    expect(parseJson('{"a":"]]]]{{{{\\"[[["}', 1)).toEqual({ a: ']]]]{{{{"[[[' });
    expect(parseJson("3")).toBe(3);
  });

  it.each([nested(33), nested(100_000), '{"a":'.repeat(40)])("refuses what is nested deeper, before it is parsed", (text) => {
    expect(() => parseJson(text)).toThrow(expect.objectContaining({ code: "bad_input", message: expect.stringContaining("32 levels") }));
  });

  it.each(["", "{", "nonsense", '{"a":1}}', "[1,]"])("refuses %j", (text) => {
    expect(() => parseJson(text)).toThrow(expect.objectContaining({ code: "bad_input", message: "The body is not JSON" }));
  });
});
