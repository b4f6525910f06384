/** A one-time link to the Corporation View. It goes to the owner's chat, never to the model. */
import * as z from "zod";
import { rich } from "#core/rich-text.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import type { Update } from "#ports/store.ts";
import type { Tool } from "#ports/tool.ts";
import type { Digest } from "../context.ts";

const input = z.strictObject({});
const linkMs = 10 * 60_000;

export function viewTool(hq: Headquarters, digest: Digest, update: Update): Tool<z.infer<typeof input>> {
  return {
    name: "view",
    description: "Send the owner a link to the Corporation View (fleet, tasks and costs on a page).",
    input,
    needs: null,
    repeatable: true,
    run: async () => ({ content: await sendViewLink(hq, digest, update) }),
  };
}

/** Queues the link as a message of its own; resolves to what to say beside it. */
export async function sendViewLink(hq: Headquarters, digest: Digest, update: Update): Promise<string> {
  const token = hq.ids.secret(24);
  const now = hq.clock.now();
  await hq.store.access.addLogin(await digest.hash(token), now + linkMs);
  const url = `${hq.settings.publicUrl}/login?t=${token}`;
  const content = rich("The Corporation View, for you alone, for ten minutes:");
  const body = { kind: "text" as const, content, buttons: [[{ label: "Open the Corporation View", url }]], silent: true, replyTo: null };
  await hq.store.letters.add([{ key: `view:${update.id}`, chat: update.chat, body }], now);
  return "I sent you a link that works once.";
}
