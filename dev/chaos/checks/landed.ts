/** Every planned fault met work, nobody died whom the harness did not kill, and nothing stays behind. */
import type { Landed } from "../dealer.ts";
import type { Evidence } from "../evidence.ts";
import type { Planned } from "../plan.ts";
import { type Invariant, invariant } from "./invariant.ts";

export function faultsLanded(deck: readonly Planned[], landed: readonly Landed[], missed: readonly Planned[]): Invariant {
  const broken = missed.map(({ kind, point }) => `${kind}${point ? ` at ${point}` : ""} found nothing to hurt`);
  broken.push(...landed.filter(({ inFlight }) => inFlight === 0).map(({ kind }) => `${kind} landed while nothing was at work`));
  return invariant("every planned fault landed while work was in flight", deck.length, broken, { landed: landed.length });
}

export function endedOnlyByUs({ lives }: Evidence): Invariant {
  const all = [...lives.values()].flat();
  const broken = all
    .filter(({ how }) => how !== "killed" && how !== "stopped")
    .map(({ name, how }) => `${name} ended by itself: ${how ?? "it still runs"}`);
  return invariant("no process ends by itself", all.length, broken, { killed: all.filter(({ how }) => how === "killed").length });
}

export function nothingLeft({ left, lives }: Evidence): Invariant {
  return invariant("no process, lock, worktree or message is left behind", lives.size, [...left]);
}

/** A clock that is an hour off keeps nobody from work. */
export function everyBranchWorked({ lives, tasks }: Evidence): Invariant {
  const branches = [...lives.keys()].filter((id) => id !== "hq" && id !== "database");
  const did = (id: string) => tasks.filter(({ state, factory }) => state === "succeeded" && factory === id).length;
  const broken = branches.filter((id) => did(id) === 0).map((id) => `${id} did none of the jobs`);
  return invariant(
    "every branch works, whatever its clock says",
    branches.length,
    broken,
    Object.fromEntries(branches.map((id) => [id, did(id)])),
  );
}
