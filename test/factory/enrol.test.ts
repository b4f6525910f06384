import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fingerprint, hashSecret } from "#adapters/signer/digest.ts";
import { joseSigner, newKeyPair } from "#adapters/signer/jose.ts";
import type { EnrolRequest } from "#core/hq-api.ts";
import { answerJoin, enrolFactory, joinCodeMs, makeJoinCode } from "#factory/enrol.ts";
import { retireFactory } from "#factory/retire.ts";
import { type HqBench, openHq, owner } from "./headquarters.ts";

const digest = { hash: hashSecret, fingerprint };
const desk = { id: "desk-1", name: "Desk", role: "branch" as const };
const second = 4712;

let b: HqBench;
beforeEach(async () => {
  b = await openHq({ env: { TELEGRAM_OWNER_IDS: `${owner},${second}` } });
});
afterEach(() => b.close());

const code = (factory = desk) => makeJoinCode(b.hq, digest, factory);
async function request(secret: string, changed: Partial<EnrolRequest> = {}): Promise<EnrolRequest> {
  const signer = await joseSigner((await newKeyPair()).privateJwk);
  const proof = await signer.prove(await hashSecret(secret));
  return { code: secret, factory: "desk-1", name: "Desk", role: "branch", key: signer.publicKey, proof, ...changed };
}
const enrol = async (secret: string, changed: Partial<EnrolRequest> = {}) => enrolFactory(b.hq, digest, await request(secret, changed));
const taps = async () => {
  const rows = await b.rows(
    "select body_json from letters where key like 'join:%' and key not like '%answer' and chat = ? order by id",
    owner,
  );
  return rows.map((row) => JSON.parse(String(row.body_json)).buttons[0].map((button: { tap: string }) => button.tap));
};
const answer = (tap: string, chat = owner, name = "Alice") => {
  const [, yes, factory = "", tag = ""] = tap.split(":");
  return answerJoin(b.hq, { factory, tag, yes: yes === "y", chat, name });
};
const status = async () => (await b.store.factories.get("desk-1"))?.status;
const edits = () =>
  b.rows(
    "select chat, body_json ->> '$.content.text' as text, body_json ->> '$.buttons' as buttons from letters where key like '%:answer' order by chat",
  );

describe("a request to join", () => {
  it("waits for the owners, who see the fingerprint of the new key", async () => {
    const reply = await enrol(await code());
    expect(reply).toMatchObject({ factory: "desk-1", status: "pending", hqKid: b.hq.signer.kid, busUrl: b.hq.settings.busUrl });
    expect(await status()).toBe("pending");
    const letters = await b.rows("select chat, body_json ->> '$.content.text' as text from letters order by chat");
    expect(letters.map((letter) => letter.chat)).toEqual([owner, second]);
    for (const letter of letters) expect(letter.text).toContain(reply.fingerprint);
  });

  it("has taps of at most 64 bytes, with the longest id too", async () => {
    const id = "a".repeat(40);
    const long = { id, name: "Desk", role: "branch" as const };
    await enrol(await code(long), { factory: id });
    for (const tap of (await taps()).flat()) expect(new TextEncoder().encode(tap).length).toBeLessThanOrEqual(64);
    await answer((await taps())[0][0]);
    expect((await b.store.factories.get(id))?.status).toBe("active");
  });

  it("is taken once a code", async () => {
    const secret = await code();
    await enrol(secret);
    await expect(enrol(secret)).rejects.toMatchObject({ code: "conflict" });
  });

  it("is refused with a code that expired, that nobody made, or that is another factory's", async () => {
    const secret = await code();
    await expect(enrol(secret, { factory: "desk-2" })).rejects.toMatchObject({ code: "unauthenticated" });
    await expect(enrol("nobody-made-this-code")).rejects.toMatchObject({ code: "unauthenticated" });
    await b.clock.advance(joinCodeMs);
    await expect(enrol(secret)).rejects.toMatchObject({ code: "gone" });
    expect(await b.store.factories.list()).toEqual([]);
  });

  it("is refused at the sixth guess, with the right code too", async () => {
    const secret = await code();
    for (let i = 0; i < 6; i += 1) await enrol(`wrong-guess-${i}`).catch(() => undefined);
    await expect(enrol(secret)).rejects.toMatchObject({ code: "gone", message: expect.stringContaining("burned") });
  });

  it.each([{ name: "Other" }, { role: "headquarters" as const }])("is refused under %o, which the code is not for", async (changed) => {
    await expect(enrol(await code(), changed)).rejects.toMatchObject({ code: "forbidden" });
    expect(await b.store.factories.list()).toEqual([]);
  });

  it("is refused without possession of the key, and leaves the code unused", async () => {
    const secret = await code();
    const other = await request(secret);
    await expect(enrol(secret, { key: other.key })).rejects.toMatchObject({ code: "unauthenticated" });
    await expect(enrol(secret, { proof: "x.y.z" })).rejects.toMatchObject({ code: "unauthenticated" });
    expect(await enrol(secret)).toMatchObject({ status: "pending" });
  });

  it("keeps only the code's hash", async () => {
    const secret = await code();
    await enrol(secret);
    expect(JSON.stringify(await b.snapshot())).not.toContain(secret);
  });
});

