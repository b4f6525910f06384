/** Images as a model's provider takes them: told by their bytes, never by their names. */
import type { ImageType } from "#ports/llm.ts";
import { Refusal } from "./confine.ts";

/** Bytes: in base64, as it is sent, 5 MiB, the least that the providers take. */
export const largestImage = (5 * 1024 ** 2 * 3) / 4;
/** Pixels along either side; a larger one is refused by some, with the whole request. */
const longestSide = 8000;

/** What the bytes begin as; null for anything but the four kinds that every provider takes. */
export function imageTypeOf(bytes: Buffer): ImageType | null {
  const begins = (text: string, at = 0) => bytes.subarray(at, at + text.length).toString("latin1") === text;
  if (begins("\x89PNG\r\n\x1a\n")) return "image/png";
  if (begins("\xff\xd8\xff")) return "image/jpeg";
  if (begins("GIF87a") || begins("GIF89a")) return "image/gif";
  if (begins("RIFF") && begins("WEBP", 8)) return "image/webp";
  return null;
}

/**
 * Width and height in pixels. Refuses what is cut off, has no size, or is too large: a provider refuses a request that holds such an image,
 * and every later one of the run would hold it too.
 */
export function measured(bytes: Buffer, type: ImageType, shown: string): { width: number; height: number } {
  if (bytes.length > largestImage) {
    throw new Refusal(
      `"${shown}" is an image of ${bytes.length} bytes, over ${largestImage}. Make a smaller copy with bash, and read that.`,
    );
  }
  const size = isWhole(bytes, type) ? sizeOf(bytes, type) : null;
  if (!size || size.width === 0 || size.height === 0) throw new Refusal(`"${shown}" begins as an ${type}, but it is damaged or cut off.`);
  if (Math.max(size.width, size.height) > longestSide) {
    throw new Refusal(
      `"${shown}" has ${size.width} × ${size.height} pixels, over ${longestSide}. Make a smaller copy with bash, and read that.`,
    );
  }
  return size;
}

function isWhole(bytes: Buffer, type: ImageType): boolean {
  if (bytes.length < 24) return false;
  // Some programs leave a few bytes behind the end.
  const end = bytes.subarray(-64);
  switch (type) {
    case "image/png":
      return end.includes("IEND");
    case "image/jpeg":
      return end.includes(Buffer.from([0xff, 0xd9]));
    case "image/gif":
      return end.includes(0x3b);
    case "image/webp":
      return bytes.length >= 30 && bytes.readUInt32LE(4) + 8 <= bytes.length + 1;
  }
}

function sizeOf(bytes: Buffer, type: ImageType): { width: number; height: number } | null {
  switch (type) {
    case "image/png":
      return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
    case "image/gif":
      return { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) };
    case "image/webp":
      return webpSize(bytes);
    case "image/jpeg":
      return jpegSize(bytes);
  }
}

/** By the first chunk: lossy, lossless or extended (RFC 9649). */
function webpSize(bytes: Buffer) {
  const chunk = bytes.toString("latin1", 12, 16);
  if (chunk === "VP8 ") return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
  if (chunk === "VP8X") return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
  if (chunk !== "VP8L") return null;
  const bits = bytes.readUInt32LE(21);
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
}

/** From the first frame header (SOF0 to SOF15, which are not DHT, JPG or DAC), segment by segment. */
function jpegSize(bytes: Buffer) {
  let at = 2;
  while (at + 9 < bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1] ?? 0;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { width: bytes.readUInt16BE(at + 7), height: bytes.readUInt16BE(at + 5) };
    }
    // A fill byte stands alone; every other marker up to the first frame tells its length.
    at += marker === 0xff ? 1 : 2 + bytes.readUInt16BE(at + 2);
  }
  return null;
}
