import { describe, expect, it } from "vitest";
import { presets } from "#adapters/llm/presets.ts";
import { capabilities, capabilityNames, defaultCapabilities } from "#core/capability.ts";
import { providerNames } from "#core/endpoint.ts";
import { UacError } from "#core/errors.ts";
import { nanosPerUsd } from "#core/ledger.ts";
import { defaultLimits } from "#core/limits.ts";
import { type Seat, seats } from "#core/persona.ts";
import { type Env, parseHqProfile, parseProfile, secretsOf } from "#factory/profile.ts";
import { settings } from "#factory/settings.ts";
import { hqEnv } from "./headquarters.ts";

const options = { providers: presets, keyless: true as const };
const branch = (env: Env = {}) => parseProfile(env, options);
const hq = (env: Env = {}) => parseHqProfile({ ...hqEnv, ...env }, options);

/** What is asked where nothing is said. */
const standard = {
  provider: "anthropic",
  wire: "anthropic",
  model: presets.anthropic.model,
  baseUrl: "https://api.anthropic.com",
  key: null,
  billing: "metered",
};
const everybody = (endpoint: object, ...others: object[]) => {
  const chain = [{ ...standard, ...endpoint }, ...others];
  return { inference: { primary: chain, coder: chain, general: chain } };
};

/** Every complaint, one a line. */
function complaints(parse: () => unknown): string[] {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof UacError) || error.code !== "bad_config") throw error;
    return error.message.split("\n- ").slice(1);
  }
  return [];
}
const refused = (env: Env) => complaints(() => branch(env));

describe("a factory that says nothing", () => {
  it("is a branch with everything that a branch may", () => {
    expect(branch()).toMatchObject({
      role: "branch",
      personas: { primary: "Homer", coder: "Lisa", general: "Bart" },
      capabilities: defaultCapabilities("branch"),
      inference: { primary: [standard], coder: [standard], general: [standard] },
      thinking: null,
      cautions: [],
      limits: defaultLimits,
      slots: 1,
      workspaces: {},
      sandbox: "bubblewrap",
      drainMs: 30_000,
      logLevel: "info",
    });
  });

  it("confines commands by what its system has, unless it says otherwise", () => {
    expect(parseProfile({}, { ...options, sandbox: "seatbelt" }).sandbox).toBe("seatbelt");
    expect(parseProfile({ SANDBOX: "none" }, { ...options, sandbox: "seatbelt" })).toMatchObject({
      sandbox: "none",
      capabilities: { shell: false },
    });
    expect(branch({ SANDBOX: "seatbelt" }).sandbox).toBe("seatbelt");
  });

  it("is what its enrolment fixed", () => {
    expect(parseProfile({}, { ...options, id: "desk-1" })).toMatchObject({ id: "desk-1", name: "desk-1" });
    expect(hq().profile).toMatchObject({
      role: "headquarters",
      id: "hq",
      name: "HQ",
      personas: { primary: "Simone", coder: "Codie", general: "HAL" },
    });
  });
});

interface Row {
  good: string;
  /** What of the profile it becomes. */
  is: object;
  /** Refused, with what is said. Absent: any text of reasonable length will do. */
  bad?: [string, RegExp][];
}
const wholes = (max: string, min = "1"): [string, RegExp][] =>
  ["0", "-1", "NaN", "1.5", "1e3", "many", `${max}0`].map((value) => [value, new RegExp(`allowed: a whole number from ${min} to ${max}`)]);
