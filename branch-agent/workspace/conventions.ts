/**
 * What a repository tells whoever works on it: notes and skills, read as data. Nothing in them is followed: no import, no link out of the
 * worktree, no script. What else it brings for agents (settings, hooks, servers) is not even read.
 */
import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Conventions } from "#ports/workspace.ts";
import { type Bounds, confine } from "../tools/confine.ts";

/** In a directory the first that is there counts. */
const noteNames = ["AGENTS.md", "CLAUDE.md"];
const skillFolders = [".agents/skills", ".claude/skills"];
/** Bytes. */
const notesMax = 16 * 1024;
const headMax = 4 * 1024;
/** Skills that are looked at, and that are told. */
const looked = 200;
const skillsMax = 20;

/** Of the worktree's root. What can't be read is not there. */
export async function readConventions(bounds: Bounds): Promise<Conventions> {
  const notes = await notesIn(bounds, "");
  const skills: Conventions["skills"] = [];
  for (const folder of skillFolders) {
    for (const name of await foldersIn(bounds, folder)) {
      const file = await beginning(bounds, `${folder}/${name}/SKILL.md`, headMax);
      const skill = file && described(file.text);
      if (skill && !skills.some((known) => known.name === skill.name)) skills.push({ ...skill, path: `${folder}/${name}/SKILL.md` });
    }
  }
  return { notes, skills: skills.slice(0, skillsMax), more: Math.max(0, skills.length - skillsMax) };
}

/** The notes that lie in a directory of the worktree itself, or null. */
export async function notesIn(bounds: Bounds, directory: string): Promise<Conventions["notes"]> {
  for (const name of noteNames) {
    const path = directory === "" ? name : `${directory}/${name}`;
    const file = await beginning(bounds, path, notesMax);
    if (file && file.text.trim() !== "") return { path, ...file };
  }
  return null;
}

/** The first `most` bytes of a text file, with its size; null where it is none, or leads out of the worktree. */
async function beginning(bounds: Bounds, path: string, most: number): Promise<Omit<NonNullable<Conventions["notes"]>, "path"> | null> {
  const file = await confine(bounds, path).catch(() => null);
  if (!file?.exists) return null;
  // Without waiting: opening a pipe would hang.
  const handle = await open(file.path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch(() => null);
  if (!handle) return null;
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) return null;
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(most, stat.size)), 0, null, 0);
    const bytes = buffer.subarray(0, bytesRead);
    if (bytes.includes(0)) return null;
    // A character that the cut went through is no part of it.
    return { text: new TextDecoder().decode(bytes, { stream: true }), bytes: stat.size, cut: stat.size > bytesRead };
  } finally {
    await handle.close();
  }
}

async function foldersIn(bounds: Bounds, folder: string): Promise<string[]> {
  const found = await confine(bounds, folder).catch(() => null);
  if (!found?.exists) return [];
  const names = await readdir(join(bounds.root, folder)).catch(() => []);
  return names.sort().slice(0, looked);
}

/** Name and description from the front matter; YAML as far as skills use it: plain, quoted and folded values. */
function described(text: string): { name: string; description: string } | null {
  const [, head] = /^\uFEFF?---\r?\n([\s\S]*?)\r?\n---/.exec(text) ?? [];
  if (head === undefined) return null;
  const lines = head.split(/\r?\n/);
  const field = (key: string) => {
    const at = lines.findIndex((line) => line.startsWith(`${key}:`));
    if (at < 0) return "";
    const rest = lines.slice(at + 1);
    const end = rest.findIndex((line) => /^\S/.test(line));
    const first = (lines[at] ?? "").slice(key.length + 1).trim();
    const value = [/^[>|][+-]?$/.test(first) ? "" : first, ...rest.slice(0, end < 0 ? rest.length : end).map((line) => line.trim())];
    return value
      .join(" ")
      .trim()
      .replace(/^(["'])(.*)\1$/, "$2");
  };
  const [name, description] = [field("name"), field("description")];
  return name === "" || description === "" ? null : { name, description };
}
