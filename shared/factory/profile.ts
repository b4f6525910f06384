/** Environment → profile: who this factory is, what it may do, what it is bounded by. Everything wrong is told at once. */
import * as z from "zod";
import { type Budget, showBudget } from "#core/budget.ts";
import { parseBudget } from "#core/budget-words.ts";
import { type CapabilitySet, capabilities, capabilityNames, defaultCapabilities, unmetNeeds } from "#core/capability.ts";
import { factoryIdPattern } from "#core/fleet.ts";
import { hostEntry } from "#core/hosts.ts";
import { parseUsd } from "#core/ledger.ts";
import { defaultLimits, type Limits } from "#core/limits.ts";
import { defaultPersonas, type Personas, type Seat } from "#core/persona.ts";
import type { Role } from "#core/role.ts";
import { byVp, vpSeats, vps } from "#core/vp.ts";
import { type Thinking, thinkingLevels } from "#ports/llm.ts";
import { anyText, boolean, type Env, list, maxPairs, oneOf, type Reader, reader, text, url, whole } from "./env-reader.ts";
import { type Inference, readInference } from "./inference.ts";
import type { Providers } from "./provider-accounts.ts";
import { settings } from "./settings.ts";
import { readWorkspaces, type WorkspaceSettings } from "./workspace-settings.ts";

export type { Env };

export interface Profile extends WorkspaceSettings {
  role: Role;
  id: string;
  name: string;
  personas: Personas;
  capabilities: CapabilitySet;
  /** Which models each seat asks, the first that answers first. Keys stand in it. */
  inference: Inference;
  /** How much they think; null: as they do by themselves. */
  thinking: Thinking | null;
  /** What works and may still go wrong, in sentences for the operator. */
  cautions: readonly string[];
  limits: Limits;
  /** Where the operator keeps prices of his own; null: nowhere. */
  pricesFile: string | null;
  /** A branch's own, beside those of headquarters. */
  budgets: readonly Budget[];
  slots: number;
  sandbox: "bubblewrap" | "seatbelt" | "none";
  /** What commands may reach (`#core/hosts.ts`), if headquarters says so too. */
  allowHosts: readonly string[];
  /** Files that look like credentials and may be seen in worktrees all the same: paths or patterns. */
  allowSecretFiles: readonly string[];
  /** Bytes that one task's commands may use together, and its worktree may hold; null: as the machine allows. */
  taskMemory: number | null;
  taskDisk: number | null;
  drainMs: number;
  logLevel: "debug" | "info" | "warn" | "error";
  hqUrl: string | null;
  busUrl: string | null;
  busToken: string | null;
}

/** What headquarters needs beside its profile. */
export interface HqSettings {
  databaseUrl: string;
  databaseToken: string | null;
  busUrl: string;
  busToken: string | null;
  /** As branches reach the bus, where that is said apart; null: at `busUrl`. */
  branchBusUrl: string | null;
  branchBusToken: string | null;
  telegramToken: string;
  telegramSecret: string;
  telegramApiRoot: string;
  owners: readonly number[];
  signingKey: string;
  publicUrl: string;
  /** The operator's own prices, JSON; null: none. */
  prices: string | null;
  /** Where it listens; a Worker does not. */
  host: string;
  port: number;
}

function readRole(from: Reader, fixed: Role | null): Role {
  const named = from.read("FACTORY_ROLE", oneOf("headquarters", "branch"));
  const flag = from.read("IS_HEADQUARTERS", boolean);
  const byFlag: Role | null = flag === null ? null : flag ? "headquarters" : "branch";
  if (named && byFlag && named !== byFlag)
    from.complain("IS_HEADQUARTERS", `says ${byFlag}, FACTORY_ROLE says ${named}; set one, or make them agree`);
  const role = named ?? byFlag ?? fixed ?? "branch";
  if (fixed && role !== fixed) from.complain("FACTORY_ROLE", `is ${role}, but this program is always ${fixed}`);
  return fixed ?? role;
}

function readCapabilities(from: Reader, env: Env, role: Role, sandbox: Profile["sandbox"]): CapabilitySet {
  const known = capabilityNames.map((name) => capabilities[name].env);
  for (const name of Object.keys(env)) {
    if (name.startsWith("ENABLE_") && !known.includes(name)) from.complain(name, `is not a capability; there are ${known.join(", ")}`);
  }
  // Without a sandbox no command runs, so nobody is told that one may.
  const defaults = { ...defaultCapabilities(role), ...(sandbox === "none" && { shell: false }) };
  const set = Object.fromEntries(
    capabilityNames.map((name) => [name, from.read(capabilities[name].env, boolean) ?? defaults[name]]),
  ) as CapabilitySet;
  for (const [name, need] of unmetNeeds(set)) {
    from.complain(capabilities[name].env, `is on, but it needs ${capabilities[need].env}: turn that on too, or this off`);
  }
  if (sandbox === "none" && set.shell)
    from.complain("ENABLE_SHELL", "is on, but SANDBOX is none, and no command runs unconfined: change one");
  return set;
}

