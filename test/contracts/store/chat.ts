import { expect, it } from "vitest";
import type { Inbound } from "#ports/chat.ts";
import type { Entry } from "#ports/transcript.ts";
import type { Bench } from "../store.contract.ts";
import { atOnce, count } from "./samples.ts";

const inbound = (chat = 7, text = "hello 'there' ä"): Inbound => ({
  kind: "text",
  chat,
  message: 1,
  from: 5,
  name: "Owner",
  text,
  replyTo: null,
  forwarded: false,
});

export function chatCases(bench: Bench): void {
  it("takes an update once, and knows whether it was finished", async () => {
    const { updates } = bench.store;
    const answers = await atOnce(20, () => updates.receive(900, inbound(), 100));
    expect([count(answers, "new"), count(answers, "unfinished")]).toEqual([1, 19]);
    await updates.finish(900, "replied", 200);
    await updates.finish(900, "said twice", 300);
    expect(await updates.receive(900, inbound(), 400)).toBe("finished");
    expect(await bench.sql("select outcome, finished_at from inbound_updates")).toEqual([{ outcome: "replied", finished_at: 200 }]);
  });

  it("gives a chat's oldest unfinished update, and counts how often", async () => {
    const { updates } = bench.store;
    await updates.receive(902, inbound(7, "second"), 100);
    await updates.receive(901, inbound(7, "first"), 110);
    await updates.receive(903, inbound(8, "other chat"), 90);
    expect(await updates.begin(7, 200)).toEqual({ id: 901, chat: 7, inbound: inbound(7, "first"), attempts: 1, receivedAt: 110 });
    expect(await updates.begin(7, 210)).toMatchObject({ id: 901, attempts: 2 });
    await updates.pause(901);
    expect(await updates.begin(7, 215)).toMatchObject({ id: 901, attempts: 1 });
    await updates.finish(901, "replied", 220);
    expect(await updates.begin(7, 230)).toMatchObject({ id: 902, attempts: 1 });
    await updates.finish(902, "replied", 240);
    expect(await updates.begin(7, 250)).toBeNull();
  });

  it("names the chats that are stuck", async () => {
    const { updates } = bench.store;
    await updates.receive(901, inbound(7), 100);
    await updates.receive(902, inbound(7), 110);
    await updates.receive(903, inbound(8), 200);
    await updates.receive(904, inbound(9), 100);
    await updates.finish(904, "replied", 120);
    expect(await updates.stuckChats(200)).toEqual([7]);
  });

  it("keeps a turn's transcript in order, the first of a seq", async () => {
    const turn = bench.store.conversations.turn("turn_1");
    const entries: Entry[] = [
      { type: "user", text: "do it" },
      { type: "assistant", content: [{ type: "opaque", provider: "p", raw: { thinking: ["a", null] } }], stop: "tool_use" },
      { type: "intent", toolUseId: "u1", name: "delegate" },
      { type: "result", toolUseId: "u1", content: "ok", isError: false, end: { status: "done", summary: "s" } },
    ];
    expect(await turn.load()).toEqual([]);
    for (const seq of [2, 0, 3, 1]) await turn.append(seq, entries[seq] as Entry);
    await turn.append(0, { type: "user", text: "something else" });
    expect(await turn.load()).toEqual(entries);
    expect(await bench.store.conversations.turn("turn_2").load()).toEqual([]);
  });

  it("remembers the last exchanges of a chat, oldest first", async () => {
    const { conversations } = bench.store;
    const said = (n: number) => ({ user: `u${n}`, reply: `r${n}`, at: 100 + n });
    for (const n of [2, 1, 3]) await conversations.close(`turn_${n}`, 7, said(n));
    await conversations.close("turn_3", 7, { ...said(3), reply: "said twice" });
    await conversations.close("turn_4", 8, said(4));
    expect(await conversations.recent(7, 2)).toEqual([said(2), said(3)]);
    expect(await conversations.recent(9, 2)).toEqual([]);
  });
}
