/**
 * Control groups, version 2: one hierarchy. A group that bounds others may hold no process itself, so where ours is delegated to us
 * (`systemd-run --user --scope -p Delegate=yes`, a container) whatever is in it moves into a group below first.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { basename, dirname, join } from "node:path";
import { type Cgroups, type Controlled, counter, ownName, type Places, readOr, removeSoon, removeTree, sweep } from "./cgroup.ts";
import type { Limits } from "./limits.ts";

const controls: Readonly<Record<string, Controlled>> = { memory: "memory", pids: "processes", cpu: "cpu" };
const usualWeight = 100;
const mostWeight = 10_000;
/** Below ours, for the factory and whatever else was in it. */
const ownLeaf = "uac-factory";

/** Null where there is no such hierarchy, it is not ours to write, or it has none of the controllers (then version 1 has them). */
export function openV2(where: Places, wanted: readonly string[] = Object.keys(controls)): Cgroups | null {
  const found = hierarchy(where);
  if (!found) return null;
  // Root may work beside all others; anybody else within what was delegated.
  const parents = process.getuid?.() === 0 ? [found.mount, found.own] : [found.own];
  for (const parent of new Set(parents)) {
    const have = listed(join(parent, "cgroup.controllers")).filter((name) => wanted.includes(name));
    const opened = have.length > 0 ? openIn(parent, have) : null;
    if (opened) return opened;
  }
  return null;
}

function openIn(parent: string, have: readonly string[]): Cgroups | null {
  const group = join(parent, ownName());
  try {
    sweep(parent);
    if (!enable(parent, have)) {
      moveDown(parent);
      if (!enable(parent, have)) return null;
    }
    mkdirSync(group, { recursive: true });
    if (!enable(group, have)) throw new Error("the group can't bound its own");
    // The tasks together weigh as much as one usual group for each core.
    if (have.includes("cpu")) writeFileSync(join(group, "cpu.weight"), String(Math.min(mostWeight, usualWeight * cpus().length)));
  } catch {
    removeTree(group);
    return null;
  }
  return {
    version: 2,
    controls: have.flatMap((name) => controls[name] ?? []),
    task: (name, limits) => taskGroup(join(group, name), have, limits),
    removeAll: () => void removeTree(group),
  };
}

function taskGroup(path: string, have: readonly string[], limits: Limits) {
  mkdirSync(path, { recursive: true });
  if (have.includes("pids")) writeFileSync(join(path, "pids.max"), String(limits.processes));
  if (have.includes("cpu")) writeFileSync(join(path, "cpu.weight"), String(usualWeight));
  if (have.includes("memory")) {
    writeFileSync(join(path, "memory.max"), String(limits.memory));
    // The file is there only if the kernel counts swap.
    if (readOr(join(path, "memory.swap.max"), "") !== "") writeFileSync(join(path, "memory.swap.max"), "0");
  }
  return {
    join: [join(path, "cgroup.procs")],
    counts: () => ({
      killed: counter(join(path, "memory.events"), "oom_kill"),
      refused: counter(join(path, "pids.events"), "max"),
      processes: counter(join(path, "pids.current")),
    }),
    remove: () => removeSoon(path),
  };
}

const listed = (path: string) => readOr(path, "").trim().split(/\s+/);

/** True if the groups below it are bounded by these controllers; false where the kernel refuses, as it does while `group` holds processes. */
function enable(group: string, names: readonly string[]): boolean {
  const path = join(group, "cgroup.subtree_control");
  const missing = names.filter((name) => !listed(path).includes(name));
  if (missing.length === 0) return true;
  try {
    writeFileSync(path, missing.map((name) => `+${name}`).join(" "));
    return true;
  } catch {
    return false;
  }
}

/** Moves what is in a group into one below: a parent with processes of its own can't bound its children. */
function moveDown(parent: string) {
  const leaf = join(parent, ownLeaf);
  mkdirSync(leaf, { recursive: true });
  const inParent = () => listed(join(parent, "cgroup.procs")).filter(Boolean);
  // What forks meanwhile is met in the next round.
  for (let round = 0; round < 5 && inParent().length > 0; round++) {
    for (const pid of inParent()) {
      try {
        writeFileSync(join(leaf, "cgroup.procs"), pid);
      } catch {
        // It has ended, or may not be moved: then the parent stays as it is, and bounds nothing.
      }
    }
  }
}

function hierarchy({ mountinfo, self }: Places): { mount: string; own: string } | null {
  const own = /^0::(.*)$/m.exec(readOr(self, ""))?.[1] ?? "/";
  for (const line of readOr(mountinfo, "").split("\n")) {
    const [mount = "", filesystem = ""] = line.split(" - ");
    const [, , , root = "", point = ""] = mount.split(" ");
    if (!filesystem.startsWith("cgroup2 ")) continue;
    const group = join(point, root !== "/" && own.startsWith(root) ? own.slice(root.length) : own);
    return { mount: point, own: basename(group) === ownLeaf ? dirname(group) : group };
  }
  return null;
}
