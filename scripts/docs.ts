/** `npm run docs`: writes the pages that are made from the code. test/docs.test.ts fails while they differ. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderBudgets } from "./docs/budgets.ts";
import { renderConfiguration } from "./docs/configuration.ts";
import { renderTaskStates } from "./docs/task-states.ts";
import { projectFiles, withTree } from "./docs/tree.ts";

const root = join(import.meta.dirname, "..");
const architecture = join(root, "docs/architecture.md");

const pages = {
  "docs/budgets.md": renderBudgets(),
  "docs/configuration.md": renderConfiguration(),
  "docs/task-states.md": renderTaskStates(),
  "docs/architecture.md": withTree(readFileSync(architecture, "utf8"), projectFiles(root)),
};
for (const [path, text] of Object.entries(pages)) {
  writeFileSync(join(root, path), text);
  console.log(path);
}
