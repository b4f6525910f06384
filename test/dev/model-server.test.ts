import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Model, startModel } from "../../dev/model/server.ts";

let model: Model;
const key = crypto.randomUUID();
beforeEach(async () => {
  model = await startModel({ apiKey: key });
});
afterEach(() => model.close());

const cached = { cache_control: { type: "ephemeral" } };
const coderTools = ["bash", "edit", "finish", "read"].map((name) => ({ name, input_schema: { type: "object" } }));
const body = (more: object = {}) => ({ model: "scripted-1", max_tokens: 100, messages: [{ role: "user", content: "Hello" }], ...more });

function post(payload: unknown, headers: Record<string, string> = { "x-api-key": key }, path = "/v1/messages") {
  const init = { method: "POST", headers: { "anthropic-version": "2026-10-21", ...headers }, body: JSON.stringify(payload) };
  return fetch(model.url + path, init);
}

async function events(response: Response) {
  const text = await response.text();
  return text
    .split("\n\n")
    .filter(Boolean)
    .map((part) => JSON.parse(part.split("\ndata: ")[1] ?? "null"));
}

describe("the stand-in's wire", () => {
  it("wants the key, by either header", async () => {
    expect((await post(body(), { "x-api-key": "wrong" })).status).toBe(401);
    expect((await post(body(), {})).status).toBe(401);
    expect((await post(body(), { authorization: `Bearer ${key}` })).status).toBe(200);
    const refused = await post(body(), { "x-api-key": "wrong" });
    expect(await refused.json()).toMatchObject({ type: "error", error: { type: "authentication_error" } });
  });

  it("refuses what is no request, as the API does", async () => {
    const refused = await post({ model: "scripted-1" });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ type: "error", error: { type: "invalid_request_error" } });
    expect((await post(body(), {}, "/v1/complete")).status).toBe(404);
  });

  it("answers as one message", async () => {
    const message = await (await post(body())).json();
    expect(message).toMatchObject({ type: "message", role: "assistant", stop_reason: "end_turn", content: [{ type: "text" }] });
    expect(message.id).toMatch(/^msg_01\w{22}$/);
    expect(message.usage.input_tokens).toBeGreaterThan(0);
    expect(message.usage.output_tokens).toBeGreaterThan(0);
  });

  it("answers the same as a stream", async () => {
    const whole = await (await post(body())).json();
    const stream = await events(await post(body({ stream: true })));
    expect(stream.map((event) => event.type)).toEqual(expect.arrayContaining(["message_start", "content_block_start", "message_delta"]));
    expect(stream.at(-1)).toEqual({ type: "message_stop" });
    const text = stream.map((event) => event.delta?.text ?? "").join("");
    expect(text).toBe(whole.content[0].text);
  });

  it("counts what a cache breakpoint stored as read the next time", async () => {
    const system = [{ type: "text", text: "You help. ".repeat(100), ...cached }];
    const first = { role: "user", content: [{ type: "text", text: "One", ...cached }] };
    const usage = async (messages: object[]) => (await (await post(body({ system, messages }))).json()).usage;

    const cold = await usage([first]);
    expect(cold.cache_read_input_tokens).toBe(0);
    expect(cold.cache_creation_input_tokens).toBeGreaterThan(250);

    const { content } = first;
    const moved = { role: "user", content: [{ type: "text", text: content[0]?.text }] };
    const warm = await usage([
      moved,
      { role: "assistant", content: "Hm." },
      { role: "user", content: [{ type: "text", text: "Two", ...cached }] },
    ]);
    expect(warm.cache_read_input_tokens).toBe(cold.cache_creation_input_tokens);
    expect(warm.cache_creation_input_tokens).toBeGreaterThan(0);

    const other = await usage([{ role: "user", content: [{ type: "text", text: "Other", ...cached }] }]);
    expect(other.cache_read_input_tokens).toBeGreaterThan(0);
    expect(other.cache_read_input_tokens).toBeLessThan(cold.cache_creation_input_tokens);
  });

  it("logs what it was asked and what it said", async () => {
    await post(body({ tools: coderTools }));
    expect(model.requests).toMatchObject([
      { role: "coder", behaviour: "honest", body: { model: "scripted-1" }, says: { call: { name: "finish" } } },
    ]);
  });
});

describe("the stand-in's misbehaviour", () => {
  const call = async (more: object = { tools: coderTools }) =>
    (await (await post(body(more))).json()).content.find((block: { type: string }) => block.type === "tool_use");

  it("never finishes, each call another", async () => {
    model.behave("never-finishes");
    const [one, two] = [await call(), await call()];
    expect(one.name).toBe("bash");
    expect(two.input).not.toEqual(one.input);
  });

  it("calls what nobody offered, and what fits no schema", async () => {
    model.behave("unknown-tool");
    expect((await call()).name).toBe("teleport");
    model.behave("bad-input");
    expect((await call()).input).toEqual({ banana: 1 });
  });

  it.each(["garbage", "concatenated"] as const)("breaks a tool call's JSON on the wire: %s", async (behaviour) => {
    model.behave(behaviour);
    const stream = await events(await post(body({ stream: true, tools: coderTools })));
    const json = stream.map((event) => event.delta?.partial_json ?? "").join("");
    expect(() => JSON.parse(json)).toThrow();
    expect(stream.at(-1)).toEqual({ type: "message_stop" });
  });

  it("refuses", async () => {
    model.behave("refuses");
    expect(await (await post(body())).json()).toMatchObject({ stop_reason: "refusal" });
  });

  it("cuts a stream before its end", async () => {
    model.behave("cuts-stream");
    const stream = await events(await post(body({ stream: true })));
    expect(stream[0].type).toBe("message_start");
    expect(stream.at(-1).type).not.toBe("message_stop");
  });

  it("is overloaded, or fails as told, for as often as told", async () => {
    model.behave("overloaded", { times: 2 });
    expect([(await post(body())).status, (await post(body())).status, (await post(body())).status]).toEqual([529, 529, 200]);
    model.behave("status:503");
    expect((await post(body())).status).toBe(503);
  });

  it("misbehaves in one role only, by the route, or by a header", async () => {
    expect((await post({ behaviour: "overloaded", role: "coder" }, {}, "/dev/behave")).status).toBe(200);
    expect((await post(body())).status).toBe(200);
    expect((await post(body({ tools: coderTools }))).status).toBe(529);
    expect((await post({ behaviour: "nonsense" }, {}, "/dev/behave")).status).toBe(400);
    model.behave("honest");
    expect((await post(body(), { "x-api-key": key, "x-scripted-behaviour": "overloaded" })).status).toBe(529);
  });

  it("is slow, and honest", async () => {
    model.behave("slow:5");
    expect((await post(body())).status).toBe(200);
  });
});
