/**
 * The work that is measured: a repository of five modules, each with its tests, and 20 steps in it. Ten commands that do nothing, five reads of
 * 300 lines, four edits, the tests.
 */

export const instruction = "Make every total count its first item too.";
/** One file after the other, as tests that share something must run. With them the bare loop takes some 0.65 s, as it does in others' comparisons. */
export const testCommand = "node --test --test-concurrency=1";

export type Act =
  | { tool: "bash"; command: string }
  | { tool: "read"; path: string }
  | { tool: "edit"; path: string; old: string; new: string };

const modules = ["cart", "order", "invoice", "stock", "ledger"] as const;
/** The others are right. */
const faulty: readonly string[] = modules.slice(0, 4);
const lines = 300;
const fault = (name: string) => `  for (let i = 1; i < items.length; i += 1) total += items[i].${name};`;
const repaired = (name: string) => `  for (let i = 0; i < items.length; i += 1) total += items[i].${name};`;

function sourceOf(name: string): string {
  const fillers = Array.from({ length: lines - 7 }, (_, i) => `export const ${name}Limit${i} = ${i * 7}; // a line of ordinary length`);
  return [
    `/** Totals of the ${name}. */`,
    `export function ${name}Total(items) {`,
    "  let total = 0;",
    faulty.includes(name) ? fault(name) : repaired(name),
    "  return total;",
    "}",
    "",
    ...fillers,
    "",
  ].join("\n");
}

/** Of one module, or of several together. */
function testOf(names: readonly string[]): string {
  return [
    'import assert from "node:assert";',
    'import { test } from "node:test";',
    ...names.map((name) => `import { ${name}Total } from "./${name}.js";`),
    "",
    ...names.map((name) => `test("${name}", () => assert.equal(${name}Total([{ ${name}: 2 }, { ${name}: 3 }]), 5));`),
    "",
  ].join("\n");
}

/** Path → content. */
export const files: Readonly<Record<string, string>> = {
  "package.json": `${JSON.stringify({ name: "bench", private: true, type: "module" }, null, 2)}\n`,
  ...Object.fromEntries(modules.map((name) => [`${name}.js`, sourceOf(name)])),
  ...Object.fromEntries(modules.map((name) => [`${name}.test.js`, testOf([name])])),
  "sales.test.js": testOf(["cart", "order", "invoice"]),
  "goods.test.js": testOf(["stock", "ledger"]),
};

export const acts: readonly Act[] = [
  ...Array.from({ length: 10 }, (_, i): Act => ({ tool: "bash", command: `true ${i}` })),
  ...modules.map((name): Act => ({ tool: "read", path: `${name}.js` })),
  ...faulty.map((name): Act => ({ tool: "edit", path: `${name}.js`, old: fault(name), new: repaired(name) })),
  { tool: "bash", command: testCommand },
];
