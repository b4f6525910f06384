/** What HQ uses of our adapters, in the runtime that HQ runs in: Node's Web Crypto and workerd's are two implementations. */
import { describe, expect, it } from "vitest";
import { randomIds } from "#adapters/ids/random.ts";
import { jsonLog } from "#adapters/log/json.ts";
import { knownValues } from "#adapters/redactor/known-values.ts";
import { fingerprint, hashSecret } from "#adapters/signer/digest.ts";
import { joseSigner, joseVerifier, newKeyPair } from "#adapters/signer/jose.ts";
import { type Envelope, wireVersion } from "#core/envelope.ts";
import type { PublicKey } from "#core/hq-api.ts";
import { defaultLimits } from "#core/limits.ts";
import type { OpsToken } from "#core/ops-token.ts";

const nowMs = 1_900_000_000_000;
const nowS = nowMs / 1000;
/** RFC 8037, appendix A.2. */
const rfcKey: PublicKey = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };

describe("in workerd", () => {
  it("envelopes, tokens and proofs are signed and verified", async () => {
    const hq = await joseSigner((await newKeyPair()).privateJwk);
    const homer = await joseSigner((await newKeyPair()).privateJwk);
    const verifier = joseVerifier();

    const bell: Envelope<"doorbell"> = {
      ...{ v: wireVersion, id: "env_0001", iss: "homer", aud: "hq", kind: "doorbell", iat: nowS, exp: nowS + 60, seq: 0, corr: null },
      body: { reason: "result" },
    };
    const jws = await homer.seal(bell);
    const trusted = async () => ({ owner: "homer", key: homer.publicKey });
    await expect(verifier.open(jws, "hq", trusted, nowMs)).resolves.toEqual(bell);
    await expect(verifier.open(`${jws}\n`, "hq", trusted, nowMs)).rejects.toMatchObject({ code: "bad_envelope" });
    const other = await hq.seal({ ...bell, iss: "homer" });
    await expect(verifier.open(other, "hq", trusted, nowMs)).rejects.toMatchObject({ code: "bad_envelope" });

    const token: OpsToken = {
      ...{ iss: "hq", aud: "homer", sub: "homer", jti: "ops_0001", iat: nowS, nbf: nowS, exp: nowS + 900, gen: 0, cnf: { jkt: homer.kid } },
      ...{ tsk: "task_0001", epoch: 1, rep: null, act: ["read"], net: [], sec: [], lim: defaultLimits, pol: "p" },
    };
    const jwt = await hq.mint(token);
    await expect(verifier.readToken(jwt, "homer", homer.kid, hq.publicKey, nowMs)).resolves.toEqual(token);
    await expect(verifier.readToken(jwt, "homer", hq.kid, hq.publicKey, nowMs)).rejects.toMatchObject({ code: "unauthenticated" });

    await expect(verifier.proves(await homer.prove("text"), "text", homer.publicKey)).resolves.toBe(true);
    await expect(verifier.proves(await homer.prove("text"), "text", hq.publicKey)).resolves.toBe(false);
  });

  it("keys, thumbprints, fingerprints and digests are those of the standards", async () => {
    const kid = await joseVerifier().thumbprint(rfcKey);
    expect(kid).toBe("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    expect(fingerprint(kid)).toBe("90fa-cafe-a9b1-5566-9854");
    await expect(hashSecret("abc")).resolves.toBe("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
  });

  it("a key of two halves is refused", async () => {
    const { privateJwk } = await newKeyPair();
    const torn = JSON.stringify({ ...JSON.parse(privateJwk), x: rfcKey.x });
    await expect(joseSigner(torn)).rejects.toMatchObject({ code: "bad_config" });
  });

  it("the log is written, and secrets are not", () => {
    const lines: string[] = [];
    const redactor = knownValues();
    redactor.learn({ TOKEN: "very-secret-value-1" });
    const log = jsonLog({ write: (line) => lines.push(line), redactor, level: "info", clock: { now: () => nowMs } });
    log.error("failed", { error: new Error("https://host/?t=very-secret-value-1"), id: randomIds.next("task") });
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ msg: "failed", error: { message: "https://host/?t=[TOKEN]" } });
  });
});