function readLimits(from: Reader): Limits {
  const usd = z.string().transform((value, issues) => {
    const nanos = parseUsd(value);
    if (!nanos) issues.addIssue({ code: "custom", message: `is ${JSON.stringify(value)}; allowed: dollars above 0, such as 2.50` });
    return nanos ?? 0;
  });
  const minutes = from.read("TASK_MAX_MINUTES", whole(1, 1440));
  return {
    usd: from.read("TASK_BUDGET_USD", usd) ?? defaultLimits.usd,
    tokens: from.read("TASK_MAX_TOKENS", whole(1, 1_000_000_000)) ?? defaultLimits.tokens,
    steps: from.read("TASK_MAX_STEPS", whole(1, 1000)) ?? defaultLimits.steps,
    wallS: minutes === null ? defaultLimits.wallS : minutes * 60,
  };
}

function readBudgets(from: Reader, factory: string): Budget[] {
  const wishes = z.string().transform((text, issues) => {
    const parts = text.split(";").filter((part) => part.trim() !== "");
    const complain = (message: string) => void issues.addIssue({ code: "custom", message });
    const budgets = parts.flatMap((part) => {
      const wish = parseBudget(part, { factory });
      if ("slip" in wish) complain(`says ${JSON.stringify(part.trim())}: ${wish.slip}`);
      if ("remove" in wish) complain(`says ${JSON.stringify(part.trim())}: leave out what is off`);
      return "set" in wish ? [wish.set] : [];
    });
    const twice = budgets.find(({ id }, i) => budgets.findIndex((other) => other.id === id) !== i);
    if (twice) complain(`names ${showBudget(twice)} and another amount for the same`);
    if (budgets.length > maxPairs) complain(`names more than ${maxPairs}`);
    return budgets;
  });
  return from.read("BUDGETS", wishes) ?? [];
}

