/** The documents say what is so: generated pages are fresh, and every path, link, command and variable they name exists. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { taskStates, transitions } from "#core/task.ts";
import { settings } from "#factory/settings.ts";
import { renderConfiguration } from "../scripts/docs/configuration.ts";
import { renderTaskStates } from "../scripts/docs/task-states.ts";
import { projectFiles, renderTree, withTree } from "../scripts/docs/tree.ts";

const root = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const renew = "run `npm run docs`";

const pages = [
  ...["README.md", "AGENTS.md", "CHANGELOG.md", "docs/architecture.md", "docs/task-states.md", "docs/configuration.md"],
  ...readdirSync(join(root, "docs/decisions")).map((name) => `docs/decisions/${name}`),
];
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
    const paths = [...text.matchAll(/`((?:shared|hq-worker|branch-agent|dashboard|dev|scripts|test|docs|migrations)\/[^`\s]*)`/g)];
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
