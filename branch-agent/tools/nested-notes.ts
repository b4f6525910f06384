/** Points to the notes of a directory when the model first comes there: a line to whatever the tool says, once for each directory. */
import type { Tool } from "#ports/tool.ts";
import { notesIn } from "../workspace/conventions.ts";
import { type Bounds, confine } from "./confine.ts";

const theirs = ["read", "edit", "write"];
/** In one run. */
const most = 40;
const deepest = 16;

/** Puts the line to a tool's answers. */
export function nestedNotes(bounds: Bounds): (tool: Tool) => Tool {
  const seen = new Set<string>();
  let told = 0;

  async function lines(path: string): Promise<string> {
    const file = await confine(bounds, path).catch(() => null);
    const parts = file?.exists ? file.shown.split("/").slice(0, -1) : [];
    const found: string[] = [];
    for (const directory of parts.slice(0, deepest).map((_, i) => parts.slice(0, i + 1).join("/"))) {
      if (seen.has(directory) || told >= most) continue;
      seen.add(directory);
      const notes = await notesIn(bounds, directory);
      if (!notes || notes.path === file?.shown) continue;
      told += 1;
      found.push(`\n["${notes.path}" has the project's notes on what lies there: read it before you change that.]`);
    }
    return found.join("");
  }

  return (tool) => {
    if (!theirs.includes(tool.name)) return tool;
    return {
      ...tool,
      async run(input, call) {
        const result = await tool.run(input, call);
        const path = typeof input === "object" && input !== null && "path" in input ? input.path : null;
        return typeof path === "string" ? { ...result, content: result.content + (await lines(path)) } : result;
      },
    };
  };
}
