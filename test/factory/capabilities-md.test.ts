import { expect, it } from "vitest";
import { presets } from "#adapters/llm/presets.ts";
import { capabilities, capabilityNames } from "#core/capability.ts";
import { capabilitiesMd } from "#factory/capabilities-md.ts";
import { type Env, parseHqProfile, parseProfile, secretsOf } from "#factory/profile.ts";
import { hqEnv } from "./headquarters.ts";

const options = { providers: presets, keyless: true as const };
const page = (env: Env) => capabilitiesMd(parseProfile({ FACTORY_ID: "desk-1", ...env }, options));
/** The lines below a heading. */
const section = (text: string, heading: string) =>
  (text.split(`## ${heading}\n`)[1] ?? "")
    .split("\n## ")[0]
    ?.split("\n")
    .filter((line) => line !== "");

it("names who works here, with their models", () => {
  expect(section(page({ VP_CODER_NAME: "Maggie", VP_CODER_MODEL_NAME: "m-1", VP_CODER_LLM_FALLBACK: "zai" }), "Who works here")).toEqual([
    "- Homer: leads",
    "- Maggie: VP Coder, anthropic/m-1, else zai/glm-5.3",
    "- Bart: VP General, anthropic/claude-sonnet-5-5",
  ]);
});

it("does not know a VP that was pruned", () => {
  const text = page({ ENABLE_VP_CODER: "false" });
  expect(section(text, "Who works here")).toEqual(["- Homer: leads", "- Bart: VP General, anthropic/claude-sonnet-5-5"]);
  expect(text).not.toContain("Lisa");
  expect(section(text, "Capabilities")).toContain(`| VP_CODER | Disabled | ${capabilities.coder.allows} |`);
});

it("has a row for every capability, on or off", () => {
  const rows = section(page({ ENABLE_SHELL: "false", ENABLE_PUSH: "true" }), "Capabilities")?.slice(2);
  expect(rows?.map((row) => row.split(" | ")[0]?.slice(2))).toEqual(capabilityNames.map((name) => capabilities[name].label));
  const off = rows?.filter((row) => row.includes("Disabled")).map((row) => row.split(" | ")[0]?.slice(2));
  expect(off, "and the network, unless it is asked for").toEqual(["SHELL", "NETWORK"]);
});

it("tells the bounds, and workspaces by name alone", () => {
  const text = page({ TASK_BUDGET_USD: "2.50", TASK_MAX_MINUTES: "5", MAX_CONCURRENT_TASKS: "3", WORKSPACES: "shop=/srv/very-private" });
  expect(section(text, "Bounds of one task")).toEqual(["- $2.50, 5000000 tokens, 150 steps, 5 minutes", "- 3 at once"]);
  expect(section(text, "Workspaces")).toEqual(["- shop"]);
  expect(text).not.toContain("very-private");
  expect(section(page({}), "Workspaces")).toEqual(["none"]);
});

it("tells how a workspace is tested and set up, where somebody looked", () => {
  const profile = parseProfile({ FACTORY_ID: "desk-1", WORKSPACES: "shop=/srv/shop,site=/srv/site" }, options);
  const text = capabilitiesMd(profile, { shop: { test: "`npm test` (detected)", setup: "none" } });
  expect(section(text, "Workspaces")).toEqual(["- shop", "  - tests: `npm test` (detected)", "  - set-up: none", "- site"]);
});

it("holds no secret of headquarters, nor any address", () => {
  const env: Record<string, string> = {
    ...hqEnv,
    BUS_TOKEN: "a-secret-bus-token",
    ANTHROPIC_BASE_URL: "https://private.example",
    DATABASE_AUTH_TOKEN: "a-secret-db-token",
  };
  const text = capabilitiesMd(parseHqProfile(env, options).profile);
  expect(text).toContain("A headquarters factory (`hq`), led by Simone.");
  for (const secret of [...Object.values(secretsOf(env)), "private.example", env.DATABASE_URL ?? "", env.TELEGRAM_OWNER_IDS ?? ""])
    expect(text).not.toContain(secret);
});
