/** Arguments of bwrap for a command that runs as another user than the one that bwrap makes the directories as. */
import { dirname } from "node:path";

/** bwrap makes what is missing above a mount, for its own user alone; here everybody may pass. */
const directory = (path: string) => ["--perms", "0755", "--dir", path];
const mounts = new Set(["--bind", "--ro-bind", "--ro-bind-try", "--dev-bind", "--symlink", "--tmpfs", "--dir", "--proc", "--dev"]);

/**
 * @param args mounts alone, no other option with a value that begins with `--`
 * @returns the same, with the directories above each mount made first
 */
export function withOpenParents(args: readonly string[]): string[] {
  const made = new Set<string>();
  const options: string[][] = [];
  for (const word of args) {
    if (word.startsWith("--") || options.length === 0) options.push([word]);
    else options.at(-1)?.push(word);
  }
  // `--perms` and `--size` belong to the mount that follows.
  let waiting: string[] = [];
  return options.flatMap((option) => {
    const [name = ""] = option;
    if (name === "--perms" || name === "--size") {
      waiting.push(...option);
      return [];
    }
    const path = option.at(-1) ?? "/";
    const parents = mounts.has(name) ? above(path).filter((parent) => !made.has(parent)) : [];
    for (const parent of parents) made.add(parent);
    const whole = [...parents.flatMap(directory), ...waiting, ...option];
    waiting = [];
    return whole;
  });
}

/** From the top, without the root: of `/a/b/c` it is `/a`, `/a/b`. */
function above(path: string): string[] {
  const parent = dirname(path);
  return parent === "/" || parent === "." ? [] : [...above(parent), parent];
}
