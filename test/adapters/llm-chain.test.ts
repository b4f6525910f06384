/** Several providers as one. */
import { describe, expect, it, onTestFinished } from "vitest";
import { chain, exhaustedRestMs, restMs } from "#adapters/llm/chain.ts";
import { chainFor } from "#adapters/llm/index.ts";
import { type Script, scriptedLlm } from "#adapters/llm/scripted.ts";
import { UacError } from "#core/errors.ts";
import { noUsage } from "#core/ledger.ts";
import type { Block } from "#ports/llm.ts";
import { asking, fakeClock, llmContract } from "../contracts/llm.contract.ts";
import { endpointOf } from "../support/endpoint.ts";
import { chat, chunk } from "./llm-openai-wire.ts";
import { end, plain, start, startWire, stream } from "./llm-wire.ts";

const down = () => new UacError("llm_unreachable", "It is down.");
const broke = () => Object.assign(new UacError("llm_refused", "No balance."), { exhausted: true });

function twoOf(first: Script, second: Script) {
  const clock = fakeClock();
  const llms = [scriptedLlm(first, { provider: "one", model: "a" }), scriptedLlm(second, { provider: "two", model: "b" })] as const;
  const switched: string[] = [];
  const llm = chain(llms, { clock, onFallback: (from, to, why) => switched.push(`${from.provider} → ${to.provider}: ${why.code}`) });
  return { llm, llms, clock, switched };
}

const toolRequest = asking("Go", { tools: [{ name: "fleet", description: "", inputSchema: { type: "object" } }] });
llmContract("a chain whose first is down", async () => {
  const second = (script: Script) => chain([scriptedLlm(() => down()), scriptedLlm(script)], { clock: fakeClock() });
  return {
    talks: second(["I am a fake."]),
    calls: second([{ tools: [{ name: "fleet", input: {} }] }, "All is well."]),
    toolRequest,
  };
});