/** Of a provider: where paths are put behind. */
const more = /holds a login|has a part from \? or # on/;
const baseUrl = (): [string, RegExp][] => [
  ...url,
  ["https://x.example/v1?", more],
  ["https://x.example/v1?version=1", more],
  ["https://x.example/#a", more],
  ["https://me:secret@x.example", more],
];
const url: [string, RegExp][] = [
  ["example.com", /allowed: https:, http:/],
  ["ftp://example.com", /allowed: https:, http:/],
];
const tooLong: [string, RegExp][] = [["x".repeat(65), /64/]];
const notAProvider: [string, RegExp][] = [["acme", /allowed: anthropic, zai/]];
const longModel: [string, RegExp][] = [["x".repeat(129), /128/]];
const noFallback: [string, RegExp][] = [
  ["acme:m", /names the provider "acme"; allowed: `none`, or/],
  ["zai,", /names the provider ""/],
  ["zai,zai:2,zai:3,zai:4,zai:5", /names more than 4/],
  [`zai:${"x".repeat(129)}`, /more than 128/],
];
/** One seat's chain begins so; the others' are as where nothing is said. */
const onlyFor = (seat: Seat, ...chain: object[]) => {
  const others = Object.fromEntries(seats.filter((other) => other !== seat).map((other) => [other, [standard]]));
  return { inference: { ...others, [seat]: chain } };
};
const rows: Record<string, Row> = {
  FACTORY_ROLE: { good: "branch", is: { role: "branch" }, bad: [["Branch Office", /allowed: headquarters, branch/]] },
  IS_HEADQUARTERS: { good: "False", is: { role: "branch" }, bad: [["maybe", /allowed: true, false/]] },
  FACTORY_ID: {
    good: "desk-1",
    is: { id: "desk-1", name: "desk-1" },
    bad: ["Desk", "1desk", "d", "desk_1", "desk-", "d".repeat(41)].map((id) => [id, /lower-case letters, digits, hyphens/]),
  },
  FACTORY_NAME: { good: "The Desk", is: { name: "The Desk" }, bad: tooLong },
  PRIMARY_NAME: { good: "Marge", is: { personas: { primary: "Marge" } }, bad: tooLong },
  VP_CODER_NAME: { good: "Maggie", is: { personas: { coder: "Maggie" } }, bad: tooLong },
  VP_GENERAL_NAME: { good: "Ned", is: { personas: { general: "Ned" } }, bad: tooLong },
  LLM_PROVIDER: { good: "scripted", is: { inference: { coder: [{ provider: "scripted" }] } }, bad: notAProvider },
  PRIMARY_LLM_PROVIDER: { good: "kimi", is: onlyFor("primary", { provider: "kimi" }), bad: notAProvider },
  VP_CODER_LLM_PROVIDER: { good: "kimi", is: onlyFor("coder", { provider: "kimi" }), bad: notAProvider },
  VP_GENERAL_LLM_PROVIDER: { good: "kimi", is: onlyFor("general", { provider: "kimi" }), bad: notAProvider },
  MODEL_NAME: { good: "m-1", is: everybody({ model: "m-1" }), bad: longModel },
  PRIMARY_MODEL_NAME: { good: "m-2", is: onlyFor("primary", { model: "m-2" }), bad: longModel },
  VP_CODER_MODEL_NAME: { good: "m-2", is: onlyFor("coder", { model: "m-2" }), bad: longModel },
  VP_GENERAL_MODEL_NAME: { good: "m-2", is: onlyFor("general", { model: "m-2" }), bad: longModel },
  LLM_FALLBACK: { good: "zai:glm-4.7", is: everybody({}, { provider: "zai", model: "glm-4.7" }), bad: noFallback },
  PRIMARY_LLM_FALLBACK: { good: "zai", is: onlyFor("primary", {}, { provider: "zai", model: "glm-5.3" }), bad: noFallback },
  VP_CODER_LLM_FALLBACK: { good: "zai", is: onlyFor("coder", {}, { provider: "zai", model: "glm-5.3" }), bad: noFallback },
  VP_GENERAL_LLM_FALLBACK: { good: "zai", is: onlyFor("general", {}, { provider: "zai", model: "glm-5.3" }), bad: noFallback },
  LLM_WIRE: {
    good: "anthropic, zai:chat",
    is: everybody({}),
    bad: [
      ["grpc", /holds "grpc"; allowed: anthropic, chat, responses/],
      ["acme:chat", /holds "acme:chat".*zai/],
      ["chat", /says chat for anthropic, which speaks anthropic: say one of those, or set ANTHROPIC_BASE_URL/],
    ],
  },
  LLM_BILLING: {
    good: "zai:local,subscription",
    is: everybody({ billing: "subscription" }),
    bad: [["free", /holds "free"; allowed: metered, subscription, local/]],
  },
  LLM_CONTEXT_TOKENS: {
    good: "64000",
    is: everybody({ window: 64_000 }),
    bad: [["many", /holds "many"; allowed: a number from 4000 to 100000000/]],
  },
  LLM_THINKING: { good: "low", is: { thinking: "low" }, bad: [["much", /allowed: off, low, high/]] },
  ANTHROPIC_BASE_URL: { good: "http://localhost:1", is: everybody({ baseUrl: "http://localhost:1" }), bad: baseUrl() },
  ANTHROPIC_API_KEY: { good: "key", is: everybody({ key: { kind: "x-api-key", value: "key" } }) },
  ANTHROPIC_AUTH_TOKEN: { good: "token", is: everybody({ key: { kind: "bearer", value: "token" } }) },
  OPENAI_BASE_URL: { good: "https://x.example", is: everybody({}), bad: baseUrl() },
  OPENAI_API_KEY: { good: "key", is: everybody({}) },
  ...Object.fromEntries(
    providerNames
      .filter((name) => name !== "anthropic" && name !== "openai")
      .flatMap((name): [string, Row][] => [
        [`${name.toUpperCase()}_BASE_URL`, { good: "https://x.example", is: everybody({}), bad: baseUrl() }],
        [`${name.toUpperCase()}_API_KEY`, { good: "key", is: everybody({}) }],
      ]),
  ),
  TASK_BUDGET_USD: {
    good: "2.50",
    is: { limits: { usd: 2.5 * nanosPerUsd } },
    bad: ["0", "-1", "NaN", "Infinity", "1e3", "$2", "0.0000000001"].map((usd) => [usd, /dollars above 0/]),
  },
  TASK_MAX_TOKENS: { good: "1000", is: { limits: { tokens: 1000 } }, bad: wholes("1000000000") },
  TASK_MAX_STEPS: { good: "10", is: { limits: { steps: 10 } }, bad: wholes("1000") },
  TASK_MAX_MINUTES: { good: "5", is: { limits: { wallS: 300 } }, bad: wholes("1440") },
  PRICES_FILE: { good: "/etc/uac/prices.json", is: { pricesFile: "/etc/uac/prices.json" }, bad: [["prices.json", /not an absolute path/]] },
  BUDGETS: {
    good: "factory day $5; vp coder 5h 2M tokens",
    is: {
      budgets: [
        { id: "own:factory:factory:day:usd", scope: { kind: "factory" }, period: "day", unit: "usd", amount: 5 * nanosPerUsd },
        { id: "own:vp:coder:5h:tokens", scope: { kind: "vp", of: "coder" }, windowMs: 5 * 3_600_000, unit: "tokens", amount: 2_000_000 },
      ],
    },
    bad: [
      ["factory day -1", /How much\?/],
      ["factory day $0", /no amount/],
      ["factory week $5", /Per what\?/],
      ["corporation day $5", /the owner's/],
      ["vp janitor day $5", /Which VP\?/],
      ["factory day off", /leave out what is off/],
      ["factory day $5; factory day $6", /another amount for the same/],
    ],
  },
  MAX_CONCURRENT_TASKS: { good: "4", is: { slots: 4 }, bad: wholes("64") },
  WORKSPACES: {
    good: "shop=/srv/shop, my.site=/srv/a=b",
    is: { workspaces: { shop: "/srv/shop", "my.site": "/srv/a=b" } },
    bad: [
      ["shop", /name=\/absolute\/path/],
      ["shop=srv", /name=\/absolute\/path/],
      ["Shop=/srv", /name=\/absolute\/path/],
      ["=/srv", /name=\/absolute\/path/],
      ["a=/1,a=/2", /names a twice/],
      [Array.from({ length: 65 }, (_, i) => `w${i}=/${i}`).join(","), /names more than 64/],
    ],
  },
  TASK_MEMORY_MB: { good: "512", is: { taskMemory: 512e6 }, bad: wholes("100000000", "64") },
  TASK_DISK_MB: { good: "2000", is: { taskDisk: 2e9 }, bad: wholes("100000000", "16") },
  SANDBOX: { good: "bubblewrap", is: { sandbox: "bubblewrap" }, bad: [["docker", /allowed: bubblewrap, seatbelt, none/]] },
  RETAIN_DAYS: { good: "7", is: { retainMs: 7 * 86_400_000 }, bad: [["0", /a whole number from 1 to 3650/]] },
  ALLOW_HOSTS: {
    good: "Registry.npmjs.org, *.example.org:8443, 10.0.0.5:5432,[::1]:80, registry.npmjs.org:443",
    is: { allowHosts: ["registry.npmjs.org:443", "*.example.org:8443", "10.0.0.5:5432", "[::1]:80"] },
    bad: [
      ...["*", "*.com", "https://x.example", "x.example:0", "x.example:65536", "x y", "127.1", "a.*.example", "x.example/path"].map(
        (host): [string, RegExp] => [host, /which is not a host/],
      ),
      [Array.from({ length: 65 }, (_, i) => `h${i}.example`).join(","), /names more than 64/],
    ],
  },
  ALLOW_SECRET_FILES: {
    good: ".env.test, test/*.pem",
    is: { allowSecretFiles: [".env.test", "test/*.pem"] },
    bad: [["/etc/shadow", /not a path in the worktree/]],
  },
  DRAIN_SECONDS: { good: "0", is: { drainMs: 0 }, bad: [["-1", /a whole number from 0 to 3600/]] },
  HQ_URL: { good: "https://hq.example", is: { hqUrl: "https://hq.example" }, bad: url },
  BUS_URL: { good: "redis://127.0.0.1", is: { busUrl: "redis://127.0.0.1" } },
  BUS_TOKEN: { good: "token", is: { busToken: "token" } },
  LOG_LEVEL: { good: "debug", is: { logLevel: "debug" }, bad: [["loud", /allowed: debug, info, warn, error/]] },
  ...Object.fromEntries(
    capabilityNames.map((name): [string, Row] => [
      capabilities[name].env,
      {
        good: "TRUE",
        is: { capabilities: { [name]: true } },
        bad: ["", "2", "constructor", "enabled"].slice(1).map((v) => [v, /allowed: true, false/]),
      },
    ]),
  ),
};
/** Read elsewhere, or tested by themselves below. */
const elsewhere = ["UAC_HOME", "WORKSPACE_HOSTS", "WORKSPACE_SETUP", "WORKSPACE_TESTS"];

describe("every variable of a branch", () => {
  it("has a row here", () => {
    const known = Object.keys(settings).filter((name) => settings[name]?.for !== "headquarters");
    expect(Object.keys(rows).toSorted()).toEqual(known.filter((name) => !elsewhere.includes(name)).toSorted());
  });

  it.each(Object.entries(rows))("%s is taken, spaces around it or not, and refused by name", (name, { good, is, bad = [] }) => {
    expect(branch({ [name]: good })).toMatchObject(is);
    expect(branch({ [name]: ` ${good}\n` })).toMatchObject(is);
    expect(branch({ [name]: "  " }), "empty is not set").toEqual(branch());
    for (const [value, what] of bad) {
      const [complaint, ...more] = refused({ [name]: value });
      expect(complaint, `${name}=${value}`).toMatch(new RegExp(`^${name} `));
      expect(complaint, `${name}=${value}`).toMatch(what);
      expect(more).toEqual([]);
    }
  });
});

describe("the role", () => {
  it.each([
    ["headquarters", undefined, "headquarters"],
    [undefined, "True", "headquarters"],
    [undefined, "true", "headquarters"],
    [undefined, "1", "headquarters"],
    [undefined, "False", "branch"],
    [undefined, "no", "branch"],
    ["headquarters", "True", "headquarters"],
    ["branch", "False", "branch"],
  ])("FACTORY_ROLE=%s IS_HEADQUARTERS=%s is %s", (FACTORY_ROLE, IS_HEADQUARTERS, role) => {
    expect(branch({ FACTORY_ROLE, IS_HEADQUARTERS }).role).toBe(role);
  });

  it.each([
    ["headquarters", "False"],
    ["branch", "True"],
  ])("FACTORY_ROLE=%s and IS_HEADQUARTERS=%s don't agree", (FACTORY_ROLE, IS_HEADQUARTERS) => {
    expect(refused({ FACTORY_ROLE, IS_HEADQUARTERS })).toEqual([
      expect.stringMatching(/^IS_HEADQUARTERS says .* FACTORY_ROLE says .*make them agree/),
    ]);
  });

  it("of a Worker is not to be changed", () => {
    expect(complaints(() => hq({ FACTORY_ROLE: "branch" }))).toEqual([expect.stringContaining("this program is always headquarters")]);
  });
});

describe("capabilities", () => {
  it("that nobody knows are refused, with those that there are", () => {
    expect(refused({ ENABLE_TELEPATHY: "true" })).toEqual([
      expect.stringMatching(/^ENABLE_TELEPATHY is not a capability; there are ENABLE_VP_CODER, /),
    ]);
  });

  it("can be switched off", () => {
    expect(branch({ ENABLE_VP_CODER: "False", ENABLE_SHELL: "off" }).capabilities).toMatchObject({
      coder: false,
      general: true,
      shell: false,
    });
  });

  it("that contradict each other are refused, each with what it needs", () => {
    expect(refused({ ENABLE_FILES: "false" })).toEqual([
      expect.stringMatching(/^ENABLE_VP_CODER is on, but it needs ENABLE_FILES/),
      expect.stringMatching(/^ENABLE_VP_GENERAL is on, but it needs ENABLE_FILES/),
      expect.stringMatching(/^ENABLE_GIT is on, but it needs ENABLE_FILES/),
    ]);
  });

  it("do not promise a shell without a sandbox", () => {
    expect(branch({ SANDBOX: "none" }).capabilities.shell).toBe(false);
    expect(refused({ SANDBOX: "none", ENABLE_SHELL: "true" })).toEqual([expect.stringMatching(/^ENABLE_SHELL is on, but SANDBOX is none/)]);
  });
});

describe("what belongs to headquarters", () => {
  const hqOnly = Object.keys(settings).filter((name) => settings[name]?.hqOnly);

  it("is refused in a branch's environment, by name and never by value", () => {
    expect(hqOnly).toContain("DATABASE_AUTH_TOKEN");
    const env = Object.fromEntries(hqOnly.map((name) => [name, `value-of-${name.toLowerCase()}`]));
    const all = refused(env);
    expect(all.map((complaint) => complaint.split(" ")[0])).toEqual(hqOnly);
    for (const complaint of all) expect(complaint).not.toContain("value-of");
  });

  it.each([
    "DATABASE_URL",
    "BUS_URL",
    "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_WEBHOOK_SECRET",
    "TELEGRAM_OWNER_IDS",
    "HQ_SIGNING_KEY",
    "PUBLIC_URL",
  ])("must be there: %s", (name) => {
    expect(complaints(() => hq({ [name]: "" }))).toEqual([expect.stringMatching(new RegExp(`^${name} is not set; .{10}`))]);
  });

  it.each<[string, string, RegExp]>([
    ["TELEGRAM_WEBHOOK_SECRET", "x".repeat(31), /32 to 256/],
    ["TELEGRAM_WEBHOOK_SECRET", `${"x".repeat(40)}!`, /32 to 256/],
    ["TELEGRAM_BOT_TOKEN", "not-a-token-at-all", /BotFather/],
    ["HQ_SIGNING_KEY", "----BEGIN PRIVATE KEY----", /Ed25519 private key as a JWK/],
    ["DATABASE_URL", "postgres://db.example", /libsql:/],
    ["TELEGRAM_OWNER_IDS", "1,@alice", /not a numeric id; user names are not accepted/],
    ["TELEGRAM_OWNER_IDS", "1,,2", /not a numeric id/],
    ["PUBLIC_URL", "hq.example", /allowed: https:, http:/],
  ])("%s: %s is refused, with what is allowed", (name, value, what) => {
    const [complaint = "", ...more] = complaints(() => hq({ [name]: value }));
    expect(complaint).toMatch(new RegExp(`^${name} `));
    expect(complaint).toMatch(what);
    expect(more).toEqual([]);
    if (settings[name]?.secret) expect(complaint).not.toContain(value);
  });

  it("is read", () => {
    const { hq: own } = hq({ TELEGRAM_OWNER_IDS: " 12, 34 ", PUBLIC_URL: "https://hq.example//", BUS_TOKEN: "t" });
    expect(own).toMatchObject({
      owners: [12, 34],
      publicUrl: "https://hq.example",
      busToken: "t",
      branchBusUrl: null,
      branchBusToken: null,
      telegramApiRoot: "https://api.telegram.org",
    });
    expect(hq({ BRANCH_BUS_URL: "redis://outside", BRANCH_BUS_TOKEN: "b" }).hq).toMatchObject({
      branchBusUrl: "redis://outside",
      branchBusToken: "b",
    });
  });
});

it("tells everything that is wrong at once", () => {
  const env = { FACTORY_ID: "No!", ENABLE_NOTHING: "1", TASK_BUDGET_USD: "-1", MAX_CONCURRENT_TASKS: "0", LOG_LEVEL: "loud" };
  expect(refused(env).map((complaint) => complaint.split(" ")[0])).toEqual([
    "FACTORY_ID",
    "ENABLE_NOTHING",
    "TASK_BUDGET_USD",
    "MAX_CONCURRENT_TASKS",
    "LOG_LEVEL",
  ]);
});

it("knows the test commands of its workspaces, and of no others", () => {
  const env = { WORKSPACES: "shop=/srv/shop,site=/srv/site", WORKSPACE_TESTS: "shop=npm test, quietly; site=make check" };
  expect(branch(env).workspaceTests).toEqual({ shop: "npm test, quietly", site: "make check" });
  expect(refused({ ...env, WORKSPACE_TESTS: "shp=npm test" })).toEqual(["WORKSPACE_TESTS names shp, which WORKSPACES does not"]);
  expect(refused({ ...env, WORKSPACE_TESTS: "npm test" })).toEqual([expect.stringContaining("name=command")]);
});

it("knows what makes its workspaces ready, what that may reach, and how long things are kept", () => {
  const env = { WORKSPACES: "shop=/srv/shop,site=/srv/site", WORKSPACE_SETUP: "shop=make deps; site=none" };
  const hosts = { WORKSPACE_HOSTS: "shop=PyPI.org:443  *.pythonhosted.org:443; site=none", RETAIN_DAYS: "7" };
  expect(branch({ ...env, ...hosts })).toMatchObject({
    workspaceSetups: { shop: "make deps", site: null },
    workspaceHosts: { shop: ["*.pythonhosted.org:443", "pypi.org:443"], site: [] },
    retainMs: 7 * 86_400_000,
  });
  expect(branch(env)).toMatchObject({ workspaceHosts: {}, retainMs: 30 * 86_400_000 });
  expect(refused({ ...env, WORKSPACE_SETUP: "shp=x" })).toEqual(["WORKSPACE_SETUP names shp, which WORKSPACES does not"]);
  for (const odd of ["pypi.org:99999", "https://pypi.org:443", "*:443"]) {
    expect(refused({ ...env, WORKSPACE_HOSTS: `shop=${odd}` }), odd).toEqual([expect.stringContaining("allowed: host:port")]);
  }
  expect(refused({ ...env, WORKSPACE_SETUP: `shop=${"x".repeat(1001)}` })).toEqual([expect.stringContaining("more than 1000")]);
  expect(refused({ RETAIN_DAYS: "0" })).toEqual([expect.stringContaining("from 1 to 3650")]);
});

it("gives the redactor every secret that is set", () => {
  const secrets = secretsOf({ ...hqEnv, BUS_TOKEN: "bus-token", DATABASE_AUTH_TOKEN: "", MODEL_NAME: "m" });
  expect(Object.keys(secrets).toSorted()).toEqual(
    [
      "ANTHROPIC_API_KEY",
      "BUS_TOKEN",
      "BUS_URL",
      "DATABASE_URL",
      "HQ_SIGNING_KEY",
      "TELEGRAM_BOT_TOKEN",
      "TELEGRAM_WEBHOOK_SECRET",
    ].toSorted(),
  );
  expect(secrets.BUS_TOKEN).toBe("bus-token");
});
