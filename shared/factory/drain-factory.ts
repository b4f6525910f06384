/** The owner's word on a whole factory: begin nothing new, until it may again. What runs there ends; what waits there comes back. */
import type { FactoryStatus } from "#core/fleet.ts";
import type { Factory } from "#ports/factories.ts";
import { publishControl } from "./control.ts";
import { dispatchAll } from "./dispatch.ts";
import type { Headquarters } from "./headquarters.ts";

/** Resolves to what to say. */
export async function drainFactory(deps: Headquarters, id: string): Promise<string> {
  const factory = await deps.store.factories.get(id);
  const hindrance = whyNot(factory, id);
  if (!factory || hindrance !== null) return hindrance ?? "";
  if (!(await tell(deps, factory, "drain", "draining"))) return `${factory.name} has just changed; try again.`;
  return `${factory.name} begins nothing new; what runs there ends, what waits there comes back. /undrain ${id} ends that.`;
}

/** Resolves to what to say. */
export async function undrainFactory(deps: Headquarters, id: string): Promise<string> {
  const factory = await deps.store.factories.get(id);
  const hindrance = whyNot(factory, id);
  if (!factory || hindrance !== null) return hindrance ?? "";
  if (factory.status === "active") return `${factory.name} takes work already.`;
  if (!(await tell(deps, factory, "undrain", "active"))) return `${factory.name} has just changed; try again.`;
  await dispatchAll(deps);
  return `${factory.name} takes work again.`;
}

/** A machine that the owner has not let in, or has put out, can't be let in by this door. */
function whyNot(factory: Factory | null, id: string): string | null {
  if (!factory) return `There is no factory ${id}. /fleet lists them.`;
  if (factory.status === "pending" || factory.status === "retired") return `${factory.name} is ${factory.status}: it gets no work anyway.`;
  return null;
}

/** For the machine as it was seen: one that asks to join under this id meanwhile is not let in by it. */
async function tell(
  deps: Headquarters,
  { id, kid, status: from }: Factory,
  wish: "drain" | "undrain",
  status: FactoryStatus,
): Promise<boolean> {
  const { store, clock, ids } = deps;
  if (!(await store.factories.setStatus(id, status, clock.now(), kid, from))) return false;
  await publishControl(deps, id, await store.controls.add(id, { id: ids.next("ctl"), do: wish }, clock.now()));
  return true;
}
