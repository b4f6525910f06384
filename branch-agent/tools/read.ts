import * as z from "zod";
import type { Tool } from "#ports/tool.ts";
import { confine, Refusal } from "./confine.ts";
import type { Bench } from "./context.ts";
import { isBinary } from "./files.ts";

const maxLines = 2000;
const maxBytes = 50 * 1024;
const maxLine = 2000;

const input = z.strictObject({
  path: z.string().max(4096),
  offset: z.int().min(1).optional().describe("first line, from 1"),
  limit: z.int().min(1).max(maxLines).optional().describe("lines"),
});

export function readTool({ bounds, files }: Bench): Tool<z.infer<typeof input>> {
  return {
    name: "read",
    description: `Read a text file, with line numbers. Up to ${maxLines} lines or 50 KB; go on with offset. Needed before edit.`,
    input,
    needs: "read",
    repeatable: true,
    async run({ path, offset = 1, limit = maxLines }) {
      const file = await confine(bounds, path);
      const bytes = await files.read(file, true);
      if (isBinary(bytes)) throw new Refusal(`"${file.shown}" is binary (${bytes.length} bytes). Use bash with file, xxd or strings.`);
      if (bytes.length === 0) return { content: `"${file.shown}" is empty.` };
      const lines = bytes.toString("utf8").split("\n");
      // What follows the last line feed is a line only if it holds something.
      if (lines.at(-1) === "") lines.pop();
      if (offset > lines.length) throw new Refusal(`"${file.shown}" has ${lines.length} lines; offset ${offset} is beyond them.`);
      const shown: string[] = [];
      let size = 0;
      for (const [i, line] of lines.slice(offset - 1, offset - 1 + limit).entries()) {
        const text = numbered(offset + i, line);
        size += Buffer.byteLength(text) + 1;
        if (size > maxBytes) break;
        shown.push(text);
      }
      const next = offset + shown.length;
      const more = next <= lines.length ? `\n… ${lines.length - next + 1} more lines: read on with offset ${next}` : "";
      return { content: shown.join("\n") + more };
    },
  };
}

function numbered(number: number, line: string) {
  const text = line.length > maxLine ? `${line.slice(0, maxLine)}… (${line.length - maxLine} more characters)` : line;
  return `${String(number).padStart(6)}\t${text.endsWith("\r") ? text.slice(0, -1) : text}`;
}
