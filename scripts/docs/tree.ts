/** The tree of folders in docs/architecture.md: every folder that holds source, with a line about it. */
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";

const start = "<!-- tree -->";
const end = "<!-- /tree -->";

const about: Readonly<Record<string, string>> = {
  shared: "what two programs need",
  "shared/core": "pure rules: no I/O, no clock, no randomness",
  "shared/ports": "interfaces: what the factory needs from the world",
  "shared/staff": "who works here, as data: prompts and tools",
  "shared/factory": "the symmetrical core, one verb per file",
  "shared/adapters": "one technology each, behind a port",
  "hq-worker": "headquarters: a Cloudflare Worker, or a process under Node",
  "branch-agent": "a factory on a desktop or a VPS",
  dashboard: "the Corporation View: query, handler and page per panel",
  dev: "a corporation in a box, and its stand-ins",
  migrations: "SQL of the state of record, written by drizzle-kit",
  bench: "what it costs, measured: ratios to what it could cost",
  eval: "a folder of tasks through the real coder, judged by tests that it never saw",
  scripts: "set-up, checks and generators",
  test: "tests; contracts/ holds the suites that every adapter of a port passes",
  docs: "for people",
};

/** Folders below these are listed without a line of their own: their names say it. */
const plain = /^(shared\/adapters|hq-worker|branch-agent|dashboard|dev|scripts|test|migrations|docs|bench|eval)\/[\w-]+$/;

/** `page` with the tree between its two marks renewed. Throws where a folder has no line, or a line no folder. */
export function withTree(page: string, files: readonly string[]): string {
  const [before, rest] = [page.indexOf(start), page.indexOf(end)];
  if (before < 0 || rest < before) throw new Error(`docs/architecture.md has lost its marks ${start} and ${end}`);
  return `${page.slice(0, before + start.length)}\n\n\`\`\`\n${renderTree(files)}\n\`\`\`\n\n${page.slice(rest)}`;
}

export function renderTree(files: readonly string[]): string {
  const folders = new Set<string>();
  for (const file of files) {
    for (let folder = dirname(file); folder !== "."; folder = dirname(folder)) folders.add(folder);
  }
  const unnamed = [...folders].filter((folder) => !(folder in about) && !plain.test(folder) && folder.split("/").length < 3);
  if (unnamed.length > 0) throw new Error(`scripts/docs/tree.ts has no line about ${unnamed.join(", ")}`);
  const gone = Object.keys(about).filter((folder) => !folders.has(folder));
  if (gone.length > 0) throw new Error(`scripts/docs/tree.ts tells of ${gone.join(", ")}, which is not there`);

  return Object.entries(about)
    .map(([folder, text]) => {
      const inside = [...folders]
        .filter((one) => dirname(one) === folder && !(one in about))
        .map((one) => `${one.slice(folder.length + 1)}/`);
      const depth = folder.split("/").length - 1;
      const name = `${"  ".repeat(depth)}${folder.split("/").at(-1)}/`;
      return `${name.padEnd(18)}${text}${inside.length > 0 ? ` — ${inside.sort().join(" ")}` : ""}`;
    })
    .join("\n");
}

/** The files of the checkout, but what is hidden, installed or built. */
export function projectFiles(root: string): string[] {
  const files: string[] = [];
  const visit = (folder: string) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (entry.name.startsWith(".") || ["node_modules", "dist", "coverage"].includes(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else files.push(path);
    }
  };
  visit("");
  return files;
}
