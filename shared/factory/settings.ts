/** Every environment variable that a factory reads, in one table: docs/configuration.md is generated from it. */
import { capabilities, capabilityNames } from "#core/capability.ts";
import { providerNames } from "#core/endpoint.ts";
import { nanosPerUsd } from "#core/ledger.ts";
import { defaultLimits } from "#core/limits.ts";
import { defaultPersonas, type Seat } from "#core/persona.ts";
import type { Role } from "#core/role.ts";
import { type VpSeat, vpSeats, vps } from "#core/vp.ts";

export interface Setting {
  /** Who reads it. */
  for: "both" | Role;
  about: string;
  /** What it is when the environment says nothing; shown in the documentation. */
  otherwise: string;
  /** Its value is known to the redactor from boot. */
  secret?: true;
  /** Held by headquarters alone: a branch that finds it in its environment refuses to start. */
  hqOnly?: true;
}

const personaNames = (seat: Seat) => `${defaultPersonas.headquarters[seat]} at headquarters, ${defaultPersonas.branch[seat]} at a branch`;

function vpSettings(row: (seat: VpSeat) => [string, Setting]): Record<string, Setting> {
  return Object.fromEntries(vpSeats.map(row));
}

const flags = Object.fromEntries(
  capabilityNames.map((name): [string, Setting] => {
    const { env, allows, on, needs } = capabilities[name];
    const need = needs.length > 0 ? ` Needs ${needs.map((n) => capabilities[n].env).join(", ")}.` : "";
    return [env, { for: "both", about: `${allows[0]?.toUpperCase()}${allows.slice(1)}.${need}`, otherwise: String(on.branch) }];
  }),
);

/** The variables of one provider alone. */
export function ownVariables(provider: string): { key: string; url: string } {
  const name = provider.toUpperCase();
  return { key: `${name}_API_KEY`, url: `${name}_BASE_URL` };
}

/** Those of Anthropic and OpenAI serve others too, and have rows of their own. */
const ownSettings = Object.fromEntries(
  providerNames
    .filter((provider) => provider !== "anthropic" && provider !== "openai")
    .flatMap((provider): [string, Setting][] => {
      const { key, url } = ownVariables(provider);
      return [
        [key, { for: "both", about: `Key for \`${provider}\`, before any other.`, otherwise: "–", secret: true }],
        [url, { for: "both", about: `Where \`${provider}\` is.`, otherwise: "the provider's" }],
      ];
    }),
);

const modelSettings: Readonly<Record<string, Setting>> = {
  LLM_PROVIDER: { for: "both", about: "Whose model: one of the providers below.", otherwise: providerNames[0] },
  PRIMARY_LLM_PROVIDER: { for: "both", about: "Overrides LLM_PROVIDER for the primary.", otherwise: "LLM_PROVIDER" },
  ...vpSettings((seat) => [
    vps[seat].providerEnv,
    { for: "both", about: `Overrides LLM_PROVIDER for the ${vps[seat].title}.`, otherwise: "LLM_PROVIDER" },
  ]),
  MODEL_NAME: { for: "both", about: "The model of everybody here who asks LLM_PROVIDER.", otherwise: "the provider's default" },
  PRIMARY_MODEL_NAME: { for: "both", about: "The primary's model.", otherwise: "MODEL_NAME, or its own provider's default" },
  ...vpSettings((seat) => [
    vps[seat].modelEnv,
    { for: "both", about: `The model of the ${vps[seat].title}.`, otherwise: "MODEL_NAME, or its own provider's default" },
  ]),
  LLM_FALLBACK: {
    for: "both",
    about:
      "Who is asked where the first is out of reach, out of order or out of money: up to four `provider` or `provider:model`, separated by commas.",
    otherwise: "none",
  },
  PRIMARY_LLM_FALLBACK: { for: "both", about: "Overrides LLM_FALLBACK for the primary; `none` for nobody.", otherwise: "LLM_FALLBACK" },
  ...vpSettings((seat) => [
    vps[seat].fallbackEnv,
    { for: "both", about: `Overrides LLM_FALLBACK for the ${vps[seat].title}; \`none\` for nobody.`, otherwise: "LLM_FALLBACK" },
  ]),
  LLM_WIRE: {
    for: "both",
    about: "What LLM_PROVIDER is spoken to in, `anthropic`, `chat` or `responses`; for others `provider:wire`, separated by commas.",
    otherwise: "the provider's",
  },
  LLM_BILLING: {
    for: "both",
    about:
      "How LLM_PROVIDER is paid: `metered`, `subscription` (a call costs nothing more) or `local`; for others `provider:…`, separated by commas.",
    otherwise: "the provider's",
  },
  LLM_CONTEXT_TOKENS: {
    for: "both",
    about:
      "How many tokens LLM_PROVIDER's model holds, where it is another number than is known here; for others `provider:…`, separated by commas.",
    otherwise: "as the providers say; for `ollama` 32768",
  },
  LLM_THINKING: { for: "both", about: "How much models think: `off`, `low` or `high`.", otherwise: "as they do by themselves" },
  ANTHROPIC_BASE_URL: {
    for: "both",
    about:
      "Endpoint that speaks Anthropic Messages: Anthropic's where anybody asks `anthropic`, else LLM_PROVIDER's. The same goes for the two below.",
    otherwise: "the provider's",
  },
  ANTHROPIC_API_KEY: { for: "both", about: "Key for it, in the header that the provider wants.", otherwise: "–", secret: true },
  ANTHROPIC_AUTH_TOKEN: {
    for: "both",
    about: "Sent as `Authorization: Bearer`, for endpoints that want that.",
    otherwise: "–",
    secret: true,
  },
  OPENAI_BASE_URL: {
    for: "both",
    about: "Endpoint that speaks OpenAI's Chat Completions or Responses: OpenAI's where anybody asks `openai`, else LLM_PROVIDER's.",
    otherwise: "the provider's",
  },
  OPENAI_API_KEY: { for: "both", about: "Key for it.", otherwise: "–", secret: true },
  ...ownSettings,
};

