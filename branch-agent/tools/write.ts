import * as z from "zod";
import type { Tool } from "#ports/tool.ts";
import { confine, Refusal } from "./confine.ts";
import type { Bench } from "./context.ts";
import { mustBeText } from "./files.ts";
import { wholeShownAs } from "./read.ts";

const input = z.strictObject({
  path: z.string().max(4096),
  content: z.string().max(2_000_000),
});

export function writeTool({ bounds, files }: Bench): Tool<z.infer<typeof input>> {
  return {
    name: "write",
    description: "Write a whole file; makes directories. An existing file must have been read; to change part of it use edit.",
    input,
    needs: "write",
    repeatable: false,
    async run({ path, content }, { stillShown }) {
      const file = await confine({ ...bounds, logs: undefined }, path);
      if (file.path === bounds.root || path.endsWith("/")) throw new Refusal(`"${path}" is a directory. Name a file in it.`);
      mustBeText(content);
      if (file.exists) await files.readSeen(file, (digest) => stillShown(wholeShownAs(file, digest)));
      const bytes = Buffer.from(content, "utf8");
      await files.write(file, bytes);
      return { content: `${file.exists ? "Replaced" : "Wrote"} "${file.shown}": ${bytes.length} bytes.` };
    },
  };
}
