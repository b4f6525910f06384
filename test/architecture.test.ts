/** The walls between the layers, each with its reason in architecture/walls.ts, checked on every source file of the checkout. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Edge, edgesOf, readSources, resolveEdge, scan } from "./architecture/imports.ts";
import { fakes, onlyOneUser, reachable, underused } from "./architecture/reach.ts";
import { layerOf, passes, refusal, walls } from "./architecture/walls.ts";

const root = join(import.meta.dirname, "..");
const sources = readSources(root);
const files = sources.map((source) => source.path);
const { edges, problems } = edgesOf(sources, root);
const made = (from: string, specifier: string, typeOnly = false) => resolveEdge(from, { specifier, typeOnly, dynamic: false });

describe("the scanner", () => {
  const specifiers = (text: string) => scan(text).found.map((one) => one.specifier);

  it("sees every form of import", () => {
    const text = [
      'import a from "1";',
      'import type { B } from "2";',
      'import c, { d } from "3";',
      'import * as e from "4";',
      "import {",
      "  f,",
      "  type G,",
      '} from "5";',
      'import "6";',
      'export { h } from "7";',
      'export type { I } from "8";',
      'export * from "9";',
      'export * as j from "10";',
      'const k = await import("11");',
      'type L = import("12").L;',
      "const m = () =>",
      '  import("13");',
      "import n from '14';",
      'import o, * as p from "15";',
    ].join("\n");
    expect(specifiers(text).sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 15 }, (_, index) => String(index + 1)));
    expect(scan(text).unseen).toEqual([]);
  });

  it("knows types and calls from plain imports", () => {
    expect(scan('import type { A } from "a";\ntype B = typeof import("b");\nconst c = await import("c");').found).toEqual([
      { specifier: "a", typeOnly: true, dynamic: false },
      { specifier: "b", typeOnly: true, dynamic: true },
      { specifier: "c", typeOnly: false, dynamic: true },
    ]);
  });

  it("is not misled by other code", () => {
    const text = [
      'export const from = "a";',
      "export interface A {",
      '  from: "b";',
      "}",
      'const text = "was born from";',
      "const dir = import.meta.dirname;",
      "/** A comment, import the rest from elsewhere. */",
    ].join("\n");
    expect(scan(text)).toEqual({ found: [], unseen: [] });
  });

  it("leaves out a program that is kept as text, and nothing else", () => {
    const text = 'import a from "1";\nconst file = `\nimport b from "2";\n`;\nimport c from "3";\n';
    expect(specifiers(text)).toEqual(["1", "3"]);
    expect(specifiers(`/* a lone \` tick */\n${text}`)).toEqual(["1", "2", "3"]);
  });

  it("reports what it can't judge", () => {
    expect(scan("const a = await import(name);").unseen).toHaveLength(1);
    expect(scan('const a = require("fs");').unseen).toHaveLength(1);
    expect(scan('import a = require("fs");').unseen).not.toEqual([]);
    expect(scan('import source a from "fs";').unseen).toHaveLength(1);
  });

  it("resolves to files, packages and built-ins", () => {
    const to = (specifier: string) => made("hq-worker/tools/cost.ts", specifier).to;
    expect(to("../app.ts")).toBe("hq-worker/app.ts");
    expect(to("#core/task.ts")).toBe("shared/core/task.ts");
    expect(to("@libsql/client/web")).toBe("@libsql/client");
    expect(to("hono/jsx")).toBe("hono");
    expect(to("node:fs/promises")).toBe("node:fs/promises");
  });
});

