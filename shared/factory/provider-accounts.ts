/** Where each provider is reached, with whose key, over which wire and on whose bill: one answer a provider, whichever model is asked. */
import * as z from "zod";
import type { Endpoint, ProviderFacts } from "#core/endpoint.ts";
import { type BillingMode, billingModes } from "#core/ledger.ts";
import { type Wire, wires } from "#core/wire-usage.ts";
import { anyText, type Reader, url } from "./env-reader.ts";
import { ownVariables } from "./settings.ts";

/** By name. The first is the default. */
export type Providers = Readonly<Record<string, ProviderFacts>>;

/** Where a provider is reached and with what, whichever of its models is asked. */
type ProviderAccount = Omit<Endpoint, "provider" | "model" | "window"> & {
  /** As the operator says; null: as is known of the model. */
  window: number | null;
};

interface AccountOptions {
  providers: Providers;
  /** LLM_PROVIDER's. */
  main: string;
  /** Providers that somebody may ask, and the variable that names each. */
  named: ReadonlyMap<string, string>;
  /** Those of them that can't do without a key and an address. */
  needed: ReadonlySet<string>;
}

interface Given {
  url: string | null;
  key: string | null;
  /** Goes as a bearer token, whoever it is for. */
  token: string | null;
}

type Family = "ANTHROPIC" | "OPENAI";
const nothing: Given = { url: null, key: null, token: null };

/**
 * A provider's own variables go first. Those of the family of its wire (ANTHROPIC_…, OPENAI_…) belong to the provider of that name where
 * one is asked, and else to LLM_PROVIDER: a key never reaches a provider that it was not meant for.
 */
export function readAccounts(from: Reader, { providers, main, named, needed }: AccountOptions): (provider: string) => ProviderAccount {
  const names = Object.keys(providers);
  const wireOf = from.read("LLM_WIRE", perProvider(oneWord(wires), names, main)) ?? new Map<string, Wire>();
  const billingOf = from.read("LLM_BILLING", perProvider(oneWord(billingModes), names, main)) ?? new Map<string, BillingMode>();
  const windows = from.read("LLM_CONTEXT_TOKENS", perProvider(tokens, names, main)) ?? new Map<string, number>();
  const families: Readonly<Record<Family, Given>> = {
    ANTHROPIC: {
      url: readAddress(from, "ANTHROPIC_BASE_URL"),
      key: readKey(from, "ANTHROPIC_API_KEY"),
      token: readKey(from, "ANTHROPIC_AUTH_TOKEN"),
    },
    OPENAI: { url: readAddress(from, "OPENAI_BASE_URL"), key: readKey(from, "OPENAI_API_KEY"), token: null },
  };
  const ownOf = new Map(names.map((provider) => [provider, readOwn(provider)]));
  // What is missing depends on what is said, and that can't be read.
  const isClear = from.complaints.length === 0;

  function readOwn(provider: string): Given {
    if (provider === "anthropic") return families.ANTHROPIC;
    if (provider === "openai") return families.OPENAI;
    const variables = ownVariables(provider);
    return { url: readAddress(from, variables.url), key: readKey(from, variables.key), token: null };
  }

  function wireFor(provider: string): Wire {
    return wireOf.get(provider) ?? providers[provider]?.wire ?? "anthropic";
  }

  /** The family that lends a provider what its own variables don't say. */
  function lenderOf(provider: string): Family | null {
    const family = familyOf(wireFor(provider));
    return provider === main && !named.has(family.toLowerCase()) ? family : null;
  }

  function accountOf(provider: string, facts: ProviderFacts): ProviderAccount {
    const wire = wireFor(provider);
    const lender = lenderOf(provider);
    const own = ownOf.get(provider) ?? nothing;
    const lent = lender ? families[lender] : nothing;
    const baseUrl = own.url ?? lent.url ?? facts.urls[wire] ?? "";
    // What asks for no key gets none that was not meant for it by name.
    const [first, second] = [own, facts.key === "none" ? nothing : lent];
    const token = first.token ?? (first.key ? null : second.token);
    const value = token ?? first.key ?? second.key;
    const kind = wire === "anthropic" && facts.key === "x-api-key" && !token ? "x-api-key" : "bearer";

    const complain = (what: "url" | "key", why: string) => {
      const variable = ownVariables(provider)[what];
      const lentBy = lender && ownVariables(lender)[what];
      const either = lentBy && lentBy !== variable ? `${variable} or ${lentBy}` : variable;
      from.complain(variable, `is not set; ${facts.label}, which ${named.get(provider)} names, ${why}: set ${either}`);
    };
    if (isClear && named.has(provider) && !baseUrl && facts.urls[wire] === undefined) {
      const spoken = Object.keys(facts.urls).join(", ");
      const instead = `say one of those, or set ${ownVariables(provider).url} to what speaks it`;
      from.complain("LLM_WIRE", `says ${wire} for ${provider}, which speaks ${spoken}: ${instead}`);
    } else if (isClear && needed.has(provider) && !baseUrl) complain("url", "has no address of its own");
    if (isClear && needed.has(provider) && !value && facts.key !== "none") complain("key", "needs a key");
    const window = windows.get(provider) ?? null;
    return { wire, baseUrl, key: value ? { kind, value } : null, window, billing: billingOf.get(provider) ?? facts.billing };
  }

  const accounts = new Map(Object.entries(providers).map(([provider, facts]) => [provider, accountOf(provider, facts)]));
  return (provider) => accounts.get(provider) ?? { wire: "anthropic", baseUrl: "", key: null, window: null, billing: "metered" };
}

