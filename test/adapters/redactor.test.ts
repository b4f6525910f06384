import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { knownValues } from "#adapters/redactor/known-values.ts";

const secret = 's3cr3t/Pa+ss="wörd"\\n_42';
const base64 = (bytes: string | Buffer) => Buffer.from(bytes).toString("base64");
const hexOf = (text: string) => Buffer.from(text).toString("hex");

function redactorOf(secrets: Record<string, string | undefined>) {
  const redactor = knownValues();
  redactor.learn(secrets);
  return redactor;
}
const clean = (text: string, value = secret) => redactorOf({ API_KEY: value }).clean(text);

/** How a value turns up where it should not. Each makes one text of any value. */
const spellings: Record<string, (value: string) => string> = {
  raw: (value) => value,
  "base64 at the start": (value) => base64(value),
  "base64 one byte later": (value) => base64(`:${value}:`),
  "base64 two bytes later": (value) => base64(`::${value}`),
  "base64url in a Basic header": (value) => Buffer.from(`user:${value}`).toString("base64url"),
  "base64 in lines of 76": (value) => base64(`${"x".repeat(50)}${value}`).replace(/(.{76})/g, "$1\r\n"),
  "hex, lower case": (value) => hexOf(value),
  "hex, upper case": (value) => hexOf(value).toUpperCase(),
  "URL-encoded": (value) => encodeURIComponent(value),
  "URL-encoded, lower-case hex": (value) => encodeURIComponent(value).replace(/%../g, (pair) => pair.toLowerCase()),
  "URL-encoded, every byte": (value) => hexOf(value).replace(/../g, "%$&"),
  "URL-encoded twice": (value) => encodeURIComponent(encodeURIComponent(value)),
  "form-encoded": (value) => new URLSearchParams({ key: value }).toString(),
  "JSON-escaped": (value) => JSON.stringify({ key: value }),
  "JSON in JSON": (value) => JSON.stringify(JSON.stringify({ key: value })),
  "JSON, all in \\u": (value) => `"${value.replace(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`,
  "base64 in JSON with escaped slashes": (value) => JSON.stringify(base64(value)).replaceAll("/", "\\/"),
  "base64 in a URL": (value) => encodeURIComponent(base64(value)),
  "split by zero-width characters": (value) => [...value].join("\u200b"),
  "split by bidi and tag characters": (value) => [...value].join("\u2066\u{e0041}\u00ad"),
  "split over lines": (value) => [...value].join("\n"),
  spaced: (value) => [...value].join(" "),
};

/** Decodes everything that could be an encoding of the value: an oracle that shares nothing with the redactor. */
function reveals(text: string, value: string): boolean {
  const bytes = Buffer.from(value).toString("latin1");
  const holds = (candidate: string) => candidate.includes(bytes);
  const runs = text.replace(/\s/g, "").match(/[A-Za-z0-9+/_-]{8,}/g) ?? [];
  const decoded = runs.flatMap((run) => [0, 1, 2, 3].map((skip) => Buffer.from(run.slice(skip), "base64").toString("latin1")));
  const hex = (text.match(/(?:[0-9a-fA-F]{2}){4,}/g) ?? [])
    .flatMap((run) => [run, run.slice(1)])
    .map((run) => Buffer.from(run, "hex").toString("latin1"));
  const percent = Buffer.from(
    text.replace(/%([0-9a-fA-F]{2})/g, (_, pair) => String.fromCharCode(Number.parseInt(pair, 16))),
    "latin1",
  );
  return [...decoded, ...hex, percent.toString("latin1"), Buffer.from(text).toString("latin1")].some(holds);
}

describe("spellings", () => {
  it.each(Object.entries(spellings))("%s is found, and the text around it stays", (_, spell) => {
    const cleaned = clean(`before ${spell(secret)} after`);
    expect(cleaned).toContain("[API_KEY]");
    expect(cleaned).toMatch(/^before .* after$/s);
    expect(reveals(cleaned, secret)).toBe(false);
  });

  it("the oracle of these tests sees what it should", () => {
    for (const spell of ["raw", "base64 at the start", "base64 one byte later", "hex, upper case", "URL-encoded, every byte"]) {
      expect(reveals(`x ${spellings[spell]?.(secret)} y`, secret), spell).toBe(true);
    }
    expect(reveals("nothing here", secret)).toBe(false);
  });

  it("cuts out no more than the secret", () => {
    expect(clean(`a ${secret} b`)).toBe("a [API_KEY] b");
    expect(clean(`"${secret}"`)).toBe('"[API_KEY]"');
    expect(clean(JSON.stringify({ a: 1, key: secret, b: "😀" }))).toBe('{"a":1,"key":"[API_KEY]","b":"😀"}');
    expect(clean(`😀${secret}😀${secret}😀`)).toBe("😀[API_KEY]😀[API_KEY]😀");
    expect(clean(`https://host/?k=${encodeURIComponent(secret)}&x=%20`)).toBe("https://host/?k=[API_KEY]&x=%20");
  });
});

