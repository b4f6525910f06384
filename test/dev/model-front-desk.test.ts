import { describe, expect, it } from "vitest";
import { readConversation } from "../../dev/model/conversation.ts";
import { attend, wishOf } from "../../dev/model/front-desk.ts";
import type { WireRequest } from "../../dev/model/wire.ts";

const properties = (...names: string[]) => Object.fromEntries(names.map((name) => [name, { type: "string" }]));
const tools = [
  { name: "cancel", input_schema: { type: "object", properties: properties("id", "reason"), required: ["id"] } },
  { name: "cost", input_schema: { type: "object", properties: {} } },
  {
    name: "delegate",
    input_schema: {
      type: "object",
      properties: {
        ...properties("title", "instruction", "workspace", "factory"),
        kind: { enum: ["general", "coder"] },
        require_verified: { type: "boolean" },
      },
      required: ["title", "instruction", "kind"],
    },
  },
  { name: "fleet", input_schema: { type: "object", properties: {} } },
  { name: "task", input_schema: { type: "object", properties: properties("id") } },
  { name: "view", input_schema: { type: "object", properties: {} } },
];

/** Asks, and answers each tool call from `results`, until the stand-in answers in words. */
function talk(message: string, results: Record<string, string>, offered: WireRequest["tools"] = tools) {
  const request: WireRequest = { model: "m", max_tokens: 100, tools: offered, messages: [{ role: "user", content: message }] };
  const calls: { name: string; input: Record<string, unknown> }[] = [];
  for (let turn = 0; turn < 10; turn++) {
    const says = attend(readConversation(request, "last"));
    if (!says.call) return { calls, text: says.text ?? "" };
    const id = `toolu_${turn}`;
    calls.push(says.call);
    request.messages.push({ role: "assistant", content: [{ type: "tool_use", id, ...says.call }] });
    request.messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: id, content: results[says.call.name] ?? "?" }] });
  }
  throw new Error("it never answered");
}

const fleet = `desk-1 (b1): online, heard of 3 s ago
  led by Homer; scripted/scripted-1; busy 0/1
  capabilities: VP_CODER, FILES
  workspaces: demo-shop, blog-engine
The Attic (attic): offline, heard of 900 s ago
  workspaces: old-crm
cellar (b3): online, heard of 5 s ago
  workspaces: none`;

it("takes the time before a message for no part of it", () => {
  const { calls } = talk("[2030-03-17 17:46 UTC, Sunday]\nThe tests of the shop fail. Fix them.", { fleet: "desk-1\n  workspaces: shop" });
  expect(calls.at(-1)).toMatchObject({ name: "delegate", input: { instruction: "The tests of the shop fail. Fix them." } });
});

