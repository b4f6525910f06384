/** The work that is measured: a repository, and 20 steps in it. Ten commands that do nothing, five reads of 300 lines, four edits, the tests. */

export const instruction = "Make every total count its first item too.";
export const testCommand = "node --test";

export type Act =
  | { tool: "bash"; command: string }
  | { tool: "read"; path: string }
  | { tool: "edit"; path: string; old: string; new: string };

const modules = ["cart", "order", "invoice", "stock", "ledger"] as const;
const lines = 300;
const fault = (name: string) => `  for (let i = 1; i < items.length; i += 1) total += items[i].${name};`;
const repaired = (name: string) => `  for (let i = 0; i < items.length; i += 1) total += items[i].${name};`;

function sourceOf(name: string): string {
  const fillers = Array.from({ length: lines - 7 }, (_, i) => `export const ${name}Limit${i} = ${i * 7}; // a line of ordinary length`);
  return [
    `/** Totals of the ${name}. */`,
    `export function ${name}Total(items) {`,
    "  let total = 0;",
    fault(name),
    "  return total;",
    "}",
    "",
    ...fillers,
    "",
  ].join("\n");
}

/** Path → content. */
export const files: Readonly<Record<string, string>> = {
  "package.json": `${JSON.stringify({ name: "bench", private: true, type: "module" }, null, 2)}\n`,
  ...Object.fromEntries(modules.map((name) => [`${name}.js`, sourceOf(name)])),
  "totals.test.js": [
    'import assert from "node:assert";',
    'import { test } from "node:test";',
    ...modules.slice(0, 4).map((name) => `import { ${name}Total } from "./${name}.js";`),
    ...modules.slice(0, 4).map((name) => `test("${name}", () => assert.equal(${name}Total([{ ${name}: 2 }, { ${name}: 3 }]), 5));`),
    "",
  ].join("\n"),
};

export const acts: readonly Act[] = [
  ...Array.from({ length: 10 }, (_, i): Act => ({ tool: "bash", command: `true ${i}` })),
  ...modules.map((name): Act => ({ tool: "read", path: `${name}.js` })),
  ...modules.slice(0, 4).map((name): Act => ({ tool: "edit", path: `${name}.js`, old: fault(name), new: repaired(name) })),
  { tool: "bash", command: testCommand },
];
