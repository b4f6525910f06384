/** What exactly an approval of a set-up is for. */
import type { Setup } from "#core/setup.ts";

/** SHA-256, hex, over the factory, the workspace, the command and the hosts: another of any of them is another digest. */
export async function setupDigest(factory: string, { workspace, command, hosts }: Setup): Promise<string> {
  const text = JSON.stringify(["setup", factory, workspace, command, hosts]);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