describe("the stand-in at the front desk", () => {
  it.each([
    "The tests of the demo shop fail. Fix them.",
    "Please repair the failing tests in demo-shop",
    "demo shop's test suite is broken, can you get it green?",
    "There is a bug in the demo shop. Find it and fix it!",
    "CI of demo-shop is red - take care of the build",
    "The unit tests don't pass in the demo shop",
    "Fix the cost calculation tests of the demo shop",
  ])("has work done: %s", (message) => {
    const { calls, text } = talk(message, {
      fleet,
      delegate: "Task t12-a1b2c3 is dispatched at desk-1: desk-1 has the workspace demo-shop.",
    });
    expect(calls.map((call) => call.name)).toEqual(["fleet", "delegate"]);
    expect(calls[1]?.input).toMatchObject({ kind: "coder", workspace: "demo-shop", instruction: message });
    expect(text).toContain("t12-a1b2c3");
    expect(text).toContain("desk-1");
  });

  it("takes another workspace when the words mean another", () => {
    const { calls } = talk("Fix the tests of the blog engine, please", { fleet });
    expect(calls[1]?.input).toMatchObject({ workspace: "blog-engine" });
  });

  it("names the factory that the owner names", () => {
    expect(talk("Fix the tests of the blog engine on desk-1", { fleet }).calls[1]?.input).toMatchObject({ factory: "desk-1" });
    expect(talk("Fix the tests of the old CRM, on The Attic", { fleet }).calls[1]?.input).toMatchObject({ factory: "The Attic" });
    expect(talk("Fix the tests of the blog engine", { fleet }).calls[1]?.input).not.toHaveProperty("factory");
  });

  it("takes the only workspace whatever it is called", () => {
    const { calls } = talk("My tests fail. Fix them.", { fleet: JSON.stringify([{ id: "b1", name: "home", workspaces: ["zebra"] }]) });
    expect(calls[1]?.input).toMatchObject({ workspace: "zebra" });
  });

  it("asks which of several it should be", () => {
    const { calls, text } = talk("My tests fail. Fix them.", { fleet });
    expect(calls.map((call) => call.name)).toEqual(["fleet"]);
    expect(text).toMatch(/demo-shop, blog-engine, old-crm/);
  });

  it("delegates without a workspace where no factory has one, so that the hold has its reason", () => {
    const { calls, text } = talk("My tests fail. Fix them.", {
      fleet: "No factory is enrolled.",
      delegate: "Held: no factory is enrolled.",
    });
    expect(calls[1]?.input).not.toHaveProperty("workspace");
    expect(text).toBe("Held: no factory is enrolled.");
  });

  it("sends no property that the tool does not know", () => {
    const small = [{ name: "delegate", input_schema: { type: "object", properties: properties("instruction") } }];
    const { calls } = talk("My tests fail. Fix them.", {}, small);
    expect(calls).toEqual([{ name: "delegate", input: { instruction: "My tests fail. Fix them." } }]);
  });

  it.each([
    ["What did that cost?", "cost"],
    ["How much have we spent on fixing the tests?", "cost"],
    ["fleet", "fleet"],
    ["What is the status of my factories?", "fleet"],
    ["Show me the tasks", "task"],
    ["How is it going?", "task"],
    ["Are the tests fixed yet?", "task"],
    ["Open the dashboard", "view"],
  ])("answers %s from the tool %s", (message, tool) => {
    const { calls, text } = talk(message, { [tool]: "$0.42 for 3 of 3" });
    expect(calls.map((call) => call.name)).toEqual([tool]);
    expect(text).toBe("$0.42 for 3 of 3");
  });

  it("cancels the newest task that is not over", () => {
    const task = "t12-a1b2c3: succeeded at desk-1 – Fix tests\nt11-bbbbbb: running at desk-1 – Fix what failed\nt9-cccccc: queued – More";
    const { calls, text } = talk("Stop it, please", { task, cancel: "Cancelled." });
    expect(calls).toEqual([
      { name: "task", input: {} },
      { name: "cancel", input: { id: "t11-bbbbbb", reason: expect.any(String) } },
    ]);
    expect(text).toBe("Cancelled.");
  });

  it("cancels the task that is named, and none where none is left", () => {
    expect(talk("cancel t11-bbbbbb", {}).calls[0]).toMatchObject({ name: "cancel", input: { id: "t11-bbbbbb" } });
    expect(talk("cancel", { task: '[{"id":"task_1","state":"failed"}]' }).text).toContain("nothing to cancel");
  });

  it.each(["What is the capital of France?", "Thanks!", "Don't fix the tests of the demo shop."])("says what it is: %s", (message) => {
    const { calls, text } = talk(message, {});
    expect(calls).toEqual([]);
    expect(text).toContain("stand-in model without intelligence");
  });

  it("reads what the owner wants from the last message, not from earlier ones", () => {
    const request: WireRequest = {
      model: "m",
      max_tokens: 100,
      tools,
      messages: [
        { role: "user", content: "The tests of the demo shop fail. Fix them." },
        { role: "assistant", content: "desk-1 does it." },
        { role: "user", content: [{ type: "text", text: "What does it cost?" }] },
      ],
    };
    expect(attend(readConversation(request, "last")).call?.name).toBe("cost");
  });

  it("knows a wish by its words", () => {
    expect(wishOf("The cancel button of the demo shop is broken, fix the code")).toBe("work");
    expect(wishOf("Abort!")).toBe("cancel");
  });
});
