/** How the owner has line ends written in a checkout: settings of the owner's own, wherever they stand, which run nothing. */
import { git, type Setting } from "./git.ts";

const pattern = "^core\\.(autocrlf|eol)$";

/** The last of each counts, as for git. */
export async function lineEnds(gitDir: string): Promise<Setting[]> {
  const { out } = await git(["config", "-z", "--get-regexp", pattern], { gitDir, ownersConfig: true, accept: [1] });
  return out.split("\0").flatMap((entry): Setting[] => {
    const [key, value = "true"] = entry.split("\n");
    return key ? [[key, value]] : [];
  });
}
