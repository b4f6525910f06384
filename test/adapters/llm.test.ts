import { afterEach, describe, expect, it } from "vitest";
import { llmFor } from "#adapters/llm/index.ts";
import { type Preset, presets } from "#adapters/llm/presets.ts";
import { scriptedLlm } from "#adapters/llm/scripted.ts";
import { UacError } from "#core/errors.ts";
import { type Wire, wires } from "#core/wire-usage.ts";
import { startModel } from "../../dev/model/server.ts";
import { asking, fakeClock, llmContract } from "../contracts/llm.contract.ts";
import { endpointOf } from "../support/endpoint.ts";
import { converses, speeches } from "./llm-openai-wire.ts";
import { against, startWire } from "./llm-wire.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of closing.splice(0)) await server.close();
});

const fleetTool = {
  name: "fleet",
  description: "Who is there.",
  inputSchema: { type: "object", properties: {}, additionalProperties: false },
};
const toolRequest = asking("What is the status of the fleet?", { tools: [{ ...fleetTool, name: "delegate" }, fleetTool] });

llmContract("scripted", async () => ({
  talks: scriptedLlm(["I am a fake."]),
  calls: scriptedLlm([{ tools: [{ name: "fleet", input: {} }] }, "All is well."]),
  toolRequest,
}));

/** Every provider over every wire that it speaks. */
const rows = Object.entries(presets).flatMap(([name, preset]) =>
  (Object.keys(preset.urls) as Wire[]).map((wire): [string, Wire, Preset] => [name, wire, preset]),
);

for (const [provider, wire] of rows) {
  llmContract(`${provider}, ${wire}, over HTTP`, async () => {
    const apiKey = crypto.randomUUID();
    const server = wire === "anthropic" ? await startModel({ apiKey }) : await startWire(converses(wire));
    closing.push(server);
    const llm = llmFor(endpointOf({ provider, wire, baseUrl: server.url, apiKey }), { clock: fakeClock() });
    return { talks: llm, calls: llm, toolRequest };
  });
}

describe("headers on the wire", () => {
  const headersOf = async (provider: string, wire: Wire, key: { apiKey?: string; authToken?: string }) => {
    const server = await startWire(speeches[wire].whole);
    closing.push(server);
    await llmFor(endpointOf({ provider, wire, baseUrl: server.url, ...key }), { clock: fakeClock() }).complete(asking("Hi"));
    const [request] = server.requests;
    expect(request?.path).toBe(speeches[wire].path);
    return request?.headers ?? {};
  };

  it.each(rows)("%s, %s: the key goes where it is looked for, and nowhere else", async (name, wire, preset) => {
    const headers = await headersOf(name, wire, { apiKey: "key-1" });
    const asKey = wire === "anthropic" && preset.key === "x-api-key";
    expect(headers["x-api-key"]).toBe(asKey ? "key-1" : undefined);
    expect(headers.authorization).toBe(asKey ? undefined : "Bearer key-1");
    expect(headers["anthropic-version"]).toBe(wire === "anthropic" ? preset.version : undefined);
    expect(headers.accept).toMatch(/event-stream|json/);
    expect(headers).not.toHaveProperty("x-uac-step");
    expect(headers).not.toHaveProperty("x-uac-try");
  });

  it("are the current version's for Anthropic itself, and the classic one's for its imitators", () => {
    expect(presets.anthropic?.version).toBe("2026-10-21");
    expect(presets.zai?.version).toBe("2023-06-01");
  });

  it("send a token as a bearer token alone, whoever it is", async () => {
    const headers = await headersOf("anthropic", "anthropic", { authToken: "token-1" });
    expect(headers.authorization).toBe("Bearer token-1");
    expect(headers).not.toHaveProperty("x-api-key");
  });

  it.each(["anthropic", "chat"] as const)("send no key where none is asked for: Ollama, %s", async (wire) => {
    const headers = await headersOf("ollama", wire, {});
    expect(headers).not.toHaveProperty("authorization");
    expect(headers).not.toHaveProperty("x-api-key");
  });

  it.each(wires)("look for no credential of their own: %s", async (wire) => {
    const planted = [
      "ANTHROPIC_API_KEY",
      "ANTHROPIC_AUTH_TOKEN",
      "OPENAI_API_KEY",
      "OPENAI_ADMIN_KEY",
      "OPENAI_ORG_ID",
      "OPENAI_PROJECT_ID",
    ];
    const lines = ["ANTHROPIC_CUSTOM_HEADERS", "OPENAI_CUSTOM_HEADERS"];
    const before = [...planted, ...lines].map((name) => [name, process.env[name]] as const);
    for (const name of planted) process.env[name] = "from-env";
    for (const name of lines) process.env[name] = "authorization: Bearer from-env\nx-api-key: from-env";
    try {
      const { ask, wire: server } = await against([speeches[wire].whole], { wire, key: null });
      await ask();
      const { authorization, "x-api-key": key, ...rest } = server.requests[0]?.headers ?? {};
      expect([authorization, wire === "anthropic" ? key : undefined]).toEqual([undefined, undefined]);
      if (wire === "anthropic") expect(JSON.stringify(rest)).not.toContain("from-env");
      expect(rest).not.toHaveProperty("openai-organization");
      expect(rest).not.toHaveProperty("openai-project");
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });

  it.each(wires)("tell a meter on the way the step and the try, where they are told to: %s", async (wire) => {
    const { ask, wire: server } = await against([speeches[wire].cut, speeches[wire].whole], { wire, annotate: true });
    await ask(asking("Hi", { step: 7 }));
    expect(server.requests.map(({ headers }) => [headers["x-uac-step"], headers["x-uac-try"]])).toEqual([
      ["7", "1"],
      ["7", "2"],
    ]);
    await ask();
    expect(server.requests[2]?.headers).not.toHaveProperty("x-uac-step");
  });
});

describe("scriptedLlm", () => {
  it("remembers what it was asked, as it was", async () => {
    const llm = scriptedLlm(["One", new UacError("llm_refused", "no"), { text: "Three", stop: "max_tokens" }]);
    const request = asking("Hi");
    await llm.complete(request);
    request.messages[0]?.content.push({ type: "text", text: "later" });
    expect(llm.requests[0]?.messages[0]?.content).toHaveLength(1);
    await expect(llm.complete(request)).rejects.toMatchObject({ code: "llm_refused" });
    expect(await llm.complete(request)).toMatchObject({ stop: "max_tokens" });
    await expect(llm.complete(request)).rejects.toMatchObject({ code: "internal" });
  });

  it("may be a function of the request", async () => {
    const llm = scriptedLlm((request, call) => `${request.system} ${call}`);
    expect((await llm.complete(asking("Hi"))).content).toEqual([{ type: "text", text: "You help. 0" }]);
  });
});
