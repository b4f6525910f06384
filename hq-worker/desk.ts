/** A chat's desk: a Durable Object that works one turn at a time, woken by an alarm that outlives a crash. */
import { DurableObject } from "cloudflare:workers";
import { openHeadquarters, type WorkerEnv } from "./compose.ts";
import type { Opened } from "./context.ts";
import { workDesk } from "./turn.ts";

const chatKey = "chat";

export class Desk extends DurableObject<WorkerEnv> {
  protected open(): Promise<Opened> {
    return openHeadquarters(this.env);
  }

  /** Durable when it resolves. An earlier wake-up is kept: it asks again when it is done. */
  async ring(chat: number, at: number): Promise<void> {
    await this.ctx.storage.put(chatKey, chat);
    const set = await this.ctx.storage.getAlarm();
    if (set === null || at < set) await this.ctx.storage.setAlarm(at);
  }

  override async alarm(): Promise<void> {
    const chat = await this.ctx.storage.get<number>(chatKey);
    if (chat === undefined) return;
    const { hq, digest, close } = await this.open();
    try {
      const next = await workDesk(hq, digest, chat);
      if (next !== null) await this.ring(chat, next);
    } finally {
      await close();
    }
  }
}
