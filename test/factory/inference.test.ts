/** Which models each seat asks: own variables, those of a family of wires, fallbacks, and everything that may be missing. */
import { describe, expect, it } from "vitest";
import { presets } from "#adapters/llm/presets.ts";
import { UacError } from "#core/errors.ts";
import { type Env, parseHqProfile, parseProfile, secretsOf } from "#factory/profile.ts";
import { hqEnv } from "./headquarters.ts";

const branch = (env: Env) => parseProfile(env, { providers: presets });
const chainOf = (env: Env, seat: "primary" | "coder" | "general" = "coder") => branch(env).inference[seat];

function complaints(parse: () => unknown): string[] {
  try {
    parse();
  } catch (error) {
    if (error instanceof UacError && error.code === "bad_config") return error.message.split("\n- ").slice(1);
    throw error;
  }
  return [];
}
const refused = (env: Env) => complaints(() => branch(env));

describe("an endpoint", () => {
  it("is the preset's where nothing else is said", () => {
    expect(chainOf({ LLM_PROVIDER: "zai", ZAI_API_KEY: "z" })).toEqual([
      {
        provider: "zai",
        wire: "anthropic",
        model: "glm-5.3",
        baseUrl: "https://api.z.ai/api/anthropic",
        key: { kind: "bearer", value: "z" },
        billing: "metered",
        window: 1_000_000,
      },
    ]);
    expect(chainOf({ LLM_PROVIDER: "ollama" })).toMatchObject([{ key: null, billing: "local", baseUrl: "http://127.0.0.1:11434/v1" }]);
    expect(chainOf({ LLM_PROVIDER: "openai", OPENAI_API_KEY: "o" })).toMatchObject([{ wire: "responses", key: { value: "o" } }]);
    expect(chainOf({ ANTHROPIC_API_KEY: "a" })).toMatchObject([{ key: { kind: "x-api-key", value: "a" } }]);
  });

  it.each([
    [{ LLM_WIRE: "chat" }, { wire: "chat", baseUrl: "https://api.z.ai/api/paas/v4", key: { kind: "bearer", value: "z" } }],
    [{ LLM_WIRE: "zai:chat" }, { wire: "chat", baseUrl: "https://api.z.ai/api/paas/v4" }],
    [{ LLM_WIRE: "openai:chat" }, { wire: "anthropic" }],
    [
      { LLM_WIRE: "responses", ZAI_BASE_URL: "http://127.0.0.1:9/v1" },
      { wire: "responses", baseUrl: "http://127.0.0.1:9/v1" },
    ],
    [{ LLM_BILLING: "zai:subscription" }, { billing: "subscription" }],
    [{ LLM_BILLING: "subscription, openai:local" }, { billing: "subscription" }],
    [{ MODEL_NAME: "glm-5.3" }, { window: 1_000_000 }],
    [{ MODEL_NAME: "glm-5.1" }, { window: 200_000 }],
    [{ MODEL_NAME: "unheard-of" }, { window: 128_000 }],
    [{ LLM_CONTEXT_TOKENS: "64000, openai:9000" }, { window: 64_000 }],
    [{ LLM_CONTEXT_TOKENS: "openai:9000" }, { window: 1_000_000 }],
  ])("follows %o", (env, is) => {
    expect(chainOf({ LLM_PROVIDER: "zai", ZAI_API_KEY: "z", ...env })).toMatchObject([is]);
  });
});

