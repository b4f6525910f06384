import { describe, expect, it } from "vitest";
import { type CapabilityName, type CapabilitySet, capabilityNames, defaultCapabilities } from "#core/capability.ts";
import { defaultLimits } from "#core/limits.ts";
import { actions, actionsOf, type OpsToken, opsTokenMinutes, opsTokenSchema } from "#core/ops-token.ts";

const setOf = (...on: CapabilityName[]) => Object.fromEntries(capabilityNames.map((name) => [name, on.includes(name)])) as CapabilitySet;

describe("actionsOf", () => {
  it.each<[CapabilityName[], string[]]>([
    [[], []],
    [["coder"], []],
    [["general"], []],
    [["files"], ["read", "write"]],
    [["shell"], ["exec"]],
    [["git"], ["commit"]],
    [
      ["git", "push"],
      ["commit", "push"],
    ],
    [
      ["coder", "files", "git"],
      ["read", "write", "commit"],
    ],
    [
      ["files", "shell", "git"],
      ["read", "write", "exec", "commit"],
    ],
  ])("of %j is %j", (on, expected) => expect(actionsOf(setOf(...on))).toEqual(expected));

  it("of a new factory is all that a coder needs: nothing leaves the machine", () =>
    expect(actionsOf(defaultCapabilities("branch"))).toEqual(actions.filter((action) => action !== "push")));
});

describe("opsTokenSchema", () => {
  const token: OpsToken = {
    ...{ iss: "hq", aud: "homer", sub: "homer", jti: "ops_0001", iat: 0, nbf: 0, exp: opsTokenMinutes * 60, gen: 0 },
    ...{ cnf: { jkt: "k".repeat(43) }, tsk: "task_1", epoch: 1, rep: null, act: ["read"], net: [], sec: [], lim: defaultLimits, pol: "p" },
  };

  it("takes a token", () => expect(opsTokenSchema.parse(token)).toEqual(token));

  it.each(Object.keys(token))("refuses one without %s", (name) => {
    const { [name as keyof OpsToken]: _, ...rest } = token;
    expect(opsTokenSchema.safeParse(rest).success).toBe(false);
  });

  it.each([
    ["an unknown key", { scope: "all" }],
    ["another issuer", { iss: "homer" }],
    ["several audiences", { aud: ["homer", "lisa"] }],
    ["an unknown action", { act: ["read", "publish"] }],
    ["more actions than there are", { act: [...actions, "read"] }],
    ["epoch 0", { epoch: 0 }],
    ["a negative generation", { gen: -1 }],
    ["time in halves", { exp: 0.5 }],
    ["no time", { exp: Number.NaN }],
    ["endless time", { exp: Number.POSITIVE_INFINITY }],
    ["a limit of nothing", { lim: { ...defaultLimits, usd: 0 } }],
    ["no limits", { lim: null }],
    ["hosts that are no text", { net: [443] }],
  ])("refuses %s", (_, change) => expect(opsTokenSchema.safeParse({ ...token, ...change }).success).toBe(false));
});
