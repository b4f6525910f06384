import { glob } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { Tool } from "#ports/tool.ts";
import { confine, inside, Refusal } from "./confine.ts";
import type { Bench } from "./context.ts";

const maxShown = 200;
/** Looked at before the first 200 in order of name are taken, so that the same tree always gives the same answer. */
const maxFound = 5000;
const timeLimitMs = 5000;

const input = z.strictObject({
  pattern: z.string().min(1).max(1000).describe("e.g. src/**/*.ts"),
  path: z.string().max(4096).optional().describe("directory to look in"),
});

export function globTool({ bounds }: Bench): Tool<z.infer<typeof input>> {
  return {
    name: "glob",
    description: `List files by pattern (without node_modules). Up to ${maxShown}.`,
    input,
    needs: "read",
    repeatable: true,
    async run({ pattern, path = "." }, call) {
      if (pattern.startsWith("/") || pattern.split("/").includes("..")) {
        throw new Refusal(`The pattern "${pattern}" leads out of the worktree. Give one relative to its root.`);
      }
      const from = await confine(bounds, path);
      const deadline = performance.now() + timeLimitMs;
      const found: string[] = [];
      let cut = false;
      for await (const entry of glob(pattern, { cwd: from.path, withFileTypes: true, exclude: ({ name }) => skipped.has(name) })) {
        cut = found.length >= maxFound || performance.now() > deadline || call.signal.aborted;
        if (cut) break;
        const at = join(entry.parentPath, entry.name);
        // A listing of one level shows what can be looked into next.
        if (!entry.isDirectory()) found.push(at);
        else if (!pattern.includes("**")) found.push(`${at}/`);
      }
      const shown = (await Promise.all(found.sort().slice(0, maxShown).map(visible))).filter((file) => file !== null);
      if (shown.length === 0) return { content: `No file matches "${pattern}"${cut ? " so far: too many to look through" : ""}.` };
      const more = found.length > maxShown || cut ? `\n… ${cut ? "many" : found.length - maxShown} more: narrow the pattern` : "";
      return { content: shown.join("\n") + more };
    },
  };

  /** A link may lead out of the worktree, or the name may be closed: then it is not listed. */
  async function visible(path: string): Promise<string | null> {
    const file = await confine(bounds, path).catch(() => null);
    return file && file.path !== bounds.root && inside(file.path, bounds.root) ? file.shown + (path.endsWith("/") ? "/" : "") : null;
  }
}

const skipped = new Set([".git", "node_modules"]);