describe("the variables of a family of wires", () => {
  const lent = {
    ANTHROPIC_API_KEY: "a",
    ANTHROPIC_BASE_URL: "http://127.0.0.1:1",
    OPENAI_API_KEY: "o",
    OPENAI_BASE_URL: "http://127.0.0.1:2",
  };

  it.each([
    ["zai", {}, { baseUrl: "http://127.0.0.1:1", key: { kind: "bearer", value: "a" } }],
    ["deepseek", {}, { baseUrl: "http://127.0.0.1:1", key: { kind: "x-api-key", value: "a" } }],
    ["zai", { LLM_WIRE: "chat" }, { baseUrl: "http://127.0.0.1:2", key: { kind: "bearer", value: "o" } }],
    ["gemini", {}, { baseUrl: "http://127.0.0.1:2", key: { kind: "bearer", value: "o" } }],
    ["scripted", { LLM_WIRE: "responses" }, { baseUrl: "http://127.0.0.1:2", key: { kind: "bearer", value: "o" } }],
    ["zai", { ANTHROPIC_AUTH_TOKEN: "t" }, { key: { kind: "bearer", value: "t" } }],
    ["deepseek", { ANTHROPIC_AUTH_TOKEN: "t" }, { key: { kind: "bearer", value: "t" } }],
    ["anthropic", { ANTHROPIC_AUTH_TOKEN: "t" }, { key: { kind: "bearer", value: "t" } }],
  ])("serve LLM_PROVIDER=%s, %o", (provider, env, is) => {
    expect(chainOf({ ...lent, LLM_PROVIDER: provider, ...env })).toMatchObject([{ provider, ...is }]);
  });

  it("come after a provider's own", () => {
    const own = { LLM_PROVIDER: "zai", ZAI_API_KEY: "z", ZAI_BASE_URL: "http://127.0.0.1:3" };
    const is = [{ baseUrl: "http://127.0.0.1:3", key: { kind: "bearer", value: "z" } }];
    expect(chainOf({ ...lent, ...own })).toMatchObject(is);
    expect(chainOf({ ...lent, ...own, ANTHROPIC_AUTH_TOKEN: "t" })).toMatchObject(is);
  });

  it("are nobody else's where the provider of that name is asked", () => {
    const env = { ...lent, LLM_PROVIDER: "zai", LLM_FALLBACK: "anthropic" };
    expect(refused(env)).toEqual(["ZAI_API_KEY is not set; Z.ai, which LLM_PROVIDER names, needs a key: set ZAI_API_KEY"]);
    expect(chainOf({ ...env, ZAI_API_KEY: "z" })).toMatchObject([
      { provider: "zai", baseUrl: "https://api.z.ai/api/anthropic", key: { value: "z" } },
      { provider: "anthropic", baseUrl: "http://127.0.0.1:1", key: { value: "a" } },
    ]);
  });

  it("serve no provider that stands behind or beside LLM_PROVIDER", () => {
    expect(refused({ ...lent, LLM_FALLBACK: "deepseek", VP_CODER_LLM_PROVIDER: "gemini" })).toEqual([
      "DEEPSEEK_API_KEY is not set; DeepSeek, which LLM_FALLBACK names, needs a key: set DEEPSEEK_API_KEY",
      "GEMINI_API_KEY is not set; Gemini, which VP_CODER_LLM_PROVIDER names, needs a key: set GEMINI_API_KEY",
    ]);
  });

  it("lend no key to a provider that asks for none", () => {
    expect(chainOf({ ...lent, LLM_PROVIDER: "ollama" })).toMatchObject([{ baseUrl: "http://127.0.0.1:2", key: null }]);
    expect(chainOf({ ...lent, LLM_PROVIDER: "ollama", OLLAMA_API_KEY: "l" })).toMatchObject([{ key: { kind: "bearer", value: "l" } }]);
  });
});