describe("the walls", () => {
  it("were checked on all the sources there are", () => {
    expect(files).toContain("shared/core/task.ts");
    expect(files.length).toBeGreaterThan(100);
    expect(edges.length).toBeGreaterThan(500);
    // What it loads was made of files that are checked here.
    const itself = "branch-agent/bundle.js: return createRequire(file)(file);: use import";
    expect(problems.filter((problem) => !problem.startsWith("test/"))).toEqual([itself]);
  });

  it("have a row for every folder, and every row stands for a folder", () => {
    const layers = [...new Set(files.map(layerOf))];
    const rows = walls.map((wall) => wall.layer);
    expect(layers.filter((layer) => !rows.includes(layer))).toEqual([]);
    expect(rows.filter((row) => !layers.includes(row))).toEqual([]);
  });

  it.each(walls.map((wall) => [wall.layer, wall.reason]))("%s: %s", (layer) => {
    const own = edges.filter((edge) => layerOf(edge.from) === layer);
    expect(own.length).toBeGreaterThan(0);
    expect(own.map(refusal).filter(Boolean)).toEqual([]);
  });

  it.each(passes.map((pass) => [pass.reason, pass] as const))("has a pass that is used: %s", (_, pass) => {
    expect(edges.some((edge) => pass.from.test(edge.from) && pass.to.test(edge.to))).toBe(true);
  });

  it.each([
    ["shared/core/task.ts", "#ports/clock.ts"],
    ["shared/core/task.ts", "node:crypto"],
    ["shared/core/task.ts", "hono"],
    ["shared/ports/bus.ts", "#factory/claim.ts"],
    ["shared/ports/bus.ts", "redis"],
    ["shared/staff/roster.ts", "#ports/llm.ts"],
    ["shared/factory/claim.ts", "#adapters/bus/redis.ts"],
    ["shared/factory/claim.ts", "node:fs"],
    ["shared/factory/claim.ts", "../../hq-worker/app.ts"],
    ["shared/adapters/bus/redis.ts", "#adapters/store/libsql.ts"],
    ["shared/adapters/bus/redis.ts", "#factory/claim.ts"],
    ["shared/adapters/log/json.ts", "jose"],
    ["shared/adapters/new/thing.ts", "#core/task.ts"],
    ["hq-worker/app.ts", "#adapters/store/libsql.ts"],
    ["hq-worker/app.ts", "../branch-agent/loop.ts"],
    ["hq-worker/app.ts", "../dashboard/app.tsx"],
    ["hq-worker/app.ts", "node:fs"],
    ["hq-worker/node.ts", "node:fs"],
    ["hq-worker/chat-queue.ts", "@hono/node-server"],
    ["hq-worker/serve.ts", "#adapters/store/libsql.ts"],
    ["hq-worker/compose.ts", "../scripts/migrate-database.ts"],
    ["branch-agent/loop.ts", "#adapters/bus/redis.ts"],
    ["branch-agent/loop.ts", "../hq-worker/app.ts"],
    ["branch-agent/compose.ts", "../dev/index.ts"],
    ["dashboard/app.tsx", "#adapters/store/schema.ts"],
    ["dashboard/panels/task.tsx", "drizzle-orm"],
    ["dashboard/app.tsx", "../hq-worker/app.ts"],
    ["dev/index.ts", "../test/support/mortal.ts"],
  ])("refuse %s → %s", (from, specifier) => {
    expect(refusal(made(from, specifier))).toMatch(/must not import|has no row/);
    expect(refusal(made(from, specifier, true))).not.toBeNull();
  });
});

describe("the Worker", () => {
  const run = (edge: Edge) => !edge.typeOnly;
  const inWorker = reachable(edges, ["hq-worker/index.ts"], run);

  it("reaches nothing that needs Node", () => {
    expect(inWorker.size).toBeGreaterThan(50);
    const used = edges.filter((edge) => inWorker.has(edge.from) && run(edge));
    const unfit = used.filter(
      ({ kind, specifier }) => kind === "builtin" || specifier === "@libsql/client" || specifier.startsWith("@hono/node"),
    );
    expect(unfit.map(({ from, specifier }) => `${from} → ${specifier}`)).toEqual([]);
  });
});

describe("a bare clone", () => {
  it("sets itself up with built-ins alone", () => {
    const firstRun = (edge: Edge) => !edge.typeOnly && !edge.dynamic;
    const entries = ["scripts/start.mjs", "scripts/test.mjs", "scripts/check.mjs", "scripts/with-node24.mjs", "branch-agent/index.js"];
    expect(entries.filter((entry) => !files.includes(entry))).toEqual([]);
    const run = reachable(edges, entries, firstRun);
    const needed = edges.filter((edge) => run.has(edge.from) && firstRun(edge));
    expect(needed.filter((edge) => edge.kind === "package").map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });
});

describe("shared/", () => {
  const rare = underused(files, edges).filter((file) => !fakes.test(file));

  it("holds only what two programs or the factory use", () => {
    expect(rare.filter((file) => !onlyOneUser.some((one) => one.files.test(file)))).toEqual([]);
  });

  it.each(onlyOneUser.map((one) => [one.reason, one.files] as const))("has an exemption that is needed: %s", (_, exempt) => {
    expect(rare.some((file) => exempt.test(file))).toBe(true);
  });

  it("would notice a file that nobody needs", () => {
    const lonely = "shared/core/lonely.ts";
    const more = [...edges, made("dev/index.ts", "#core/lonely.ts")];
    expect(underused([...files, lonely], more)).toContain(lonely);
    expect(underused([...files, lonely], [...more, made("hq-worker/app.ts", "#core/lonely.ts")])).not.toContain(lonely);
  });
});

describe("files", () => {
  it("are at most 400 lines long (tests apart)", () => {
    const long = sources.filter(({ path, text }) => !path.startsWith("test/") && text.split("\n").length > 401);
    expect(long.map((source) => source.path)).toEqual([]);
  });
});