describe("properties", () => {
  const value = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9_-]{8,64}$/),
    fc.stringMatching(/^[ -~]{8,40}$/),
    fc.string({ unit: "binary", minLength: 8, maxLength: 40 }).filter((text) => text.isWellFormed()),
  );
  const around = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.string({ unit: "grapheme", maxLength: 30 }),
    fc.stringMatching(/^[A-Za-z0-9+/%\\]{0,30}$/),
  );
  /** What is only white space and invisible characters leaves nothing to look for; base64 and hex of it are found all the same. */
  const solid = (text: string) => text.replace(/[\s\p{C}\p{Z}\p{M}\u115f\u1160\u3164\uffa0]/gu, "").length >= 8;

  it("whatever stands around it and however it is spelled, no value comes through", () =>
    fc.assert(
      fc.property(value.filter(solid), around, around, fc.constantFrom(...Object.keys(spellings)), (secret, before, after, spelling) => {
        // A text that escapes or encodes into its neighbour changes what is spelled: such a neighbour needs a border.
        const text = `${before} ${spellings[spelling]?.(secret)} ${after}`;
        const cleaned = clean(text, secret);
        expect(cleaned).not.toContain(secret);
        expect(reveals(cleaned, secret)).toBe(false);
        expect(cleaned).not.toContain(spellings[spelling]?.(secret));
      }),
      { numRuns: 600 },
    ));

  it("no bytes around it hide it in base64", () =>
    fc.assert(
      fc.property(value, fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), fc.boolean(), (secret, before, after, url) => {
        const bytes = Buffer.concat([before, Buffer.from(secret), after]);
        const text = bytes.toString(url ? "base64url" : "base64");
        expect(reveals(clean(text, secret), secret)).toBe(false);
      }),
      { numRuns: 300 },
    ));

  it("cleaning twice is cleaning once", () =>
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 4 }), fc.array(around, { maxLength: 6 }), (secrets, texts) => {
        const redactor = redactorOf(Object.fromEntries(secrets.map((secret, i) => [`NAME_${i}`, secret])));
        const once = redactor.clean(texts.flatMap((text, i) => [text, secrets[i % secrets.length]]).join(""));
        expect(redactor.clean(once)).toBe(once);
      }),
      { numRuns: 200 },
    ));

  it("text without a secret is not touched", () =>
    fc.assert(
      fc.property(fc.oneof(around, fc.json()), (text) => {
        expect(clean(text, "a-value-that-no-text-holds-0123456789")).toBe(text);
      }),
    ));
});

describe("learning", () => {
  it("ignores what is missing or shorter than eight characters", () => {
    const redactor = redactorOf({ A: undefined, B: "", C: "true", D: "1234567" });
    expect(redactor.clean("true 1234567")).toBe("true 1234567");
  });

  it("adds to what is known", () => {
    const redactor = redactorOf({ FIRST: "first-value" });
    redactor.learn({ SECOND: "second-value" });
    expect(redactor.clean("first-value second-value")).toBe("[FIRST] [SECOND]");
  });

  it("the longest of overlapping values gives its name, and nothing of the shorter is left", () => {
    const redactor = redactorOf({ SHORT: "abcdefgh", LONG: "abcdefgh-and-more", OTHER: "more-after-it" });
    expect(redactor.clean("abcdefgh-and-more")).toBe("[LONG]");
    expect(redactor.clean("abcdefgh-and-more-after-it.")).toBe("[LONG].");
    expect(redactor.clean("abcdefgh-and")).toBe("[SHORT]-and");
  });

  it("one value under two names keeps the first", () => {
    expect(redactorOf({ ONE: "the-same-value", TWO: "the-same-value" }).clean("the-same-value")).toBe("[ONE]");
  });

  it("a name never tells a value", () => {
    const redactor = redactorOf({ POSTGRES_PASSWORD: "PASSWORD" });
    expect(redactor.clean("it is PASSWORD.")).toBe("it is [secret].");
  });

  it("a value that removal puts together is removed too", () => {
    const cleaned = redactorOf({ X: "[X]abcdefgh", Y: "12345678" }).clean("[X]abc12345678defgh");
    expect(cleaned).toBe("[X]abc[Y]defgh");
    const nasty = redactorOf({ A: "abcd[A]efgh", B: "1234[A]5678" });
    expect(nasty.clean("abcdabcd[A]efghefgh")).not.toContain("abcd[A]efgh");
  });

  it("the password in a URL is a secret by itself", () => {
    const redactor = redactorOf({ BUS_URL: "rediss://default:p%40ss-word-1@bus.example:6379" });
    expect(redactor.clean("AUTH default p@ss-word-1 failed")).toBe("AUTH default [BUS_URL] failed");
    expect(redactor.clean("p%40ss-word-1")).toBe("[BUS_URL]");
    expect(redactor.clean("connected to bus.example:6379")).toBe("connected to bus.example:6379");
  });

  it("so is the private part of a JWK, and its public part is not", () => {
    const jwk = {
      kty: "OKP",
      crv: "Ed25519",
      x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
      d: "a-private-part-of-43-characters-in-base64url",
    };
    const redactor = redactorOf({ SIGNING_KEY: JSON.stringify(jwk) });
    expect(redactor.clean(`d is ${jwk.d}`)).toBe("d is [SIGNING_KEY]");
    expect(redactor.clean(`x is ${jwk.x}`)).toBe(`x is ${jwk.x}`);
    expect(redactor.clean(JSON.stringify(jwk))).toBe("[SIGNING_KEY]");
  });

  it("so is every line of a PEM, and a PEM with escaped newlines is the same PEM", () => {
    const lines = [
      "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v0VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g",
      "AAAAC3NzaC1lZDI1NTE5AAAAIJ1hsZ3v0VpguoRK9JLsLMREScVpez",
    ];
    const pem = ["-----BEGIN PRIVATE KEY-----", ...lines, "-----END PRIVATE KEY-----"].join("\n");
    for (const value of [pem, pem.replaceAll("\n", "\\n")]) {
      const redactor = redactorOf({ PEM: value });
      expect(redactor.clean(`> ${lines[1]}`)).toBe("> [PEM]");
      expect(redactor.clean(pem)).toBe("[PEM]");
      expect(redactor.clean("-----BEGIN PRIVATE KEY-----")).toBe("-----BEGIN PRIVATE KEY-----");
    }
  });
});