describe("a seat", () => {
  const keys = { ANTHROPIC_API_KEY: "a", ZAI_API_KEY: "z", OPENAI_API_KEY: "o" };
  const namesOf = (env: Env, seat: "primary" | "coder" | "general") =>
    chainOf({ ...keys, ...env }, seat).map(({ provider, model }) => `${provider}:${model}`);

  it("has a provider, a model and fallbacks of its own, or everybody's", () => {
    const env = {
      MODEL_NAME: "m-1",
      LLM_FALLBACK: "zai:glm-4.7, ollama:qwen3:30b",
      VP_CODER_LLM_PROVIDER: "zai",
      VP_GENERAL_MODEL_NAME: "m-2",
      VP_GENERAL_LLM_FALLBACK: "none",
      PRIMARY_LLM_FALLBACK: "openai",
    };
    expect(namesOf(env, "primary")).toEqual(["anthropic:m-1", `openai:${presets.openai.model}`]);
    // MODEL_NAME is LLM_PROVIDER's: Z.ai would not know it.
    expect(namesOf(env, "coder")).toEqual(["zai:glm-5.3", "zai:glm-4.7", "ollama:qwen3:30b"]);
    expect(namesOf(env, "general")).toEqual(["anthropic:m-2"]);
  });

  it("asks no model twice", () => {
    expect(namesOf({ VP_CODER_LLM_PROVIDER: "zai", LLM_FALLBACK: "zai,openai,zai:glm-5.3" }, "coder")).toEqual([
      "zai:glm-5.3",
      `openai:${presets.openai.model}`,
    ]);
  });

  it("that calls no model here needs no key", () => {
    const env = { LLM_PROVIDER: "ollama", PRIMARY_LLM_PROVIDER: "kimi", VP_GENERAL_LLM_PROVIDER: "zai", ENABLE_VP_GENERAL: "false" };
    expect(refused(env)).toEqual([]);
    expect(refused({ ...env, ENABLE_VP_GENERAL: "true" })).toEqual([
      expect.stringMatching(/^ZAI_API_KEY is not set.*VP_GENERAL_LLM_PROVIDER/),
    ]);
    const hq = (more: Env) => complaints(() => parseHqProfile({ ...hqEnv, ...env, ...more }, { providers: presets }));
    expect(hq({})).toEqual([expect.stringMatching(/^KIMI_API_KEY is not set.*PRIMARY_LLM_PROVIDER/)]);
    expect(hq({ KIMI_API_KEY: "k" })).toEqual([]);
  });
});

describe("what is missing", () => {
  it.each<[Env, string]>([
    [{}, "ANTHROPIC_API_KEY is not set; Anthropic, which LLM_PROVIDER names, needs a key: set ANTHROPIC_API_KEY"],
    [{ LLM_PROVIDER: "zai" }, "ZAI_API_KEY is not set; Z.ai, which LLM_PROVIDER names, needs a key: set ZAI_API_KEY or ANTHROPIC_API_KEY"],
    [
      { LLM_PROVIDER: "gemini" },
      "GEMINI_API_KEY is not set; Gemini, which LLM_PROVIDER names, needs a key: set GEMINI_API_KEY or OPENAI_API_KEY",
    ],
    [
      { LLM_PROVIDER: "scripted", SCRIPTED_API_KEY: "s" },
      "SCRIPTED_BASE_URL is not set; Scripted stand-in, which LLM_PROVIDER names, has no address of its own: set SCRIPTED_BASE_URL or ANTHROPIC_BASE_URL",
    ],
    [
      { LLM_PROVIDER: "gemini", LLM_WIRE: "responses", GEMINI_API_KEY: "g" },
      "LLM_WIRE says responses for gemini, which speaks chat: say one of those, or set GEMINI_BASE_URL to what speaks it",
    ],
  ])("%o: is told with what, why and what to do", (env, complaint) => {
    expect(refused(env)).toEqual([complaint]);
  });

  it("is not told where it hangs on what can't be read, and all that is known is told at once", () => {
    expect(refused({ LLM_PROVIDER: "acme" })).toHaveLength(1);
    expect(refused({ LLM_PROVIDER: "zai", LLM_FALLBACK: "openai,kimi" }).map((line) => line.split(" ")[0])).toEqual([
      "ZAI_API_KEY",
      "KIMI_API_KEY",
      "OPENAI_API_KEY",
    ]);
  });

  it("is nothing to a program that calls no model", () => {
    expect(parseProfile({}, { providers: presets, keyless: true }).inference.coder).toMatchObject([{ provider: "anthropic", key: null }]);
  });
});

it("never tells a key, and lets the redactor know each", () => {
  const env = { LLM_PROVIDER: "zai", ZAI_API_KEY: "z".repeat(5000), GEMINI_API_KEY: "gemini-key" };
  const [complaint = "", ...more] = refused(env);
  expect(more).toEqual([]);
  expect(complaint).toMatch(/^ZAI_API_KEY has a form that is not allowed/);
  expect(complaint).not.toContain("zzz");
  expect(Object.keys(secretsOf(env))).toEqual(["ZAI_API_KEY", "GEMINI_API_KEY"]);
});

