import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeDemoShop } from "../../dev/demo-shop.ts";
import { type Model, startModel } from "../../dev/model/server.ts";
import { runCoder, writeRepo } from "./model-bench.ts";

let model: Model;
let dir: string;
beforeAll(async () => {
  model = await startModel();
});
afterAll(() => model.close());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "model-coder-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const manifest = (test: string) => JSON.stringify({ type: "module", scripts: { test } });
const tester = `import assert from "node:assert/strict";\nimport { describe, it, test } from "node:test";\n`;

/** Repositories of different shape, each with one slip and the line as it should be. */
const repos: { name: string; files: Record<string, string>; fixed: [path: string, line: string] }[] = [
  {
    name: "an operator, in a helper that the tested function calls",
    files: {
      "package.json": manifest("node --test"),
      "lib/geometry.js": `export const area = (w, h) => w * h;\n\nfunction perimeter(w, h) {\n  return 2 * (w - h);\n}\n\nexport function fence(plot, pricePerMetre) {\n  return perimeter(plot.width, plot.height) * pricePerMetre;\n}\n`,
      "spec/fence.test.js": `${tester}import { area, fence } from "../lib/geometry.js";\n\ntest("area", () => assert.equal(area(3, 4), 12));\ntest("a fence goes all around", () => {\n  assert.equal(fence({ width: 3, height: 4 }, 10), 140);\n});\n`,
    },
    fixed: ["lib/geometry.js", "  return 2 * (w + h);"],
  },
  {
    name: "a wrong property, in a class, under describe and the tap reporter",
    files: {
      "package.json": manifest("node --test --test-reporter=tap"),
      "src/team/roster.mjs": `export class Roster {\n  #people = [];\n  add(name, hours) {\n    this.#people.push({ name, hours });\n    return this;\n  }\n  totalHours() {\n    return this.#people.reduce((sum, person) => sum + person.name, 0);\n  }\n  size() {\n    return this.#people.length;\n  }\n}\n`,
      "src/team/roster.test.mjs": `${tester}import { Roster } from "./roster.mjs";\n\ndescribe("Roster", () => {\n  it("counts people", () => assert.equal(new Roster().add("A", 1).size(), 1));\n  it("sums hours", () => {\n    assert.equal(new Roster().add("A", 8).add("B", 4).totalHours(), 12);\n  });\n});\n`,
    },
    fixed: ["src/team/roster.mjs", "    return this.#people.reduce((sum, person) => sum + person.hours, 0);"],
  },
  {
    name: "a wrong percentage in a constant, two files away",
    files: {
      "package.json": manifest("node --test"),
      "rates.js": `export const standardRate = 0.02;\nexport const reducedRate = 0.07;\n`,
      "tax.js": `import { reducedRate, standardRate } from "./rates.js";\n\nexport function tax(net, kind) {\n  const rate = kind === "food" ? reducedRate : standardRate;\n  return Math.round(net * rate);\n}\n`,
      "test/tax.test.js": `${tester}import { tax } from "../tax.js";\n\ntest("food", () => assert.equal(tax(1000, "food"), 70));\ntest("everything else is taxed at the standard rate", () => assert.equal(tax(1000, "tool"), 200));\n`,
    },
    fixed: ["rates.js", "export const standardRate = 0.2;"],
  },
  {
    name: "arguments the wrong way round",
    files: {
      "package.json": manifest("node --test"),
      "a/clamp.js": `export function clamp(value, low, high) {\n  return Math.min(Math.max(value, low), high);\n}\n`,
      "a/volume.js": `import { clamp } from "./clamp.js";\n\nexport function setVolume(device, wanted) {\n  return { ...device, volume: clamp(wanted, device.max, device.min) };\n}\n`,
      "a/volume.test.js": `${tester}import { clamp } from "./clamp.js";\nimport { setVolume } from "./volume.js";\n\ntest("clamp", () => assert.deepEqual([-1, 1, 9].map((n) => clamp(n, 0, 5)), [0, 1, 5]));\ntest("volume stays in range", () => {\n  assert.deepEqual(setVolume({ min: 0, max: 11 }, 5), { min: 0, max: 11, volume: 5 });\n});\n`,
    },
    fixed: ["a/volume.js", "  return { ...device, volume: clamp(wanted, device.min, device.max) };"],
  },
];

