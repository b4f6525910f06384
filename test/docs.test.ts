/** The documents say what is so: generated pages are fresh, and every path, link, command and variable they name exists. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { getTableName } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import * as schema from "#adapters/store/schema.ts";
import { usageDaily } from "#adapters/store/usage-daily.ts";
import { taskStates, transitions } from "#core/task.ts";
import { settings } from "#factory/settings.ts";
import { renderBudgets } from "../scripts/docs/budgets.ts";
import { renderConfiguration } from "../scripts/docs/configuration.ts";
import { renderTaskStates } from "../scripts/docs/task-states.ts";
import { projectFiles, renderTree, withTree } from "../scripts/docs/tree.ts";

const root = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const renew = "run `npm run docs`";

const pagesIn = (folder: string) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}/${name}`);
const topics = pagesIn("docs");
const pages = ["README.md", "AGENTS.md", "CHANGELOG.md", ...topics, ...pagesIn("docs/decisions")];
const scripts: Record<string, string> = JSON.parse(read("package.json")).scripts;

describe("generated pages", () => {
  it("docs/task-states.md shows the transition table", () => {
    const page = renderTaskStates();
    expect(read("docs/task-states.md"), renew).toBe(page);
    for (const state of taskStates) {
      for (const [event, next] of Object.entries(transitions[state])) expect(page).toContain(`  ${state} --> ${next}: ${event}\n`);
    }
  });

  it("docs/configuration.md lists every setting", () => {
    const page = renderConfiguration();
    expect(read("docs/configuration.md"), renew).toBe(page);
    for (const name of Object.keys(settings)) expect(page).toContain(`| \`${name}\` |`);
  });

  it("docs/budgets.md shows the table of budgets", () => {
    expect(read("docs/budgets.md"), renew).toBe(renderBudgets());
  });

  it("docs/architecture.md shows the folders", () => {
    const page = read("docs/architecture.md");
    expect(page, renew).toBe(withTree(page, projectFiles(root)));
  });

  it("the tree notices a folder that nobody described, and a line about none", () => {
    const files = projectFiles(root);
    expect(() => renderTree([...files, "novelty/thing.ts"])).toThrow("no line about novelty");
    expect(() => renderTree(files.filter((file) => !file.startsWith("migrations/")))).toThrow("tells of migrations");
  });
});

describe.each(pages)("%s", (page) => {
  const text = read(page);

  it("links to files that are there", () => {
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? "").filter((link) => !/^(https?:|#)/.test(link));
    expect(links.filter((link) => !existsSync(join(root, dirname(page), link.replace(/#.*/, ""))))).toEqual([]);
  });

  it("names paths that are there", () => {
    const paths = [...text.matchAll(/`((?:shared|hq-worker|branch-agent|dashboard|dev|bench|scripts|test|docs|migrations)\/[^`\s]*)`/g)];
    const plain = paths.map((match) => match[1] ?? "").filter((path) => !/[<*…]|\/x$/.test(path));
    expect(plain.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it("names commands that are there", () => {
    const named = [...text.matchAll(/npm (?:run (?:--silent )?([\w:-]+)|(start|test)\b)/g)].map((match) => match[1] ?? match[2] ?? "");
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe("the README", () => {
  it("names only variables that are read", () => {
    const known = new Set(Object.keys(settings));
    const named = [...read("README.md").matchAll(/\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b/g)].map((match) => match[1] ?? "");
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it("names every setting that headquarters can't do without", () => {
    const required = Object.entries(settings).filter(([, { otherwise }]) => otherwise === "required");
    expect(required.map(([name]) => name).filter((name) => !read("README.md").includes(name))).toEqual([]);
  });
});

describe("the pages for those who change the code", () => {
  /** Not ours: a page may name them all the same. */
  const foreign = ["LD_PRELOAD", "NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"];

  it("are reached from the README", () => {
    const [readme, architecture] = [read("README.md"), read("docs/architecture.md")];
    expect(topics.filter((page) => !readme.includes(`](${page})`) && !architecture.includes(`](${page.slice("docs/".length)})`))).toEqual(
      [],
    );
    expect(readme).toContain("](docs/architecture.md)");
  });

  it.each(topics)("%s names only variables that are read", (page) => {
    const named = [...read(page).matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`/g)].map((match) => match[1] ?? "");
    expect(named.filter((name) => !(name in settings) && !foreign.includes(name))).toEqual([]);
  });

  it("docs/architecture.md tells of every table", () => {
    const tables = [...Object.values(schema), usageDaily].map((table) => getTableName(table));
    expect(tables.length).toBeGreaterThan(10);
    expect(tables.filter((name) => !read("docs/architecture.md").includes(`\`${name}\``))).toEqual([]);
  });

  it("docs/trust.md has every row of the attack list that a test names", () => {
    const cells = [...read("docs/trust.md").matchAll(/^\| (\d[\d,– ]*) \|/gm)].flatMap((match) => (match[1] ?? "").split(","));
    const listed = cells.flatMap((cell) => {
      const [from = 0, to = from] = cell.split("–").map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
    const tests = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const told = tests.flatMap((name) => [...read(`test/${name}`).matchAll(/\b(?:rows?|attack) (\d+(?:(?:, | and )\d+)*)/g)]);
    const named = told.flatMap((match) => (match[1] ?? "").split(/, | and /).map(Number));
    expect(named.length).toBeGreaterThan(20);
    expect([...new Set(named)].filter((row) => !listed.includes(row))).toEqual([]);
  });
});

describe("package.json", () => {
  it.each(Object.entries(scripts))("%s runs a file that is there", (_, command) => {
    const files = command.split(" ").filter((word) => /\.(mjs|ts|js)$/.test(word));
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it("has no script that runs at installation", () => {
    const hooks = ["preinstall", "install", "postinstall", "prepare", "prepublish"];
    expect(hooks.filter((hook) => hook in scripts)).toEqual([]);
  });
});
