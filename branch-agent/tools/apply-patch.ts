import { stat } from "node:fs/promises";
import * as z from "zod";
import type { Tool } from "#ports/tool.ts";
import { type Confined, confine, Refusal } from "./confine.ts";
import type { Bench } from "./context.ts";
import { asText, mustBeText } from "./files.ts";
import { patched } from "./patch.ts";
import { parsePatch, type Section } from "./patch-format.ts";
import { digestOf, tellOfNote, writeNote } from "./patch-note.ts";
import { wholeShownAs } from "./read.ts";

const input = z.strictObject({ input: z.string().max(2_000_000).describe("*** Begin Patch … *** End Patch") });
const mostFiles = 100;

/** What becomes of one file: null is that it is not there. */
interface Step {
  file: Confined;
  /** Of what is there now: moved along, and given back. */
  mode?: number;
  before: Buffer | null;
  after: Buffer | null;
}

/** For the models that were trained on it, in place of `edit`. */
export function applyPatchTool({ bounds, files, logDir }: Bench): Tool<z.infer<typeof input>> {
  const ownBounds = { ...bounds, logs: undefined };
  return {
    name: "apply_patch",
    description:
      "Add, update, move and delete files by a patch (Add File, Update File, Move to, Delete File, @@). Read a file first. All is done, or nothing.",
    input,
    needs: "write",
    repeatable: false,
    async run({ input: patch }, { key, stillShown }) {
      mustBeText(patch);
      const sections = parsePatch(patch);
      if (typeof sections === "string") throw unchanged(sections);
      if (sections.length > mostFiles) throw unchanged(`The patch names ${sections.length} files, over ${mostFiles}. Make several of it.`);
      const steps: Step[] = [];
      const named = new Set<string>();
      const place = async (path: string) => {
        const file = await confine(ownBounds, path);
        if (file.path === file.base || path.endsWith("/")) throw unchanged(`"${path}" is a directory. Name a file in it.`);
        if (named.has(file.path)) throw unchanged(`"${file.shown}" is named twice. Put all of its hunks under one name.`);
        named.add(file.path);
        return file;
      };
      const free = async (path: string) => {
        const file = await place(path);
        if (file.exists) throw unchanged(`"${file.shown}" is there already. Update it, or choose another name.`);
        return file;
      };
      for (const section of sections) {
        const file = section.kind === "add" ? await free(section.path) : await place(section.path);
        if (section.kind === "add") {
          steps.push({ file, before: null, after: Buffer.from(section.content, "utf8") });
          continue;
        }
        const before = await files.readSeen(file, (digest) => stillShown(wholeShownAs(file, digest)));
        const mode = (await stat(file.path)).mode & 0o777;
        const after = section.kind === "delete" ? null : updated(section, file, before);
        const target = section.kind === "update" && section.moveTo !== null ? await free(section.moveTo) : null;
        if (target) steps.push({ file: target, mode, before: null, after });
        steps.push({ file, mode, before, after: target ? null : after });
      }
      const changes = steps.map(({ file, before, after }) => ({ path: file.shown, before: digestOf(before), after: digestOf(after) }));
      await writeNote(logDir, key, changes);
      await makeAll(steps);
      return { content: sections.map(told).join("\n") };
    },
    afterRestart: (_, { key }) => tellOfNote(logDir, key, digestNow),
  };

  async function digestNow(path: string): Promise<string | null> {
    const file = await confine(ownBounds, path);
    // What can't be read is neither as it was nor as it should be.
    return file.exists
      ? await files.read(file).then(
          ({ digest }) => digest,
          () => "",
        )
      : null;
  }

  /** One after the other; what was done is undone if one can't be. */
  async function makeAll(steps: readonly Step[]): Promise<void> {
    const done: Step[] = [];
    try {
      for (const step of steps) {
        await put(step, step.after);
        done.push(step);
      }
    } catch (error) {
      for (const step of done.toReversed()) await put(step, step.before);
      throw error;
    }
  }

  async function put({ file, mode }: Step, bytes: Buffer | null): Promise<void> {
    if (bytes === null) await files.remove(file);
    else await files.write(file, bytes, mode);
  }
}

function updated({ hunks }: Extract<Section, { kind: "update" }>, file: Confined, before: Buffer): Buffer {
  if (hunks.length === 0) return before;
  const result = patched(asText(before, file.shown), hunks);
  if (!result.ok) throw unchanged(`"${file.shown}": ${result.problem}`);
  return Buffer.from(result.text, "utf8");
}

const unchanged = (why: string) => new Refusal(`No file is changed. ${why}`);

function told(section: Section): string {
  if (section.kind === "add") return `Added "${section.path}".`;
  if (section.kind === "delete") return `Deleted "${section.path}".`;
  return section.moveTo === null ? `Updated "${section.path}".` : `Moved "${section.path}" to "${section.moveTo}".`;
}
