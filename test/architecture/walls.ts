/**
 * Who may import whom, and why. A layer may always import itself. What a row does not list is refused; a pass lets
 * single files through a wall.
 */
import type { Edge } from "./imports.ts";

export interface Wall {
  layer: string;
  /** Layers. `adapters/*` means every adapter. */
  layers: readonly string[];
  packages: readonly string[];
  /** May import `node:` built-ins. */
  builtins: boolean;
  reason: string;
}

export interface Pass {
  from: RegExp;
  /** A file, a package or a built-in, or all of them that match. */
  to: RegExp;
  reason: string;
}

const inner = ["core", "ports", "staff", "factory"];
const everything = [...inner, "adapters/*", "hq-worker", "branch-agent", "dashboard", "dev", "scripts", "root"];

const adapter = (name: string, packages: readonly string[], reason: string): Wall => ({
  layer: `adapters/${name}`,
  layers: ["core", "ports"],
  packages,
  builtins: false,
  reason,
});

export const walls: readonly Wall[] = [
  {
    layer: "core",
    layers: [],
    packages: ["zod"],
    builtins: false,
    reason: "the rules are pure: the same in a Worker, on a desktop and in a test, with nothing to fake",
  },
  {
    layer: "ports",
    layers: ["core"],
    packages: ["zod"],
    builtins: false,
    reason: "a port says what is needed, never who provides it; zod is there as a type only",
  },
  { layer: "staff", layers: ["core"], packages: [], builtins: false, reason: "who works here is data" },
  {
    layer: "factory",
    layers: ["core", "ports", "staff"],
    packages: ["zod"],
    builtins: false,
    reason: "the verbs run in a Worker and on a desktop alike, so they know ports, not technologies",
  },
  adapter(
    "bus",
    ["@redis/client", "@libsql/client", "@upstash/redis"],
    "a transport is chosen by BUS_URL; none may lean on another adapter",
  ),
  adapter("chat", ["grammy"], "a chat network's API stays behind the chat port"),
  adapter("clock", [], "time comes from the platform"),
  adapter("ids", [], "randomness comes from the platform"),
  adapter("llm", ["@anthropic-ai/sdk", "openai"], "a provider's SDK stays behind the model port"),
  adapter("log", [], "a log line is written without help"),
  adapter("prices", ["zod"], "a list is read and looked up, never fetched"),
  adapter("redactor", [], "what keeps secrets in depends on nobody"),
  adapter("signer", ["jose"], "keys and signatures stay behind the signer port"),
  adapter("store", ["drizzle-orm", "@libsql/client"], "SQL stays behind the store port"),
  {
    layer: "hq-worker",
    layers: [...inner, "root"],
    packages: ["hono", "zod", "cloudflare:workers"],
    builtins: false,
    reason: "headquarters is a Worker: no file system, no processes; it picks its technologies in its compositions alone",
  },
  {
    layer: "branch-agent",
    layers: [...inner, "root"],
    packages: ["commander", "zod"],
    builtins: true,
    reason: "a factory picks its technologies in its compositions alone, and talks to headquarters over the wire only",
  },
  {
    layer: "dashboard",
    layers: [...inner, "root"],
    packages: ["hono", "zod"],
    builtins: false,
    reason: "a page is query, handler and view; it is mounted in a Worker, and picks its technologies in compose.ts alone",
  },
  {
    layer: "dev",
    layers: everything,
    packages: ["*"],
    builtins: true,
    reason: "one machine plays everybody; nothing that is deployed may import it",
  },
  {
    layer: "bench",
    layers: everything,
    packages: ["*"],
    builtins: true,
    reason: "measures the real parts, each as it is; nothing may depend on what measures it",
  },
  {
    layer: "eval",
    layers: everything,
    packages: ["*"],
    builtins: true,
    reason: "gives the real coder tasks; nothing may depend on what judges it",
  },
  {
    layer: "scripts",
    layers: everything,
    packages: ["*"],
    builtins: true,
    reason: "tools of the checkout; what runs before anything is installed has a wall of its own",
  },
  {
    layer: "test",
    layers: [...everything, "bench", "eval"],
    packages: ["*"],
    builtins: true,
    reason: "tests may look at anything; nothing may look at them",
  },
  { layer: "root", layers: everything, packages: ["*"], builtins: true, reason: "configuration of tools" },
];

export const passes: readonly Pass[] = [
  {
    from: /^((hq-worker|branch-agent|dashboard)\/compose|hq-worker\/compose-(core|node)|branch-agent\/compose-(bench|code))\.ts$/,
    to: /^shared\/adapters\/|^@libsql\/client$/,
    reason: "the composition root is where technologies are picked",
  },
  {
    from: /^hq-worker\/compose-core\.ts$/,
    to: /^dashboard\/(app\.tsx|db\.ts)$/,
    reason: "headquarters mounts the dashboard; the dashboard knows nothing of headquarters",
  },
  {
    from: /^hq-worker\/compose-node\.ts$/,
    to: /^scripts\/migrate-database\.ts$/,
    reason: "headquarters under Node looks after the tables of a database file, and refuses one that is out of date",
  },
  {
    from: /^hq-worker\/serve\.ts$/,
    to: /^node:net$|^@hono\/node-server$|^dashboard\/static\.ts$/,
    reason: "headquarters under Node serves itself what Cloudflare's platform serves for the Worker",
  },
  {
    from: /^dashboard\/(index|static)\.ts$/,
    to: /^node:|^@hono\/node-server$/,
    reason: "the dashboard alone under Node",
  },
  {
    from: /^dashboard\/(db|panels\/[\w-]+\.query)\.ts$/,
    to: /^shared\/adapters\/store\/(schema|usage-daily|budget-standings)\.ts$|^drizzle-orm$|^@libsql\/client$/,
    reason: "a screen's query reads the tables; its view gets rows",
  },
  {
    from: /^branch-agent\/journal\/[\w-]+\.ts$/,
    to: /^drizzle-orm$|^@libsql\/client$/,
    reason: "the factory's own journal is a local libSQL file",
  },
  {
    from: /^branch-agent\/sandbox\/(macos|seatbelt)\.ts$/,
    to: /^@anthropic-ai\/sandbox-runtime$/,
    reason: "on macOS the profile of a command is written by a package, loaded there alone",
  },
  { from: /^branch-agent\/bundle\.js$/, to: /^esbuild$/, reason: "the program makes one file of itself, for a quick start" },
];

/** The layer of a file, named as in the table. */
export function layerOf(path: string): string {
  const [top = "", second = "", third = ""] = path.split("/");
  if (!path.includes("/")) return "root";
  if (top !== "shared") return top;
  return second === "adapters" ? `adapters/${third}` : second;
}

/** Why this edge may not be, or null. */
export function refusal(edge: Edge): string | null {
  const layer = layerOf(edge.from);
  const wall = walls.find((one) => one.layer === layer);
  if (!wall) return `${edge.from}: the layer ${layer} has no row in the table of walls`;
  if (passes.some(({ from, to }) => from.test(edge.from) && to.test(edge.to))) return null;
  if (allows(wall, edge)) return null;
  return `${edge.from} must not import ${edge.specifier}: ${wall.reason}`;
}

function allows(wall: Wall, { to, kind }: Edge) {
  if (kind === "builtin") return wall.builtins;
  if (kind === "package") return wall.packages.includes("*") || wall.packages.includes(to);
  const target = layerOf(to);
  return target === wall.layer || wall.layers.includes(target) || (target.startsWith("adapters/") && wall.layers.includes("adapters/*"));
}
