import * as z from "zod";
import type { Tool } from "#ports/tool.ts";
import { confine, Refusal } from "./confine.ts";
import type { Bench } from "./context.ts";
import { asText, mustBeText } from "./files.ts";
import { wholeShownAs } from "./read.ts";
import { replaceAll } from "./replace.ts";

const edit = z.strictObject({
  old: z.string().max(200_000).describe("exact text, unique in the file"),
  new: z.string().max(200_000),
  replace_all: z.boolean().optional(),
});

const input = z.strictObject({
  path: z.string().max(4096),
  // Some models send the list as a JSON string.
  edits: z.preprocess((value) => (typeof value === "string" ? parsed(value) : value), z.array(edit).min(1).max(100)),
});

export function editTool({ bounds, files }: Bench): Tool<z.infer<typeof input>> {
  return {
    name: "edit",
    description: "Replace texts in a file that you have read. All edits match the original file; all are made, or none.",
    input,
    needs: "write",
    repeatable: false,
    async run({ path, edits }, { stillShown }) {
      const file = await confine({ ...bounds, logs: undefined }, path);
      mustBeText(...edits.map((each) => each.new));
      const bytes = await files.readSeen(file, (digest) => stillShown(wholeShownAs(file, digest)));
      const result = replaceAll(asText(bytes, file.shown), edits);
      if (!result.ok) {
        const which = edits.length > 1 ? `Edit ${result.index + 1} of ${edits.length}: ` : "";
        throw new Refusal(`"${file.shown}" is unchanged. ${which}${result.problem}`);
      }
      await files.write(file, Buffer.from(result.text, "utf8"));
      const lines = result.lines.slice(0, 20).join(", ");
      const more = result.lines.length > 20 ? ", …" : "";
      return {
        content: `Edited "${file.shown}": ${result.lines.length} replaced, at ${result.lines.length === 1 ? "line" : "lines"} ${lines}${more}.`,
      };
    },
  };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
