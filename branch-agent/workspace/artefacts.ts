/** What a task leaves behind that is no part of its result. Asked only of new files: what a repository tracks, it tracks. */
import { lstat } from "node:fs/promises";
import { join } from "node:path";

/** Bytes. A new file beyond it is a product, not a source. */
const largestNew = 5 * 1024 ** 2;

/** Directories that hold nothing but artefacts wherever they are; gitignore patterns too. */
export const artefactDirectories = [
  ...["node_modules", "bower_components", ".npm", ".pnpm-store", ".turbo", ".next", ".nuxt", ".parcel-cache", ".nyc_output", ".gradle"],
  ...["__pycache__", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox", ".eggs", ".cache"],
];
/** These are artefacts beside a manifest, where a build tool puts them, unless the repository tracks some of it; elsewhere they are sources. */
const productDirectories = new Set(["dist", "build", "out", "target", "coverage", "venv"]);
const manifests = ["package.json", "Cargo.toml", "pyproject.toml", "setup.py", "requirements.txt", "pom.xml", "build.gradle"];
const fileNames = /^(\.DS_Store|Thumbs\.db|\.coverage|npm-debug\.log.*|core\.\d+|\.uac-.*\.tmp|.*\.py[co])$/;

/**
 * The new `paths` (relative to `root`, with `/`) that may be committed, and what is left out, by its topmost directory.
 * Anything but a regular file or a link is left out too.
 * @param tracks whether the repository tracks something in a directory
 */
export async function sift(root: string, paths: readonly string[], tracks: (directory: string) => Promise<boolean>) {
  const products = new Map<string, boolean>();
  async function isProduct(directory: string) {
    const parent = directory.slice(0, Math.max(0, directory.lastIndexOf("/")));
    const beside = await Promise.all(manifests.map((name) => exists(join(root, parent, name))));
    return beside.includes(true) && !(await tracks(directory));
  }
  async function artefact(path: string): Promise<string | null> {
    const parts = path.split("/");
    for (const [i, part] of parts.slice(0, -1).entries()) {
      const directory = parts.slice(0, i + 1).join("/");
      if (artefactDirectories.includes(part) || part.endsWith(".egg-info")) return `${directory}/`;
      if (!productDirectories.has(part)) continue;
      const known = products.get(directory) ?? (await isProduct(directory));
      products.set(directory, known);
      if (known) return `${directory}/`;
    }
    if (fileNames.test(parts.at(-1) ?? "")) return path;
    const stat = await lstat(join(root, path));
    return stat.isSymbolicLink() || (stat.isFile() && stat.size <= largestNew) ? null : path;
  }

  const wanted: string[] = [];
  const left = new Set<string>();
  for (const path of paths) {
    const why = await artefact(path);
    if (why === null) wanted.push(path);
    else left.add(why);
  }
  return { wanted, left: [...left] };
}

function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
