import { describe, expect, it } from "vitest";
import { enrolRequestSchema, paths, publicKeySchema } from "#core/hq-api.ts";

const key = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };

describe("publicKeySchema", () => {
  it("takes an Ed25519 public key (RFC 8037, appendix A.2)", () => expect(publicKeySchema.parse(key)).toEqual(key));

  it.each([
    ["with its private part", { ...key, d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A" }],
    ["for encryption", { ...key, crv: "X25519" }],
    ["of another type", { kty: "oct", k: "AAAA" }],
    ["too short", { ...key, x: key.x.slice(1) }],
    ["too long", { ...key, x: `${key.x}A` }],
    ["in plain base64", { ...key, x: key.x.replace("_", "/") }],
    ["with a newline", { ...key, x: `${key.x.slice(1)}\n` }],
    ["with a say in its use", { ...key, alg: "none" }],
  ])("refuses one %s", (_, bad) => expect(publicKeySchema.safeParse(bad).success).toBe(false));
});

describe("enrolRequestSchema", () => {
  const request = { code: "c", factory: "homer", name: "Homer", role: "branch", key, proof: "p" };

  it("takes what a factory says of itself", () => expect(enrolRequestSchema.parse(request)).toEqual(request));

  it.each([
    ["the name of headquarters", { factory: "hq" }],
    ["a factory that is a path", { factory: "../hq" }],
    ["an invented role", { role: "owner" }],
    ["no name", { name: "" }],
    ["a key more", { admin: true }],
  ])("refuses %s (row 22)", (_, change) => expect(enrolRequestSchema.safeParse({ ...request, ...change }).success).toBe(false));
});

describe("paths", () => {
  it("are apart", () => expect(new Set(Object.values(paths)).size).toBe(4));
});
