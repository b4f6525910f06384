/**
 * The imports of a source file, by a scanner of our own: static ones stand at the start of a line (Biome's format sees to
 * it), so the grammar of an import is enough. In doubt it sees one too many, which fails loudly, never one too few:
 * `unseen` lists what looks like an import and was not understood.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, extname, join, normalize } from "node:path";

export interface Edge {
  /** The importing file, from the root of the checkout. */
  from: string;
  /** As it stands in the source. */
  specifier: string;
  /** What it leads to: a file of ours (from the root), a package name, or a `node:` built-in. */
  to: string;
  kind: "file" | "package" | "builtin";
  /** Erased at build time. */
  typeOnly: boolean;
  /** `import()`: followed only when that line runs. */
  dynamic: boolean;
}

type Found = Pick<Edge, "specifier" | "typeOnly" | "dynamic">;

export interface Source {
  path: string;
  text: string;
}

const names = String.raw`(?:\*(?:\s+as\s+[\w$]+)?|\{[^}]*\}|[\w$]+(?:\s*,\s*(?:\{[^}]*\}|\*\s+as\s+[\w$]+))?)`;
const fromClause = new RegExp(String.raw`^(?:import|export)\s+(type\s+)?${names}\s+from\s*["']([^"'\n]+)["']`, "gm");
const bareImport = /^import\s*["']([^"'\n]+)["']/gm;
const importCall = /\bimport\(\s*(?:(["'])([^"'\n]+)\1|([^"'\s)]))/g;

/** Every specifier of `text`, whether it is only a type, and what looked like an import but was not understood. */
export function scan(text: string): { found: Found[]; unseen: string[] } {
  const found: Found[] = [];
  const unseen: string[] = [];
  const covered = new Set<number>();
  const cover = (match: RegExpExecArray) => {
    for (let line = lineAt(text, match.index); line <= lineAt(text, match.index + match[0].length); line++) covered.add(line);
  };

  const isData = insideTemplate(text);
  for (const match of text.matchAll(fromClause)) {
    cover(match);
    if (isData(match.index)) continue;
    found.push({ specifier: match[2] ?? "", typeOnly: match[1] !== undefined, dynamic: false });
  }
  for (const match of text.matchAll(bareImport)) {
    cover(match);
    if (isData(match.index)) continue;
    found.push({ specifier: match[1] ?? "", typeOnly: false, dynamic: false });
  }
  for (const match of text.matchAll(importCall)) {
    const line = text.slice(text.lastIndexOf("\n", match.index) + 1, match.index);
    if (match[2] !== undefined) found.push({ specifier: match[2], typeOnly: /\btypeof\s*$|[:<|&{]\s*$/.test(line), dynamic: true });
    else if (!/^\s*(\*|\/\/)/.test(line)) unseen.push(`import(${match[3]}…): a computed path can't be checked`);
  }
  for (const [index, line] of text.split("\n").entries()) {
    if (covered.has(index)) continue;
    if (/^import\b(?!\s*[.(])/.test(line) || /^(?:export\b|\}).*\sfrom\s*["'][^"']+["'];?$/.test(line)) unseen.push(line);
    if (/\b(?:require|createRequire)\s*\(/.test(line) && !/^\s*(\*|\/\/)/.test(line)) unseen.push(`${line.trim()}: use import`);
  }
  return { found, unseen };
}

/** `specifier` as `from` means it. Relative paths and `#layer/` paths become files of ours. */
export function resolveEdge(from: string, found: Found): Edge {
  const { specifier } = found;
  const edge = (to: string, kind: Edge["kind"]): Edge => ({ ...found, from, to, kind });
  if (specifier.startsWith(".")) return edge(normalize(join(dirname(from), specifier)), "file");
  if (specifier.startsWith("#")) return edge(join("shared", specifier.slice(1)), "file");
  if (/^node:/.test(specifier)) return edge(specifier, "builtin");
  const parts = specifier.split("/");
  return edge(specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? ""), "package");
}

/** All edges of `sources`, and everything in them that a wall can't judge: not understood, or leading nowhere. */
export function edgesOf(sources: readonly Source[], root: string): { edges: Edge[]; problems: string[] } {
  const edges: Edge[] = [];
  const problems: string[] = [];
  for (const { path, text } of sources) {
    const { found, unseen } = scan(text);
    problems.push(...unseen.map((line) => `${path}: ${line}`));
    for (const one of found) {
      const edge = resolveEdge(path, one);
      edges.push(edge);
      if (edge.kind === "file" && !existsSync(join(root, edge.to))) problems.push(`${path}: ${one.specifier} leads nowhere`);
    }
  }
  return { edges, problems };
}

const sourceFile = new Set([".ts", ".tsx", ".mts", ".mjs", ".js"]);

/** All source files of the checkout but what is generated, installed or built. */
export function readSources(root: string): Source[] {
  const sources: Source[] = [];
  const visit = (folder: string) => {
    for (const name of readdirSync(join(root, folder))) {
      const path = join(folder, name);
      if (name.startsWith(".") || ["node_modules", "dist", "coverage", "worker-configuration.d.ts"].includes(name)) continue;
      // The files of tasks are data.
      if (path === join("eval", "tasks")) continue;
      if (statSync(join(root, path)).isDirectory()) visit(path);
      else if (sourceFile.has(extname(name))) sources.push({ path, text: readFileSync(join(root, path), "utf8") });
    }
  };
  visit("");
  return sources;
}

/**
 * Whether an index lies in a template literal, such as a program that is kept as text: after an odd number of backticks.
 * Never among the imports at the head of a file, and never if the backticks of the file don't pair up.
 */
function insideTemplate(text: string) {
  const ticks = [...text.matchAll(/(?<!\\)`/g)].map((match) => match.index);
  const head = text.search(/^(?!import\b|export\b[^;]*\sfrom\b|[ }/*]|$)/m);
  return (index: number) => index > head && ticks.length % 2 === 0 && ticks.filter((tick) => tick < index).length % 2 === 1;
}

function lineAt(text: string, index: number) {
  let line = 0;
  for (let at = text.indexOf("\n"); at !== -1 && at < index; at = text.indexOf("\n", at + 1)) line++;
  return line;
}