/** Text that goes into a header. What can't would fail at every call, as if the provider could not be reached. */
function readKey(from: Reader, variable: string): string | null {
  const key = from.read(variable, anyText);
  if (key === null || /^[\x21-\x7e]+$/.test(key)) return key;
  from.complain(variable, "holds a space, a line break or a character that is in no key: copy it again, whole and alone");
  return null;
}

/** An address that the path of a call is added to. Its value may hold a login, so it is never quoted. */
function readAddress(from: Reader, variable: string): string | null {
  const address = from.read(variable, url("https:", "http:"));
  if (address === null) return null;
  const { username, password, pathname } = new URL(address);
  const called = /\/(?:v1\/messages|chat\/completions|responses)\/?$/.exec(pathname)?.[0];
  if (username || password)
    from.complain(variable, "holds a login, which no call can be made with: take it out, and set the key's own variable");
  else if (/[?#]/.test(address))
    from.complain(variable, "has a part from ? or # on, which the path of a call can't stand behind: take it out");
  else if (called) from.complain(variable, `ends with the path of a call, which is added by itself: leave ${called} out`);
  return address;
}

function familyOf(wire: Wire): Family {
  return wire === "anthropic" ? "ANTHROPIC" : "OPENAI";
}

interface Word<T> {
  allowed: string;
  /** Undefined where it is none. */
  read(text: string): T | undefined;
}

function oneWord<T extends string>(allowed: readonly T[]): Word<T> {
  return { allowed: allowed.join(", "), read: (text) => allowed.find((one) => one === text) };
}

/** Fewer hold no conversation with tools. */
const fewestTokens = 4000;
const tokens: Word<number> = {
  allowed: `a number from ${fewestTokens} to 100000000`,
  read: (text) => (/^\d{4,9}$/.test(text) && Number(text) >= fewestTokens && Number(text) <= 100_000_000 ? Number(text) : undefined),
};

/** `subscription` for LLM_PROVIDER's, or `zai:subscription, openai:metered`. */
function perProvider<T>({ allowed, read }: Word<T>, names: readonly string[], main: string) {
  const form = `${allowed}, for LLM_PROVIDER or as \`provider:…\`, separated by commas`;
  return z.string().transform((value, issues): ReadonlyMap<string, T> => {
    const said = new Map<string, T>();
    for (const part of value.split(",").map((piece) => piece.trim())) {
      const [, provider = main, word = ""] = /^(?:([^:]*?)\s*:)?\s*(.*)$/.exec(part) ?? [];
      const known = read(word);
      if (known !== undefined && names.includes(provider) && said.has(provider))
        issues.addIssue({ code: "custom", message: `names ${provider} twice` });
      else if (known !== undefined && names.includes(provider)) said.set(provider, known);
      else issues.addIssue({ code: "custom", message: `holds ${JSON.stringify(part)}; allowed: ${form}, of ${names.join(", ")}` });
    }
    return said;
  });
}