describe("the owner's answer", () => {
  it.each([
    [0, "active", "Desk has joined.", "Approved by Alice: Desk (desk-1)"],
    [1, "retired", "Desk was refused.", "Refused by Alice: Desk (desk-1)"],
  ] as const)("button %i makes the factory %s, and takes every owner's buttons away", async (button, after, text, shown) => {
    await enrol(await code());
    expect(await answer((await taps())[0][button])).toBe(text);
    expect(await status()).toBe(after);
    expect(await edits()).toEqual([owner, second].map((chat) => ({ chat, text: expect.stringContaining(shown), buttons: "[]" })));
  });

  it("given twice, or by a second owner, stays what it was, and who gave it", async () => {
    await enrol(await code());
    const [yes, no] = (await taps())[0];
    await answer(yes);
    expect(await answer(yes)).toBe("Desk is active already.");
    expect(await answer(no, second, "Bob")).toBe("Desk is active already.");
    expect(await status()).toBe("active");
  });

  it("opens the factory's streams before it may work", async () => {
    await enrol(await code());
    b.bus.fail("open", "before");
    const [yes] = (await taps())[0];
    await expect(answer(yes)).rejects.toMatchObject({ code: "bus_unavailable" });
    expect(await status()).toBe("pending");
    await answer(yes);
    expect(await status()).toBe("active");
  });

  it("to an old request is none to a newer key", async () => {
    await enrol(await code());
    await enrol(await code());
    const [[oldYes], [newYes]] = await taps();
    expect(oldYes).not.toBe(newYes);
    expect(await answer(oldYes)).toContain("asked again with another key");
    expect(await status()).toBe("pending");
    await answer(newYes);
    expect(await status()).toBe("active");
  });

  it("to a key that changes meanwhile is none", async () => {
    await enrol(await code());
    const [yes] = (await taps())[0];
    const { get } = b.store.factories;
    const late = {
      ...b.store.factories,
      async get(id: string) {
        const factory = await get(id);
        await enrol(await code());
        return factory;
      },
    };
    const [, , factory = "", tag = ""] = yes.split(":");
    await answerJoin({ ...b.hq, store: { ...b.store, factories: late } }, { factory, tag, yes: true, chat: owner, name: "Alice" });
    expect(await status()).toBe("pending");
  });

  it("about nobody is told so", async () => {
    expect(await answer("join:y:desk-9:abc")).toBe("There is no factory desk-9.");
  });
});

describe("a factory that is retired", () => {
  it("is heard no more, and comes back only with a new code", async () => {
    await enrol(await code());
    await answer((await taps())[0][0]);
    expect(await retireFactory(b.hq, "desk-1")).toContain("is retired");
    expect(await status()).toBe("retired");
    expect(await retireFactory(b.hq, "desk-1")).toContain("already");
    expect(await retireFactory(b.hq, "desk-9")).toContain("There is no factory");
    await enrol(await code());
    expect(await status()).toBe("pending");
  });
});
