/** What the owner approves, as bytes: the same at headquarters, which asks, and at the factory, which does it. */
import { type Plan, planText } from "#core/follow-up.ts";

/** SHA-256 of a plan, hex. */
export async function digestOf(plan: Plan): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(planText(plan))));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