function readProfile(from: Reader, env: Env, options: ProfileOptions): Profile {
  const role = readRole(from, options.role ?? null);
  const id = from.read("FACTORY_ID", z.string().regex(factoryIdPattern, "is not an id: lower-case letters, digits, hyphens, 2 to 40"));
  const fallback = defaultPersonas[role];
  const sandbox = from.read("SANDBOX", oneOf("bubblewrap", "seatbelt", "none")) ?? options.sandbox ?? "bubblewrap";
  if (role === "branch") {
    for (const [name, setting] of Object.entries(settings)) {
      if (setting.hqOnly && env[name]) from.complain(name, "belongs to headquarters alone; remove it from this branch's environment");
    }
  }
  const bytes = (name: string, least: number) => {
    const megabytes = from.read(name, whole(least, 100_000_000));
    return megabytes === null ? null : megabytes * 1e6;
  };
  const capabilities = readCapabilities(from, env, role, sandbox);
  const allowHosts = from.read("ALLOW_HOSTS", list(hostEntry, "a host: `name`, `name:port` or `*.name:port`")) ?? [];
  const called: readonly Seat[] = role === "headquarters" ? ["primary"] : vpSeats.filter((seat) => capabilities[seat]);
  const { inference, cautions } = readInference(from, { providers: options.providers, called, keyless: options.keyless ?? false });
  return {
    role,
    id: id ?? options.id ?? (role === "headquarters" ? "hq" : ""),
    name: from.read("FACTORY_NAME", text) ?? id ?? options.id ?? (role === "headquarters" ? "HQ" : ""),
    personas: {
      primary: from.read("PRIMARY_NAME", text) ?? fallback.primary,
      ...byVp((seat) => from.read(vps[seat].nameEnv, text) ?? fallback[seat]),
    },
    capabilities,
    inference,
    thinking: from.read("LLM_THINKING", oneOf(...thinkingLevels)),
    cautions: [...cautions, ...networkCautions(capabilities, allowHosts)],
    limits: readLimits(from),
    pricesFile: from.read("PRICES_FILE", z.string().regex(/^\//, "is not an absolute path")),
    budgets: role === "branch" ? readBudgets(from, id ?? options.id ?? "factory") : [],
    slots: from.read("MAX_CONCURRENT_TASKS", whole(1, 64)) ?? 1,
    ...readWorkspaces(from),
    sandbox,
    allowHosts,
    allowSecretFiles:
      from.read(
        "ALLOW_SECRET_FILES",
        list((path) => (/^(?!\/)[^\0]{1,128}$/.test(path) ? path : null), "a path in the worktree"),
      ) ?? [],
    taskMemory: bytes("TASK_MEMORY_MB", 64),
    taskDisk: bytes("TASK_DISK_MB", 16),
    drainMs: (from.read("DRAIN_SECONDS", whole(0, 3600)) ?? 30) * 1000,
    logLevel: from.read("LOG_LEVEL", oneOf("debug", "info", "warn", "error")) ?? "info",
    hqUrl: from.read("HQ_URL", url("https:", "http:")),
    busUrl: from.read("BUS_URL", anyText),
    busToken: from.read("BUS_TOKEN", anyText),
  };
}

function networkCautions({ network }: CapabilitySet, hosts: readonly string[]): string[] {
  if (network && hosts.length === 0) return ["ENABLE_NETWORK is on, but ALLOW_HOSTS names no host: commands reach none"];
  if (!network && hosts.length > 0) return ["ALLOW_HOSTS names hosts, but ENABLE_NETWORK is off: commands reach none"];
  return [];
}

export interface ProfileOptions {
  /** Those that this program has adapters for; the first is the default. */
  providers: Providers;
  /** This program calls no model: that a key is missing is no mistake. */
  keyless?: true;
  /** The role, where the program decides it. */
  role?: Role;
  /** The id that an enrolment fixed. */
  id?: string;
  /** What confines commands on this system, where nothing is said. */
  sandbox?: Profile["sandbox"];
}

/** Throws `bad_config`, naming every variable that is wrong and what is allowed. */
export function parseProfile(env: Env, options: ProfileOptions): Profile {
  const from = reader(env);
  const profile = readProfile(from, env, options);
  from.end();
  return profile;
}

/** Headquarters' profile with its own settings. Throws `bad_config` as `parseProfile` does. */
export function parseHqProfile(env: Env, options: ProfileOptions): { profile: Profile; hq: HqSettings } {
  const from = reader(env);
  const profile = readProfile(from, env, { ...options, role: "headquarters" });
  const secret = z.string().regex(/^[A-Za-z0-9_-]{32,256}$/, "must be 32 to 256 of A-Z a-z 0-9 _ -");
  const ids = z.string().transform((value, issues) => {
    const numbers = value.split(",").map((part) => (/^\s*\d{1,16}\s*$/.test(part) ? Number(part) : Number.NaN));
    if (numbers.some(Number.isNaN))
      issues.addIssue({ code: "custom", message: "holds something that is not a numeric id; user names are not accepted" });
    return numbers;
  });
  const hq: HqSettings = {
    databaseUrl: from.need("DATABASE_URL", url("libsql:", "https:", "http:", "file:"), ""),
    databaseToken: from.read("DATABASE_AUTH_TOKEN", anyText),
    busUrl: from.need("BUS_URL", anyText, ""),
    busToken: profile.busToken,
    branchBusUrl: from.read("BRANCH_BUS_URL", anyText),
    branchBusToken: from.read("BRANCH_BUS_TOKEN", anyText),
    telegramToken: from.need("TELEGRAM_BOT_TOKEN", z.string().regex(/^\d+:[\w-]{30,}$/), ""),
    telegramSecret: from.need("TELEGRAM_WEBHOOK_SECRET", secret, ""),
    telegramApiRoot: from.read("TELEGRAM_API_ROOT", url("https:", "http:")) ?? "https://api.telegram.org",
    owners: from.need("TELEGRAM_OWNER_IDS", ids, []),
    signingKey: from.need("HQ_SIGNING_KEY", z.string().startsWith("{"), ""),
    publicUrl: from.need("PUBLIC_URL", url("https:", "http:"), "").replace(/\/+$/, ""),
    prices: from.read("PRICES", z.string().max(64_000)),
    host: from.read("HOST", z.string().regex(/^[\w.:-]{1,253}$/, "is not a name or an address")) ?? "127.0.0.1",
    port: from.read("PORT", whole(0, 65_535)) ?? 8787,
  };
  from.end();
  return { profile, hq };
}

/** Name → value of every secret that the environment holds, for the redactor. */
export function secretsOf(env: Env): Record<string, string> {
  const names = Object.keys(settings).filter((name) => settings[name]?.secret && env[name]);
  return Object.fromEntries(names.map((name) => [name, env[name] ?? ""]));
}
