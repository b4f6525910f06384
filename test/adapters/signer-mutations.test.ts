import fc from "fast-check";
import { describe, it } from "vitest";
import {
  badEnvelope,
  badToken,
  envelopeHeader,
  envelopeJws,
  forge,
  homer,
  hq,
  order,
  stranger,
  strangerKeys,
  tokenJwt,
  verifier,
} from "./signed.ts";

describe("any change", () => {
  const printable = fc.integer({ min: 0, max: 0x7f }).map((code) => String.fromCharCode(code));
  const mutations = (text: string) =>
    fc
      .tuple(fc.nat(text.length - 1), printable, fc.constantFrom("replace", "insert", "delete", "swap"))
      .map(([at, char, how]) => {
        if (how === "insert") return text.slice(0, at) + char + text.slice(at);
        if (how === "delete") return text.slice(0, at) + text.slice(at + 1);
        if (how === "swap")
          return (
            text.slice(0, at) +
            text
              .slice(at, at + 2)
              .split("")
              .reverse()
              .join("") +
            text.slice(at + 2)
          );
        return text.slice(0, at) + char + text.slice(at + 1);
      })
      .filter((mutated) => mutated !== text);

  it("of one character of an envelope is refused", () =>
    fc.assert(
      fc.asyncProperty(mutations(envelopeJws), (jws) => badEnvelope(jws)),
      { numRuns: 400 },
    ));

  it("of one character of a token is refused", () =>
    fc.assert(
      fc.asyncProperty(mutations(tokenJwt), (jwt) => badToken(jwt)),
      { numRuns: 400 },
    ));

  it("of one character of a proof proves nothing", async () => {
    const proof = await homer.prove("challenge");
    await fc.assert(
      fc.asyncProperty(mutations(proof), async (bad) => !(await verifier.proves(bad, "challenge", homer.publicKey))),
      { numRuns: 200 },
    );
  });

  it("that is signed anew by another key is refused", () =>
    fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 100 }), fc.boolean(), async (instruction, ownKid) => {
        const payload = { ...order, body: { ...order.body, instruction } };
        const header = ownKid ? { ...envelopeHeader, kid: stranger.kid } : envelopeHeader;
        await badEnvelope(forge(strangerKeys.privateJwk, header, payload));
      }),
      { numRuns: 50 },
    ));

  it("of the parts' mixture is refused", async () => {
    const [header, , signature] = envelopeJws.split(".");
    const [, otherPayload] = (await hq.seal({ ...order, seq: 2 })).split(".");
    await badEnvelope(`${header}.${otherPayload}.${signature}`, /does not verify/);
  });
});
