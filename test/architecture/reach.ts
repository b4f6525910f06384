/** What is reachable from where, along the import edges. */
import type { Edge } from "./imports.ts";
import { layerOf } from "./walls.ts";

const programs = ["hq-worker", "branch-agent", "dashboard", "dev"] as const;

/**
 * Files of shared/ that one program alone has a use for, and why they stand there all the same. An entry that is no longer
 * needed fails the test.
 */
export const onlyOneUser: readonly { files: RegExp; reason: string }[] = [
  { files: /^shared\/adapters\/chat\//, reason: "an adapter of the chat port; headquarters alone talks to people" },
];

/** Deterministic stand-ins that ship with the product for tests and first trials. */
export const fakes = /^shared\/adapters\/[\w-]+\/(memory|scripted|manual|counting|plain)\.ts$/;

/** The files that can be reached from `start` along `edges`, itself included. `through` says which edges to follow. */
export function reachable(edges: readonly Edge[], start: readonly string[], through: (edge: Edge) => boolean = () => true): Set<string> {
  const from = Map.groupBy(
    edges.filter((edge) => edge.kind === "file"),
    (edge) => edge.from,
  );
  const seen = new Set(start);
  for (const file of seen) {
    for (const edge of from.get(file) ?? []) if (through(edge)) seen.add(edge.to);
  }
  return seen;
}

/**
 * Files of shared/ (but factory/, which is shared by being the core of both) that fewer than two programs use and that
 * the factory does not use either. A program is its own folder: what another program brings along does not count.
 */
export function underused(files: readonly string[], edges: readonly Edge[]): string[] {
  const inShared = files.filter((file) => file.startsWith("shared/") && !file.startsWith("shared/factory/"));
  const used = (layer: string) => {
    const own = files.filter((file) => layerOf(file) === layer);
    return reachable(edges, own, (edge) => edge.to.startsWith("shared/"));
  };
  const byFactory = used("factory");
  const byProgram = programs.map(used);
  return inShared.filter((file) => !byFactory.has(file) && byProgram.filter((program) => program.has(file)).length < 2);
}