describe("a chain", () => {
  it("goes by the name of its first, and asks it first", async () => {
    const { llm, llms } = twoOf(["One"], []);
    expect(llm).toMatchObject({ provider: "one", model: "a" });
    expect(await llm.complete(asking("Hi"))).toMatchObject({ provider: "one", model: "a" });
    expect(llms[1].requests).toHaveLength(0);
  });

  it.each([
    ["is out of reach", down],
    ["is out of money", broke],
    ["sends no whole message", () => new UacError("llm_incomplete", "Half.")],
  ])("asks the next where one %s, and says who answered", async (_, error) => {
    const { llm, switched } = twoOf([error()], ["Two"]);
    expect(await llm.complete(asking("Hi"))).toMatchObject({ content: [{ type: "text", text: "Two" }], provider: "two", model: "b" });
    expect(switched).toEqual([`one → two: ${error().code}`]);
  });

  it.each([
    ["refuses the request", () => new UacError("llm_refused", "Bad request.")],
    ["is over our own budget", () => new UacError("over_budget", "No more.")],
    ["waited for our own budget", () => new UacError("limit_reached", "Others held it.")],
    ["is interrupted", () => new UacError("interrupted", "Stopped.")],
    ["fails in a way of its own", () => new TypeError("a bug")],
  ])("does not ask the next where one %s", async (_, error) => {
    const { llm, llms } = twoOf([error()], ["Two"]);
    await expect(llm.complete(asking("Hi"))).rejects.toMatchObject({ message: error().message });
    expect(llms[1].requests).toHaveLength(0);
  });

  it("leaves one that failed out for a while, longer where its account is empty, and then asks it again", async () => {
    for (const [error, ms] of [
      [down, restMs],
      [broke, exhaustedRestMs],
    ] as const) {
      const { llm, llms, clock } = twoOf(
        (_, call) => (call === 0 ? error() : "One again"),
        () => "Two",
      );
      await llm.complete(asking("Hi"));
      await clock.sleep(ms - 1);
      expect(await llm.complete(asking("Hi"))).toMatchObject({ provider: "two" });
      expect(llms[0].requests).toHaveLength(1);
      await clock.sleep(1);
      expect(await llm.complete(asking("Hi"))).toMatchObject({ provider: "one" });
      expect(await llm.complete(asking("Hi"))).toMatchObject({ provider: "one" });
    }
  });

  it("asks one that rests where nobody else is left", async () => {
    const { llm } = twoOf(
      (_, call) => (call === 0 ? down() : "One"),
      (_, call) => (call === 0 ? "Two" : broke()),
    );
    expect(await llm.complete(asking("Hi"))).toMatchObject({ provider: "two" });
    expect(await llm.complete(asking("Hi"))).toMatchObject({ provider: "one" });
  });

  it("says what each said once all have failed, with what the last one used", async () => {
    const usage = { ...noUsage, uncachedIn: 7 };
    const { llm } = twoOf([broke()], [Object.assign(down(), { usage })]);
    await expect(llm.complete(asking("Hi"))).rejects.toMatchObject({
      code: "llm_unreachable",
      message: "None of 2 models answered. one: No balance. two: It is down.",
      usage,
    });
    const alone = chain([scriptedLlm([down()])], { clock: fakeClock() });
    await expect(alone.complete(asking("Hi"))).rejects.toMatchObject({ message: "It is down." });
  });

  it("does not go on for a caller who is gone", async () => {
    const aborter = new AbortController();
    const { llm, llms } = twoOf(() => {
      aborter.abort();
      return down();
    }, ["Two"]);
    await expect(llm.complete(asking("Hi", { signal: aborter.signal }))).rejects.toMatchObject({ code: "llm_unreachable" });
    expect(llms[1].requests).toHaveLength(0);
  });

  it("keeps each provider's thinking to itself, on the wire", async () => {
    const thinking = [
      { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "Secret of A", signature: "s" } },
      { type: "content_block_stop", index: 0 },
    ];
    const busy = plain(503, { error: { message: "busy" } });
    const zai = await startWire(stream([start(), ...thinking, ...end()]), busy, busy, busy, stream([start(), ...thinking, ...end()]));
    const deepseek = await startWire(chat([chunk({ reasoning_content: "Secret of B", content: "Hi" }, "stop")]));
    onTestFinished(async () => {
      await zai.close();
      await deepseek.close();
    });
    const clock = fakeClock();
    const endpoints = [
      endpointOf({ provider: "zai", apiKey: "key-of-a", baseUrl: zai.url }),
      endpointOf({ provider: "deepseek", wire: "chat", apiKey: "key-of-b", baseUrl: deepseek.url }),
    ] as const;
    const llm = chainFor([...endpoints], { clock, depsFor: () => ({ clock }) });
    const said: Block[] = [];
    const turn = async () => {
      const messages = said.length > 0 ? [{ role: "assistant" as const, content: said }] : asking("Hi").messages;
      said.push(...(await llm.complete(asking("Hi", { messages }))).content);
    };
    await turn();
    await turn();
    await clock.sleep(restMs);
    await turn();
    // Three tries, since another is behind it.
    expect(zai.requests).toHaveLength(5);
    const toA = zai.requests[4]?.body;
    const toB = deepseek.requests[0]?.body;
    expect(JSON.stringify(toB)).not.toContain("Secret of A");
    expect(JSON.stringify(toA)).toContain("Secret of A");
    expect(JSON.stringify(toA)).not.toContain("Secret of B");
    expect(said.map((block) => (block.type === "opaque" ? block.provider : block.type))).toEqual(["zai", "deepseek", "text", "zai"]);
  });

  it("leaves out what another chain of the program found out of order", async () => {
    const clock = fakeClock();
    const resting = new Map<string, number>();
    const asked = () => {
      const first = scriptedLlm(() => broke(), { provider: "one" });
      return { first, llm: chain([first, scriptedLlm(["Two"], { provider: "two" })], { clock, resting }) };
    };
    const [one, other] = [asked(), asked()];
    await one.llm.complete(asking("Hi"));
    await other.llm.complete(asking("Hi"));
    expect([one.first.requests.length, other.first.requests.length]).toEqual([1, 0]);
  });

  it("thinks as much as its seat does, where a request does not say", async () => {
    const server = await startWire(stream([start(), ...end()]));
    onTestFinished(() => server.close());
    const clock = fakeClock();
    const endpoint = endpointOf({ provider: "anthropic", apiKey: "key-of-a", baseUrl: server.url });
    const llm = chainFor([endpoint], { clock, thinking: "high", depsFor: () => ({ clock }) });
    await llm.complete(asking("Hi"));
    await llm.complete(asking("Hi", { thinking: "off" }));
    expect(server.requests.map(({ body }) => body.thinking)).toEqual([{ type: "adaptive" }, { type: "disabled" }]);
  });

  it("of one endpoint is that one", () => {
    const clock = fakeClock();
    const llm = chainFor([endpointOf({ provider: "zai", apiKey: "key-of-a" })], { clock, depsFor: () => ({ clock }) });
    expect(llm).toMatchObject({ provider: "zai", model: "glm-5.3" });
  });
});
