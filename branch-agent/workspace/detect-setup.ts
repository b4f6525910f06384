/** The command that makes a fresh checkout ready, and the hosts that it needs, by the lock files in its root: without one nothing is fetched. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { maxSetupHosts, type Setup } from "#core/setup.ts";
import { textOf } from "./text-of.ts";

type Found = Pick<Setup, "command" | "hosts">;
interface Files {
  /** The text of a file in the root; empty where there is none. */
  text(name: string): Promise<string>;
  has(name: string): Promise<boolean>;
}

const npmRegistry = "registry.npmjs.org:443";
const pythonHosts = ["files.pythonhosted.org:443", "pypi.org:443"];

/** One per ecosystem: the first lock file that it knows. Caches lie in the worktree (`sandbox/environment.ts`), since a command's home is gone with it. */
const ecosystems: readonly ((files: Files) => Promise<Found | null>)[] = [javascript, python, rust, go];

/** What sets the tree at `root` up, of all its ecosystems together; null where nothing is to be fetched. */
export async function detectSetup(root: string): Promise<Found | null> {
  const files: Files = {
    text: (name) => textOf(join(root, name)).catch(() => ""),
    has: (name) =>
      stat(join(root, name)).then(
        () => true,
        () => false,
      ),
  };
  const found = (await Promise.all(ecosystems.map((look) => look(files)))).filter((one) => one !== null);
  if (found.length === 0) return null;
  const hosts = [...new Set(found.flatMap((one) => one.hosts))].toSorted().slice(0, maxSetupHosts);
  return { command: found.map((one) => one.command).join(" && "), hosts };
}

async function javascript({ text, has }: Files): Promise<Found | null> {
  if (await has("node_modules")) return null; // The repository brings it.
  const registries = await text(".npmrc").then((rc) => hostsIn(rc, /registry\s*=\s*(https:\/\/[^\s"']+)/g));
  const from = (lock: string, otherwise: string) => {
    const named = hostsIn(lock, /\bresolved"?:?\s*"(https:\/\/[^\s"'#]+)/g);
    return [...(named.length > 0 ? named : [otherwise]), ...registries];
  };
  for (const name of ["npm-shrinkwrap.json", "package-lock.json"]) {
    const lock = await text(name);
    // A lock that names no package but the root's own fetches nothing.
    if (lock !== "")
      return /"node_modules\//.test(lock) || !/"packages"/.test(lock) ? { command: "npm ci", hosts: from(lock, npmRegistry) } : null;
  }
  if (await has("pnpm-lock.yaml")) {
    return { command: "pnpm install --frozen-lockfile", hosts: [npmRegistry, ...registries] };
  }
  const yarn = await text("yarn.lock");
  if (yarn === "") return null;
  const modern = await has(".yarnrc.yml");
  return { command: `yarn install ${modern ? "--immutable" : "--frozen-lockfile"}`, hosts: from(yarn, "registry.yarnpkg.com:443") };
}

async function python({ text, has }: Files): Promise<Found | null> {
  if (await has(".venv")) return null;
  if (await has("uv.lock")) return { command: "uv sync --frozen", hosts: pythonHosts };
  const requirements = await text("requirements.txt");
  if (!/^\s*[A-Za-z0-9]/m.test(requirements)) return null;
  return { command: "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt", hosts: pythonHosts };
}

async function rust({ text, has }: Files): Promise<Found | null> {
  if (await has("vendor")) return null;
  // Only what comes from elsewhere has a source.
  if (!/^source = /m.test(await text("Cargo.lock"))) return null;
  return { command: "cargo fetch --locked", hosts: ["index.crates.io:443", "static.crates.io:443"] };
}

async function go({ text, has }: Files): Promise<Found | null> {
  if ((await has("vendor/modules.txt")) || (await text("go.sum")).trim() === "") return null;
  // Else its cache is read-only, and could not be removed with the worktree.
  return { command: "GOFLAGS=-modcacherw go mod download", hosts: ["proxy.golang.org:443", "sum.golang.org:443"] };
}

function hostsIn(text: string, address: RegExp): string[] {
  const hosts = new Set<string>();
  for (const [, found = ""] of text.matchAll(address)) {
    const { hostname, port } = URL.canParse(found) ? new URL(found) : { hostname: "", port: "" };
    if (hostname !== "") hosts.add(`${hostname}:${port || "443"}`);
    if (hosts.size === maxSetupHosts) break;
  }
  return [...hosts];
}
