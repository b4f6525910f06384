/** The claim: no start without it. HQ grants it in one atomic step and hands out the Ops Token with it. */

import type { Body } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { leaseMs } from "#core/fleet.ts";
import type { ClaimReply } from "#core/hq-api.ts";
import { endingBy, narrower } from "#core/limits.ts";
import { actionsOf, type OpsToken, opsTokenMinutes } from "#core/ops-token.ts";
import type { Factory } from "#ports/factories.ts";
import type { Task } from "#ports/tasks.ts";
import { showUsedUp, usedUp } from "./budgets.ts";
import type { Headquarters } from "./headquarters.ts";
import { requeue } from "./recover.ts";

type Deps = Pick<Headquarters, "signer" | "verifier" | "clock" | "ids" | "profile">;

/** Changes when the rules below change: a token says under which it was minted. */
const policy = "1";

/** Throws `conflict` if the task is not this factory's to start: replayed, cancelled, given to another, or over. */
export async function grantClaim(deps: Headquarters, factory: Factory, claim: Body<"claim">): Promise<ClaimReply> {
  const { store, clock } = deps;
  if (factory.status !== "active" && factory.status !== "draining") {
    throw new UacError("forbidden", `${factory.name} is ${factory.status}; HQ gives it no work`);
  }
  await refuseUsedUp(deps, factory, claim);
  const leaseUntil = clock.now() + leaseMs;
  const by = { factory: factory.id, order: claim.order, leaseUntil };
  const outcome = await store.tasks.claim(claim.task, claim.epoch, by, clock.now());
  const task = outcome === "refused" ? null : await store.tasks.get(claim.task);
  if (!task) throw new UacError("conflict", `Task ${claim.task}, attempt ${claim.epoch}, is not ${factory.name}'s to start`);
  return { token: await mintToken(deps, factory, task), leaseUntil, resumed: outcome === "resumed" };
}

/** What was used up since the order was given: the task goes back to the queue, where it is held and the owner asked. One that runs already is not claimed anew. */
async function refuseUsedUp(deps: Headquarters, factory: Factory, claim: Body<"claim">) {
  const { store, clock } = deps;
  const budgets = await store.budgets.standings(clock.now());
  if (!usedUp(budgets, { factory: factory.id, seat: null }, clock.now(), "any")) return;
  const task = await store.tasks.get(claim.task);
  if (task?.state !== "dispatched" || task.epoch !== claim.epoch || task.factory !== factory.id) return;
  const used = usedUp(budgets, { factory: factory.id, seat: task.kind }, clock.now());
  if (!used) return;
  const why = showUsedUp(used, clock.now());
  await requeue(deps, task, "return", why, "released");
  throw new UacError("conflict", `Task ${task.id} can't begin: ${why}`);
}

/**
 * An Ops Token for a task that the factory holds. Its limits are the narrower of the order's and HQ's own, and its time ends by
 * the task's deadline: counted from the claim, as the factory counts.
 */
export async function mintToken(deps: Deps, factory: Factory, task: Task): Promise<string> {
  const now = Math.floor(deps.clock.now() / 1000);
  const token: OpsToken = {
    iss: "hq",
    aud: factory.id,
    sub: factory.id,
    jti: deps.ids.next("ops"),
    iat: now,
    nbf: now,
    exp: now + opsTokenMinutes * 60,
    cnf: { jkt: factory.kid },
    gen: factory.gen,
    tsk: task.id,
    epoch: task.epoch,
    rep: task.workspace,
    act: factory.facts ? actionsOf(factory.facts.capabilities) : [],
    net: deps.profile.capabilities.network && factory.facts?.capabilities.network ? [...deps.profile.allowHosts] : [],
    sec: [...deps.profile.allowSecretFiles],
    lim: endingBy(narrower(task.limits, deps.profile.limits), task.deadline, task.claimedAt ?? deps.clock.now()),
    pol: policy,
  };
  return deps.signer.mint(token);
}