describe("what is written wrong", () => {
  const key = { ANTHROPIC_API_KEY: "k" };
  it.each<[Env, RegExp]>([
    [
      { ANTHROPIC_API_KEY: "sk-half\u2026rest" },
      /^ANTHROPIC_API_KEY holds a space, a line break or a character that is in no key: copy it again/,
    ],
    [{ LLM_PROVIDER: "zai", ZAI_API_KEY: "sk-half\nrest" }, /^ZAI_API_KEY holds a space/],
    [{ ...key, ANTHROPIC_BASE_URL: "https://me:sk-half@models.example" }, /^ANTHROPIC_BASE_URL holds a login, .*: take it out/],
    [{ ...key, ANTHROPIC_BASE_URL: "https://models.example/?key=sk-half" }, /^ANTHROPIC_BASE_URL has a part from \? or # on/],
    [{ ...key, ANTHROPIC_BASE_URL: "https://models.example/v1/messages" }, /added by itself: leave \/v1\/messages out$/],
    [
      { LLM_PROVIDER: "openai", OPENAI_API_KEY: "k", OPENAI_BASE_URL: "http://127.0.0.1:1/v1/chat/completions/" },
      /leave \/chat\/completions\/ out$/,
    ],
    [{ LLM_PROVIDER: "sk-half-0123456789" }, /^LLM_PROVIDER is "\[what looks like a key\]"; allowed: anthropic, /],
    [{ ...key, LLM_FALLBACK: "sk-half-0123456789" }, /^LLM_FALLBACK names the provider "\[what looks like a key\]"; allowed: /],
    [{ ...key, LLM_BILLING: `zai:${"sk_half0".repeat(5)}` }, /^LLM_BILLING holds "zai:\[what looks like a key\]"/],
    [{ ...key, LLM_BILLING: "zai:subscription, zai:metered" }, /^LLM_BILLING names zai twice$/],
    [{ ...key, LLM_CONTEXT_TOKENS: "200k" }, /^LLM_CONTEXT_TOKENS holds "200k"; allowed: a number from 4000 to 100000000, for/],
    [{ ...key, LLM_CONTEXT_TOKENS: "3999" }, /^LLM_CONTEXT_TOKENS holds "3999"/],
    [{ ...key, MODEL_NAME: "m".repeat(129) }, /^MODEL_NAME is no model's name: one line of up to 128 characters$/],
    [{ ...key, LLM_FALLBACK: "ollama:a\nb" }, /^LLM_FALLBACK names a model of .* more than one line$/],
  ])("%o: is told without quoting a key", (env, text) => {
    const told = refused(env);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(text);
    expect(told[0]).not.toContain("half");
  });
});

describe("a subscription that is sold for coding alone", () => {
  const plan = { LLM_PROVIDER: "zai", ZAI_API_KEY: "z", LLM_BILLING: "subscription" };

  it("is warned of where another than the coder uses it", () => {
    expect(branch(plan).cautions).toEqual([
      "Z.ai sells its subscriptions for coding alone, and the VP General uses one for other work: it may suspend the account. " +
        "Give it another provider (VP_GENERAL_LLM_PROVIDER, VP_GENERAL_LLM_FALLBACK), or ENABLE_VP_GENERAL=false.",
    ]);
    expect(parseHqProfile({ ...hqEnv, ...plan }, { providers: presets }).profile.cautions).toEqual([
      expect.stringMatching(/the primary uses one for other work.*\(PRIMARY_LLM_PROVIDER, PRIMARY_LLM_FALLBACK\)\.$/),
    ]);
  });

  it.each<Env>([
    { ENABLE_VP_GENERAL: "false" },
    { VP_GENERAL_LLM_PROVIDER: "ollama" },
    { LLM_BILLING: "metered" },
    { LLM_PROVIDER: "kimi", KIMI_API_KEY: "k" },
  ])("is not where %o", (env) => {
    expect(branch({ ...plan, ...env }).cautions).toEqual([]);
  });

  it("is by a program that calls no model as well: the one that tells how things are", () => {
    expect(parseProfile({ ...plan, ZAI_API_KEY: "" }, { providers: presets, keyless: true }).cautions).toHaveLength(1);
  });

  it("is where it stands in a fallback as well", () => {
    const env = { ...plan, LLM_PROVIDER: "ollama", LLM_FALLBACK: "zai", LLM_BILLING: "zai:subscription" };
    expect(branch(env).cautions).toHaveLength(1);
  });
});
