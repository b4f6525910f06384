import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deliverLetters } from "#factory/deliver.ts";
import { runCommand } from "../../hq-worker/commands.ts";
import { type HqBench, openHq, owner, startMs } from "../factory/headquarters.ts";

let b: HqBench;
beforeEach(async () => {
  b = await openHq();
});
afterEach(() => b.close());

const digest = { hash: async (text: string) => text, fingerprint: (text: string) => text };

async function answerTo(text: string) {
  const inbound = { kind: "text", chat: owner, message: 7, from: owner, name: "Owner", text, replyTo: null, forwarded: false } as const;
  await runCommand(b.hq, digest, { id: 1, chat: owner, inbound, attempts: 1, receivedAt: startMs }, inbound);
  await deliverLetters(b.hq);
  return b.chat.texts().at(-1) ?? "";
}

describe("a slip of the owner's", () => {
  it("is named before the list of commands", async () => {
    expect(await answerTo("/nonsense now")).toMatch(/^There is no \/nonsense\. Tell me what to do, or use:\n\/status/);
  });
  it("may be a slash alone", async () => expect(await answerTo("/")).toMatch(/^That is no command\. Tell me/));
  it("may be the case", async () => expect(await answerTo("/CANCEL")).toMatch(/^Which task\?/));
  it.each([
    ["/pause", "Which task? /pause <id>"],
    ["/resume", "Which task? /resume <id>"],
    ["/steer", "Which task, and what?"],
    ["/steer t1-1-1", "Which task, and what?"],
    ["/steer t1-1-1 Use tabs.", "There is no task t1-1-1"],
    ["/pause t1-1-1", "There is no task t1-1-1"],
    ["/drain", "Which machine? /drain <id>"],
    ["/drain desk-1", "There is no factory desk-1"],
    ["/undrain desk-1", "There is no factory desk-1"],
  ])("may be what it is about: %s", async (command, answer) => expect(await answerTo(command)).toContain(answer));
  it.each(["/task", "/cancel", "/steer x"])("is not read back at length: %s", async (command) => {
    expect((await answerTo(`${command} ${"x".repeat(3000)}`)).length).toBeLessThan(200);
  });
});