/** All that says which models are asked, and with what. */
export const modelVariables: readonly string[] = Object.keys(modelSettings);

export const settings: Readonly<Record<string, Setting>> = {
  FACTORY_ROLE: { for: "both", about: "`headquarters` or `branch`.", otherwise: "branch (a Worker is always headquarters)" },
  IS_HEADQUARTERS: {
    for: "both",
    about: "The same as a boolean (`true`, `False`, …). Must agree with FACTORY_ROLE if both are set.",
    otherwise: "–",
  },
  FACTORY_ID: {
    for: "both",
    about: "Lower-case id, unique in the corporation: `[a-z][a-z0-9-]*[a-z0-9]`, at most 40.",
    otherwise: "hq, or the enrolled id",
  },
  FACTORY_NAME: { for: "both", about: "The name that people read.", otherwise: "the id" },
  PRIMARY_NAME: { for: "both", about: "The persona that leads.", otherwise: personaNames("primary") },
  ...vpSettings((seat) => [
    vps[seat].nameEnv,
    { for: "both", about: `The persona of the ${vps[seat].title}.`, otherwise: personaNames(seat) },
  ]),
  ...flags,
  ...modelSettings,
  TASK_BUDGET_USD: {
    for: "both",
    about: "Most that one task may spend, at list price.",
    otherwise: String(defaultLimits.usd / nanosPerUsd),
  },
  TASK_MAX_TOKENS: { for: "both", about: "Most tokens of one task.", otherwise: String(defaultLimits.tokens) },
  TASK_MAX_STEPS: { for: "both", about: "Most model calls of one task.", otherwise: String(defaultLimits.steps) },
  TASK_MAX_MINUTES: { for: "both", about: "Most minutes of one task.", otherwise: String(defaultLimits.wallS / 60) },
  PRICES_FILE: {
    for: "branch",
    about: "Absolute path of a JSON file with prices that go before those that come with the program: [form](models.md#prices).",
    otherwise: "none",
  },
  PRICES: { for: "headquarters", about: "The same for headquarters, as JSON text.", otherwise: "none" },
  BUDGETS: {
    for: "branch",
    about:
      "What this machine may spend, whatever headquarters says: `factory day $5; vp coder 5h 2M tokens`, separated by semicolons. Per day, month or a rolling window of hours.",
    otherwise: "none but those of headquarters",
  },
  MAX_CONCURRENT_TASKS: { for: "branch", about: "Tasks worked on at once (slots), 1 to 64.", otherwise: "1" },
  WORKSPACES: { for: "branch", about: "Repositories to work on: `name=/absolute/path`, separated by commas.", otherwise: "none" },
  WORKSPACE_TESTS: { for: "branch", about: "Their test commands: `name=command`, separated by semicolons.", otherwise: "detected" },
  WORKSPACE_SETUP: {
    for: "branch",
    about:
      "What makes a worktree of theirs ready: `name=command`, separated by semicolons; `none` for nothing. It [runs](repositories.md#set-up) once the owner approved it.",
    otherwise: "detected by the lock file",
  },
  WORKSPACE_HOSTS: {
    for: "branch",
    about: "What that may reach: `name=host:port host:port`, separated by semicolons; `none` for no network.",
    otherwise: "detected",
  },
  RETAIN_DAYS: {
    for: "branch",
    about: "Days that finished branches, logs and transcripts are [kept](repositories.md#what-is-kept).",
    otherwise: "30",
  },
  SANDBOX: {
    for: "branch",
    about: "`bubblewrap` (Linux), `seatbelt` ([macOS](sandbox.md#macos)), or `none`: then no command is ever run, and ENABLE_SHELL is off.",
    otherwise: "bubblewrap; on macOS seatbelt",
  },
  ALLOW_HOSTS: {
    for: "both",
    about:
      "Hosts that commands of tasks may reach, where ENABLE_NETWORK is on: `registry.npmjs.org`, `host:port`, `*.example.org:443`, separated by commas. A task reaches what headquarters and its factory both name.",
    otherwise: "none",
  },
  ALLOW_SECRET_FILES: {
    for: "both",
    about:
      "Files that look like credentials ([which](sandbox.md#secrets)) and may be seen in worktrees all the same: `.env.test, test/fixtures/*.pem`. Headquarters and the factory must both name them.",
    otherwise: "none",
  },
  TASK_MEMORY_MB: {
    for: "branch",
    about: "Most memory of one task's commands together, in megabytes: [how](sandbox.md#bounds).",
    otherwise: "80 % of the machine's, shared among MAX_CONCURRENT_TASKS",
  },
  TASK_DISK_MB: { for: "branch", about: "Most that one task's worktree may hold, in megabytes.", otherwise: "10000" },
  DRAIN_SECONDS: { for: "branch", about: "How long running tasks may go on after SIGTERM before they are given back.", otherwise: "30" },
  UAC_HOME: {
    for: "branch",
    about: "Absolute path of the folder in which the factory keeps its key, journal and worktrees; in no repository that it works on.",
    otherwise: "~/.uac",
  },
  HQ_URL: { for: "branch", about: "Headquarters' address. https, except on loopback.", otherwise: "as enrolled" },
  BUS_URL: {
    for: "both",
    about:
      "`redis://`, `rediss://`, `https://` (Upstash REST), `libsql://host` (`?tls=0` without TLS), `http://` of a libSQL server, or, outside of a Worker, `file:`. For a gateway on this machine also `upstash+http://`.",
    otherwise: "a branch: as enrolled",
    secret: true,
  },
  BUS_TOKEN: {
    for: "both",
    about: "Credential for the bus where its address holds none: Upstash's REST token, or libSQL's.",
    otherwise: "a branch: as enrolled",
    secret: true,
  },
  BRANCH_BUS_URL: {
    for: "headquarters",
    about:
      "The bus as branches reach it, told at enrolment. Without a login in it each gets a Redis user of its own, if the server lets HQ make one.",
    otherwise: "BUS_URL",
    secret: true,
  },
  BRANCH_BUS_TOKEN: {
    for: "headquarters",
    about: "Branches' credential for it. With one, no users are made.",
    otherwise: "a user of its own, else BUS_TOKEN",
    secret: true,
  },
  DATABASE_URL: {
    for: "headquarters",
    about: "The state of record: `libsql://…`, `http://…` or, under Node, `file:…`.",
    otherwise: "required",
    secret: true,
    hqOnly: true,
  },
  DATABASE_AUTH_TOKEN: { for: "headquarters", about: "Its token.", otherwise: "–", secret: true, hqOnly: true },
  TELEGRAM_BOT_TOKEN: { for: "headquarters", about: "From @BotFather.", otherwise: "required", secret: true, hqOnly: true },
  TELEGRAM_WEBHOOK_SECRET: {
    for: "headquarters",
    about: "What Telegram sends with every update: 32 to 256 of `A-Z a-z 0-9 _ -`.",
    otherwise: "required",
    secret: true,
    hqOnly: true,
  },
  TELEGRAM_OWNER_IDS: {
    for: "headquarters",
    about: "Numeric ids of the owners, separated by commas. Nobody else is answered.",
    otherwise: "required",
  },
  TELEGRAM_API_ROOT: { for: "headquarters", about: "Bot API server.", otherwise: "https://api.telegram.org" },
  HQ_SIGNING_KEY: {
    for: "headquarters",
    about: "Ed25519 private key as a JWK: signs orders and Ops Tokens.",
    otherwise: "required",
    secret: true,
    hqOnly: true,
  },
  PUBLIC_URL: { for: "headquarters", about: "Where people and factories reach HQ: the links that Simone sends.", otherwise: "required" },
  PORT: { for: "headquarters", about: "Where it listens; under Node only.", otherwise: "8787" },
  HOST: {
    for: "headquarters",
    about: "On which address; under Node only. Another than loopback needs TLS in front.",
    otherwise: "127.0.0.1",
  },
  LOG_LEVEL: { for: "both", about: "`debug`, `info`, `warn` or `error`.", otherwise: "info" },
};
