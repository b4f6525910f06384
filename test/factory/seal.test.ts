import { expect, it } from "vitest";
import { manualClock } from "#adapters/clock/manual.ts";
import { countingIds } from "#adapters/ids/counting.ts";
import { joseSigner, joseVerifier, newKeyPair } from "#adapters/signer/jose.ts";
import { wireVersion } from "#core/envelope.ts";
import { seal } from "#factory/seal.ts";
import { receipt } from "../contracts/store/samples.ts";
import { resultOf, startMs } from "./headquarters.ts";

const { privateJwk, publicKey } = await newKeyPair();
const clock = manualClock(startMs + 999);
const deps = { self: "desk-1", signer: await joseSigner(privateJwk), clock, ids: countingIds() };
const open = (jws: string, nowMs: number) => joseVerifier().open(jws, "hq", async () => ({ owner: "desk-1", key: publicKey }), nowMs);

it("says who speaks to whom, and what it belongs to", async () => {
  const { id, jws } = await seal(deps, "doorbell", { reason: "result" }, { aud: "hq", corr: "t1-1-1", seq: 7 });
  const envelope = {
    v: wireVersion,
    id,
    iss: "desk-1",
    aud: "hq",
    kind: "doorbell",
    iat: startMs / 1000,
    exp: startMs / 1000 + 60,
    seq: 7,
    corr: "t1-1-1",
  };
  expect(await open(jws, startMs)).toEqual({ ...envelope, body: { reason: "result" } });
});

it("gives each message an id of its own, and no number where order does not matter", async () => {
  const one = await seal(deps, "doorbell", { reason: "result" }, { aud: "hq", corr: null });
  const two = await seal(deps, "doorbell", { reason: "result" }, { aud: "hq", corr: null });
  expect(one.id).not.toBe(two.id);
  expect(await open(one.jws, startMs)).toMatchObject({ seq: 0, corr: null });
});

const month = 30 * 24 * 3600;
it.each([
  ["claim", { task: "t1-1-1", epoch: 1, order: "env_1" }, 60],
  ["doorbell", { reason: "result" }, 60],
  ["reject", { entry: "1-0", reason: "old" }, month],
  ["progress", { task: "t1-1-1", epoch: 1, seq: 0, at: 1, kind: "step", persona: "Lisa", text: "" }, month],
] as const)("a %s lives %j … %i seconds, and the tolerated skew", async (kind, body, lifeS) => {
  const { jws } = await seal(deps, kind, body as never, { aud: "hq", corr: null });
  await expect(open(jws, startMs + (lifeS + 59) * 1000)).resolves.toMatchObject({ kind });
  await expect(open(jws, startMs + (lifeS + 60) * 1000)).rejects.toMatchObject({ code: "bad_envelope" });
});

it("refuses what no reader would accept, and what no bus would carry", async () => {
  const to = { aud: "hq", corr: null };
  await expect(seal(deps, "doorbell", { reason: "boredom" } as never, to)).rejects.toMatchObject({ code: "bad_input" });
  const result = resultOf({ receipt: { ...receipt, patch: "ä".repeat(150_000) } });
  await expect(seal(deps, "result", result, to)).rejects.toMatchObject({ code: "too_large" });
});
