import * as z from "zod";
import type { Tool, ToolResult } from "#ports/tool.ts";
import { type Confined, confine, Refusal } from "./confine.ts";
import type { Bench } from "./context.ts";
import { isBinary } from "./files.ts";
import { imageTypeOf, measured } from "./image.ts";

const maxLines = 2000;
const maxBytes = 50 * 1024;
const maxLine = 2000;

const input = z.strictObject({
  path: z.string().max(4096),
  offset: z.int().min(1).optional().describe("first line, from 1"),
  limit: z.int().min(1).max(maxLines).optional().describe("lines"),
});

export function readTool({ bounds, files, seesImages }: Bench): Tool<z.infer<typeof input>> {
  return {
    name: "read",
    description: `Read a text file, with line numbers, or an image. Up to ${maxLines} lines or 50 KB; go on with offset. Needed before a change.`,
    input,
    needs: "read",
    repeatable: true,
    async run({ path, offset = 1, limit = maxLines }, { stillShown }) {
      const file = await confine(bounds, path);
      const { bytes, digest } = await files.read(file);
      const shows = shownAs(file, digest, { offset, limit });
      const again = stillShown(shows);
      files.note(file, digest);
      if (again) return { content: `"${file.shown}" is unchanged: what you read of it before still holds, see above.` };
      const type = imageTypeOf(bytes);
      if (type && seesImages) {
        const { width, height } = measured(bytes, type, file.shown);
        const images = [{ type: "image" as const, mediaType: type, data: bytes.toString("base64") }];
        return { content: `"${file.shown}": ${type}, ${width} × ${height} pixels, ${bytes.length} bytes.`, images, shows };
      }
      if (type)
        throw new Refusal(`"${file.shown}" is an image (${type}, ${bytes.length} bytes), and you can't see images. Work without it.`);
      if (isBinary(bytes)) throw new Refusal(`"${file.shown}" is binary (${bytes.length} bytes). Use bash with file, xxd or strings.`);
      return { ...page(bytes.toString("utf8"), file.shown, { offset, limit }), shows };
    },
  };
}

/** What a whole read of this content, which names no lines, shows. */
export const wholeShownAs = (file: Confined, digest: string) => shownAs(file, digest, { offset: 1, limit: maxLines });

function shownAs({ shown }: Confined, digest: string, { offset, limit }: Lines): string {
  return `${shown} ${digest.slice(0, 32)} ${offset}+${limit}`;
}

interface Lines {
  offset: number;
  limit: number;
}

function page(text: string, name: string, { offset, limit }: Lines): ToolResult {
  if (text === "") return { content: `"${name}" is empty.` };
  const lines = text.split("\n");
  // What follows the last line feed is a line only if it holds something.
  if (lines.at(-1) === "") lines.pop();
  if (offset > lines.length) throw new Refusal(`"${name}" has ${lines.length} lines; offset ${offset} is beyond them.`);
  const shown: string[] = [];
  let size = 0;
  for (const [i, line] of lines.slice(offset - 1, offset - 1 + limit).entries()) {
    const numberedLine = numbered(offset + i, line);
    size += Buffer.byteLength(numberedLine) + 1;
    if (size > maxBytes) break;
    shown.push(numberedLine);
  }
  const next = offset + shown.length;
  const more = next <= lines.length ? `\n… ${lines.length - next + 1} more lines: read on with offset ${next}` : "";
  return { content: shown.join("\n") + more };
}

function numbered(number: number, line: string) {
  const text = line.length > maxLine ? `${line.slice(0, maxLine)}… (${line.length - maxLine} more characters)` : line;
  return `${String(number).padStart(6)}\t${text.endsWith("\r") ? text.slice(0, -1) : text}`;
}