describe("the stand-in as a coder", () => {
  it.each(repos)("repairs $name", async ({ files, fixed: [path, line] }) => {
    writeRepo(dir, files);
    const end = await runCoder(model.url, dir, "The tests fail. Fix them.");
    expect(end).toMatchObject({ status: "done" });
    const expected = files[path]?.split("\n").map((old, i) => (readFileSync(join(dir, path), "utf8").split("\n")[i] === old ? old : line));
    expect(readFileSync(join(dir, path), "utf8")).toBe(expected?.join("\n"));
    expect(readFileSync(join(dir, path), "utf8")).toContain(line);
    for (const other of Object.keys(files).filter((name) => name !== path))
      expect(readFileSync(join(dir, other), "utf8")).toBe(files[other]);
  });

  it("repairs the demo shop", async () => {
    await makeDemoShop(dir);
    const end = await runCoder(model.url, dir, "The tests of the demo shop fail. Fix them.");
    expect(end.status).toBe("done");
    expect(end.summary).toContain('The test "ten pieces get the bulk discount"');
    expect(end.summary).toContain("12 of 12 tests pass");
    expect(readFileSync(join(dir, "src/discount.js"), "utf8")).toContain("quantity >= bulkQuantity");
  });

  it("repairs two faults, one after the other", async () => {
    const files = {
      "package.json": manifest("node --test"),
      "sum.js":
        "export const total = (list) => list.reduce((sum, n) => sum - n, 0);\n\nexport const isFull = (list, size) => list.length > size;\n",
      "sum.test.js": `${tester}import { isFull, total } from "./sum.js";\n\ntest("total", () => assert.equal(total([1, 2]), 3));\ntest("full", () => assert.equal(isFull([1, 2], 2), true));\ntest("not full", () => assert.equal(isFull([1], 2), false));\n`,
    };
    writeRepo(dir, files);
    const end = await runCoder(model.url, dir, "Please repair the test suite");
    expect(end).toMatchObject({ status: "done", summary: expect.stringContaining("3 of 3 tests pass") });
    expect(readFileSync(join(dir, "sum.js"), "utf8")).toBe(files["sum.js"].replace("sum - n", "sum + n").replace("> size", ">= size"));
  });

  it("gives up on what no small change repairs, says so, and puts everything back", async () => {
    const files = {
      "package.json": manifest("node --test"),
      "slug.js": "export function slug(title) {\n  return title;\n}\n",
      "slug.test.js": `${tester}import { slug } from "./slug.js";\n\ntest("slug", () => assert.equal(slug("Hello, World"), "hello-world"));\n`,
    };
    writeRepo(dir, files);
    const end = await runCoder(model.url, dir, "Fix the failing test.");
    expect(end).toMatchObject({ status: "failed", summary: expect.stringContaining("put everything back") });
    expect(end.summary).toContain("stand-in");
    for (const [path, text] of Object.entries(files)) expect(readFileSync(join(dir, path), "utf8")).toBe(text);
  });

  it("changes nothing where nothing fails", async () => {
    writeRepo(dir, { "package.json": manifest("node --test"), "a.test.js": `${tester}test("a", () => {});\n` });
    const end = await runCoder(model.url, dir, "The tests fail. Fix them.");
    expect(end).toMatchObject({ status: "done", summary: expect.stringContaining("all 1 tests pass") });
    expect(end.messages.some((message) => message.content.some((block) => block.type === "tool_use" && block.name === "edit"))).toBe(false);
  });

  it.each([
    ["without a test command", { "package.json": "{}" }, "no command that runs the tests"],
    ["with another test runner", { "package.json": manifest("echo 3 passed") }, "not that of Node's test runner"],
  ])("says that it can't work in a repository %s", async (_, files, why) => {
    writeRepo(dir, files);
    const end = await runCoder(model.url, dir, "The tests fail. Fix them.");
    expect(end).toMatchObject({ status: "failed", summary: expect.stringContaining(why) });
  });

  it("refuses other work, and says what it can do", async () => {
    const end = await runCoder(model.url, dir, "Write a poem about the sea.");
    expect(end).toMatchObject({ status: "failed", steps: 1, summary: expect.stringMatching(/stand-in.*node:test/) });
  });

  it("runs the command that the instruction names", async () => {
    writeRepo(dir, { "package.json": manifest("exit 1"), "checks/a.js": `${tester}test("a", () => {});\n` });
    const end = await runCoder(model.url, dir, "Fix the bug. The tests run with: node --test checks/a.js. Change nothing else.");
    expect(end).toMatchObject({ status: "done", summary: expect.stringContaining("`node --test checks/a.js`") });
  });

  it("goes on after a restart in the middle of any tool", async () => {
    const cutOff = { content: "The factory was restarted while this ran. It may or may not have taken effect.", isError: true };
    const repo = repos[2];
    if (!repo) throw new Error("no such repository");
    for (let cut = 1; cut <= 8; cut++) {
      writeRepo(dir, repo.files);
      const end = await runCoder(model.url, dir, "Fix the tests. The tests run with: node --test", (step, result) =>
        step === cut ? cutOff : result,
      );
      expect(end, `cut at step ${cut}`).toMatchObject({ status: "done" });
      expect(readFileSync(join(dir, repo.fixed[0]), "utf8")).toContain(repo.fixed[1]);
    }
  });

  it("goes on after replies of its own that made no sense", async () => {
    const [repo] = repos;
    if (!repo) throw new Error("no such repository");
    writeRepo(dir, repo.files);
    const moody = await startModel({ chaos: (count) => (count % 3 === 0 ? "unknown-tool" : null) });
    const end = await runCoder(moody.url, dir, "The tests fail. Fix them.").finally(() => moody.close());
    expect(end.status).toBe("done");
  });
});
