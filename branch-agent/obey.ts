/** What HQ tells this factory, by the bus or by heartbeat: taken down first, done once, in whatever order and however often it comes. */
import type { Control } from "#core/control.ts";
import type { Branch } from "#factory/branch.ts";
import type { Slots } from "./slots.ts";

export interface Standing {
  /** Begin nothing new, or begin again. */
  drain(on: boolean): void;
  /** HQ says that this factory is out of the corporation. */
  revoke(reason: string): void;
}

/**
 * One function for every control. What concerns a task is in the journal from then on, and whoever works on it looks there: so it
 * counts over a restart too. What concerns the factory is told by every heartbeat's answer as well.
 */
export function obedience({ journal, clock, log }: Branch, slots: Pick<Slots, "heed">, factory: Standing) {
  /** Of the last word on draining: an older one that comes later counts no more. */
  let drainSeq = 0;

  return async function obey(control: Control): Promise<void> {
    const fresh = await journal.obey(control, clock.now());
    // Taken down is not yet done: what broke off in between is done with the second coming.
    if (!fresh) return "task" in control ? slots.heed(control.task, control.epoch) : undefined;
    log.info("headquarters says", { control: control.id, do: control.do, ...("task" in control && { task: control.task }) });
    switch (control.do) {
      case "cancel":
      case "steer":
      case "pause":
      case "resume":
      case "raise":
      case "finish":
      case "approve":
        return slots.heed(control.task, control.epoch);
      case "drain":
      case "undrain":
        if (control.seq < drainSeq) return;
        drainSeq = control.seq;
        return factory.drain(control.do === "drain");
      case "revoke":
        return factory.revoke(control.reason);
    }
  };
}
