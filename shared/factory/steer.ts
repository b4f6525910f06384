/** A message of the owner's to a task: heard by whoever works on it between two steps, or read with its order. */
import { instructionWith, longestSteer } from "#core/control.ts";
import { byline } from "#core/persona.ts";
import { onTask, publishControl } from "./control.ts";
import type { Headquarters } from "./headquarters.ts";

/**
 * `passed`: on its way to whoever works on it. `waits`: the same, for a task that is paused. `added`: nobody has it yet, so its
 * order will say it. `no_room`: it does not fit. `nobody`: a follow-up, on which no VP works.
 */
export type Steered = { how: "unknown" | "over" | "added" | "no_room" | "nobody" } | { how: "passed" | "waits"; to: string };

/**
 * `key` names what the owner said: said twice under the same key it is heard once. Whoever works on the task in a later attempt
 * hears it too. Throws `conflict` if the task never stands still.
 */
export async function steerTask(deps: Headquarters, id: string, text: string, key: string): Promise<Steered> {
  const { store, clock } = deps;
  if (text.length > longestSteer) return { how: "no_room" };
  const outcome = await onTask(deps, id, async (task): Promise<Steered | null> => {
    const { epoch, factory, persona } = task;
    if (task.follow !== null) return { how: "nobody" };
    // Where somebody works on it, the message itself is what counts; a later attempt can't have what fits into no order.
    if (factory === null && instructionWith(task.instruction, text) === null) return { how: "no_room" };
    const wish = { id: `steer_${key}`, do: "steer" as const, task: id, epoch, text };
    const control = await store.controls.direct(task, wish, { kind: "steer", text: text.slice(0, 500) }, clock.now());
    if (!control) return null;
    if (factory === null) return { how: "added" };
    await publishControl(deps, factory, control);
    return { how: task.state === "paused" ? "waits" : "passed", to: persona === null ? factory : byline(persona, factory) };
  });
  return typeof outcome === "string" ? { how: outcome } : outcome;
}
