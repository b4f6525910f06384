/** Headquarters of the town as a Worker: the product's entry, composed under the harness's gate. */
import { openHeadquarters, type WorkerEnv } from "../../hq-worker/compose.ts";
import type { Opened } from "../../hq-worker/context.ts";
import { Desk as ProductDesk } from "../../hq-worker/desk.ts";
import { worker } from "../../hq-worker/worker.ts";
import { arrangeHq, hqGate } from "./arrange-hq.ts";
import { machineTime, paceOf } from "./time.ts";

/** Made for each event, as the product's is: so the armed points are fresh. */
async function open(env: WorkerEnv): Promise<Opened> {
  const variables: Record<string, unknown> = { ...env };
  const gate = hqGate(variables);
  await gate.refresh();
  const opened = await openHeadquarters(env, arrangeHq(variables, gate));
  const { clock } = opened.hq;
  return { ...opened, desks: { ring: (chat, at) => opened.desks.ring(chat, at ?? clock.now()) } };
}

/** Alarms ring in the machine's time. */
export class Desk extends ProductDesk {
  protected override open(): Promise<Opened> {
    return open(this.env);
  }

  override ring(chat: number, at: number): Promise<void> {
    return super.ring(chat, machineTime(at, paceOf({ ...this.env })));
  }
}

export default worker(open);
