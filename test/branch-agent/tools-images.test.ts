/** What `read` shows: images as images, and what still stands before the model as a line. */
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { imageTypeOf, largestImage, measured } from "../../branch-agent/tools/image.ts";
import { hands, inAWorktree, put, refusal } from "./hands.ts";

inAWorktree();

const u32 = (n: number) => Buffer.from([n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]);
const png = (width: number, height: number) => {
  const part = (name: string, data: Buffer) => Buffer.concat([u32(data.length), Buffer.from(name), data, u32(0)]);
  const header = Buffer.concat([u32(width), u32(height), Buffer.from([8, 0, 0, 0, 0])]);
  const parts = [part("IHDR", header), part("IDAT", deflateSync(Buffer.alloc(width + 1))), part("IEND", Buffer.alloc(0))];
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), ...parts]);
};
/** Start, a segment to go over, a fill byte, the frame header, the end. */
const jpeg = (width: number, height: number) =>
  Buffer.concat([
    Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, ...Array(14).fill(1), 0xff, 0xff, 0xc2, 0, 11, 8]),
    Buffer.from([height >> 8, height & 255, width >> 8, width & 255, 1, 1, 0x11, 0, 0xff, 0xd9]),
  ]);
const gif = (width: number, height: number) =>
  Buffer.concat([
    Buffer.from("GIF89a"),
    Buffer.from([width & 255, width >> 8, height & 255, height >> 8]),
    Buffer.alloc(20),
    Buffer.from(";"),
  ]);
const webp = (chunk: string, ...rest: number[]) => {
  const body = Buffer.concat([Buffer.from(`WEBP${chunk}`), Buffer.from([10, 0, 0, 0, ...rest]), Buffer.alloc(20)]);
  return Buffer.concat([Buffer.from("RIFF"), Buffer.from([body.length, 0, 0, 0]), body]);
};

describe("an image", () => {
  it.each([
    ["png", "image/png", png(640, 480)],
    ["jpeg", "image/jpeg", jpeg(640, 480)],
    ["gif", "image/gif", gif(640, 480)],
    ["lossy webp", "image/webp", webp("VP8 ", 0, 0, 0, 0x9d, 1, 0x2a, 0x80, 2, 0xe0, 1)],
    ["lossless webp", "image/webp", webp("VP8L", 0x2f, 0x7f, 0xc2, 0x77, 0)],
    ["extended webp", "image/webp", webp("VP8X", 0, 0, 0, 0, 0x7f, 2, 0, 0xdf, 1, 0)],
  ] as const)("%s is known by its bytes, and measured", (_, type, bytes) => {
    expect(imageTypeOf(bytes)).toBe(type);
    expect(measured(bytes, type, "x")).toEqual({ width: 640, height: 480 });
  });

  it.each([
    ["cut off", png(640, 480).subarray(0, -12), /damaged or cut off/],
    ["begun, no more", Buffer.from("\x89PNG\r\n\x1a\nIEND", "latin1"), /damaged or cut off/],
    ["a jpeg without a frame", Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(40), Buffer.from([0xff, 0xd9])]), /damaged/],
    ["of no size", png(0, 480), /damaged or cut off/],
    ["too wide", gif(9000, 10), /9000 × 10 pixels, over 8000/],
    ["too large", Buffer.concat([png(640, 480), Buffer.alloc(largestImage)]), /bytes, over 3932160\. Make a smaller copy/],
  ] as const)("%s is refused", (_, bytes, problem) => {
    expect(() => measured(bytes, imageTypeOf(bytes) ?? "image/png", "x")).toThrow(problem);
  });

  it("is shown to a model that sees images, whatever its name, and a word to any other", async () => {
    const bytes = png(64, 48);
    put({ "shot.txt": bytes });
    const result = await hands()("read", { path: "shot.txt" });
    expect(result).toMatchObject({
      content: `"shot.txt": image/png, 64 × 48 pixels, ${bytes.length} bytes.`,
      images: [{ type: "image", mediaType: "image/png", data: bytes.toString("base64") }],
    });
    expect(await hands({ seesImages: false })("read", { path: "shot.txt" })).toMatchObject(refusal("you can't see images"));
  });
});

describe("what was read before", () => {
  it("is a line as long as it is unchanged and still shown", async () => {
    put({ "again.txt": "one\ntwo\n" });
    const call = hands();
    const read = async (more = {}) => (await call("read", { path: "again.txt", ...more })).content;
    const whole = "     1\tone\n     2\ttwo";
    expect(await read()).toBe(whole);
    expect(await read()).toMatch(/^"again.txt" is unchanged/);
    expect(await read({ offset: 2 })).toBe("     2\ttwo");
    expect(await read({ offset: 2 })).toMatch(/unchanged/);
    call.forget();
    expect(await read()).toBe(whole);
    await call("bash", { command: "echo three >> again.txt" });
    expect(await read()).toBe(`${whole}\n     3\tthree`);
    await call("edit", { path: "again.txt", edits: [{ old: "three", new: "3" }] });
    expect(await read()).toBe(`${whole}\n     3\t3`);
  });

  it("and still stands in the transcript needs no reading again after a restart", async () => {
    put({ "kept.txt": "one\n", "other.txt": "one\n" });
    const first = hands();
    await first("read", { path: "kept.txt" });
    const second = hands({}, { shown: first.shown });
    const edit = (path: string) => second("edit", { path, edits: [{ old: "one", new: "two" }] });
    expect((await edit("kept.txt")).isError).toBeUndefined();
    expect(await edit("other.txt")).toMatchObject(refusal("not read"));
  });
});
