/** Control groups, version 1: a hierarchy for each controller, of which some may be writable and others not. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { type Cgroups, type Controlled, counter, ownName, type Places, readOr, removeSoon, removeTree, sweep } from "./cgroup.ts";
import type { Limits } from "./limits.ts";

const controllers = { memory: "memory", pids: "processes", cpu: "cpu" } as const satisfies Record<string, Controlled>;
type Controller = keyof typeof controllers;

/** Weight of a process that is in no group. */
const usualShares = 1024;

/** Null where no hierarchy lets us make a group in our own. */
export function openV1(where: Places): Cgroups | null {
  const found = (Object.keys(controllers) as Controller[]).flatMap((controller) => {
    const parent = ownGroup(where, controller);
    const group = parent && makeGroup(parent);
    return group ? [{ controller, group }] : [];
  });
  if (found.length === 0) return null;
  const cpu = found.find(({ controller }) => controller === "cpu");
  // The tasks together weigh as much as one busy process on each core, not as one alone.
  if (cpu) writeFileSync(join(cpu.group, "cpu.shares"), String(usualShares * cpus().length));
  return {
    version: 1,
    controls: found.map(({ controller }) => controllers[controller]),
    task(name, limits) {
      const groups = found.map(({ controller, group }) => {
        const path = join(group, name);
        mkdirSync(path, { recursive: true });
        bound(controller, path, limits);
        return { controller, path };
      });
      const at = (controller: Controller, file: string) => join(groups.find((each) => each.controller === controller)?.path ?? "/", file);
      return {
        join: groups.map(({ path }) => join(path, "cgroup.procs")),
        counts: () => ({
          killed: counter(at("memory", "memory.oom_control"), "oom_kill"),
          refused: counter(at("pids", "pids.events"), "max"),
          processes: counter(at("pids", "pids.current")),
        }),
        async remove() {
          await Promise.all(groups.map(({ path }) => removeSoon(path)));
        },
      };
    },
    removeAll: () => void found.map(({ group }) => removeTree(group)),
  };
}

function bound(controller: Controller, path: string, limits: Limits) {
  if (controller === "pids") writeFileSync(join(path, "pids.max"), String(limits.processes));
  if (controller === "cpu") writeFileSync(join(path, "cpu.shares"), String(usualShares));
  if (controller === "memory") {
    writeFileSync(join(path, "memory.limit_in_bytes"), String(limits.memory));
    // With swap together. The file is there only if the kernel counts swap.
    const withSwap = join(path, "memory.memsw.limit_in_bytes");
    if (readOr(withSwap, "") !== "") writeFileSync(withSwap, String(limits.memory));
  }
}

/** The group that this process is in: below it, so that a bound on the factory itself holds for its tasks too. */
function ownGroup({ mountinfo, self }: Places, controller: Controller): string | null {
  const own = readOr(self, "")
    .split("\n")
    .map((line) => line.split(":"))
    .find(([, names = ""]) => names.split(",").includes(controller));
  for (const line of readOr(mountinfo, "").split("\n")) {
    const [mount = "", filesystem = ""] = line.split(" - ");
    const [, , , root = "", point = ""] = mount.split(" ");
    const [type, , options = ""] = filesystem.split(" ");
    if (type !== "cgroup" || !options.split(",").includes(controller)) continue;
    const path = own?.slice(2).join(":") ?? "/";
    // In a container the mount may begin further down than the group's name does.
    return join(point, root !== "/" && path.startsWith(root) ? path.slice(root.length) : path);
  }
  return null;
}

function makeGroup(parent: string): string | null {
  const group = join(parent, ownName());
  try {
    sweep(parent);
    mkdirSync(group, { recursive: true });
    return group;
  } catch {
    return null;
  }
}
