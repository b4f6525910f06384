import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hostEntry, narrowerHosts, permits } from "#core/hosts.ts";

describe("hostEntry", () => {
  it.each([
    ["Registry.NPMJS.org", "registry.npmjs.org:443"],
    ["example.org.:80", "example.org:80"],
    ["*.example.org", "*.example.org:443"],
    ["10.0.0.1:5432", "10.0.0.1:5432"],
    ["[::1]:80", "[::1]:80"],
  ])("%s is %s", (text, entry) => expect(hostEntry(text)).toBe(entry));

  it.each([
    "",
    "*",
    "*.org",
    "a.*.org",
    "*a.org",
    "http://a.org",
    "a.org:0",
    "a.org:99999",
    "a.org:x",
    "a b",
    "127.1",
    "256.0.0.1",
    "1",
    "::1",
    "-a.org",
  ])("%j is none", (text) => expect(hostEntry(text)).toBeNull());

  it("is its own form", () => {
    const entry = fc.tuple(fc.domain(), fc.integer({ min: 1, max: 65_535 })).map(([host, port]) => `${host}:${port}`);
    fc.assert(fc.property(entry, (text) => hostEntry(hostEntry(text) ?? "") === text.toLowerCase()));
  });
});

describe("permits", () => {
  const list = ["a.org:443", "*.b.org:443", "127.0.0.1:80"];
  it.each([
    ["a.org", 443],
    ["x.b.org", 443],
    ["x.y.b.org", 443],
    ["127.0.0.1", 80],
  ])("%s:%i", (host, port) => expect(permits(list, host, port)).toBe(true));

  it.each([
    ["a.org", 80],
    ["x.a.org", 443],
    ["b.org", 443],
    [".b.org", 443],
    ["xb.org", 443],
    ["a.org.evil.org", 443],
    ["127.0.0.1", 8],
    ["*.b.org", 80],
  ])("not %s:%i", (host, port) => expect(permits(list, host, port)).toBe(false));
});

describe("narrowerHosts", () => {
  it("is what both let through", () => {
    expect(narrowerHosts(["*.b.org:443", "a.org:443"], ["x.b.org:443", "c.org:443", "a.org:443"])).toEqual(["a.org:443", "x.b.org:443"]);
    expect(narrowerHosts(["*.b.org:443"], ["*.x.b.org:443"])).toEqual(["*.x.b.org:443"]);
    expect(narrowerHosts(["a.org:443"], [])).toEqual([]);
  });

  it("never lets through what one of them does not, and all that both do", () => {
    const labels = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 }).map((parts) => `${parts.join(".")}.org`);
    const entry = fc.tuple(fc.boolean(), labels).map(([wild, host]) => `${wild ? "*." : ""}${host}:443`);
    const lists = fc.array(entry, { maxLength: 4 });
    fc.assert(
      fc.property(lists, lists, labels, (a, b, host) => {
        expect(permits(narrowerHosts(a, b), host, 443)).toBe(permits(a, host, 443) && permits(b, host, 443));
      }),
    );
  });
});
