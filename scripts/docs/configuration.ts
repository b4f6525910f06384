/** docs/configuration.md, from the one table of settings. */
import { presets } from "#adapters/llm/presets.ts";
import { capabilities, capabilityNames } from "#core/capability.ts";
import { ownVariables, type Setting, settings } from "#factory/settings.ts";

const groups: readonly { title: string; who: Setting["for"]; intro: string }[] = [
  { title: "Every factory", who: "both", intro: "Headquarters is a factory too: it reads the same variables." },
  {
    title: "Headquarters",
    who: "headquarters",
    intro: "Those marked *HQ only* never reach a branch: a branch that finds one in its environment refuses to start.",
  },
  { title: "A branch", who: "branch", intro: "Read by the factory on a desktop or a VPS." },
];

/** The whole page, ending in a newline. */
export function renderConfiguration(): string {
  return [
    "# Configuration",
    "",
    "Everything is set by environment variables. Written by `npm run docs` from `shared/factory/settings.ts`; a test compares.",
    "*Secret*: its value is known to the redactor from boot and never appears in a log, a chat or an event.",
    "",
    ...groups.flatMap(({ title, who, intro }) => [
      `## ${title}`,
      "",
      intro,
      "",
      "| variable | says | default |",
      "|---|---|---|",
      ...Object.entries(settings)
        .filter(([, setting]) => setting.for === who)
        .map(([name, setting]) => `| \`${name}\` | ${about(setting)} | ${cell(setting.otherwise)} |`),
      "",
    ]),
    "## Capabilities by role",
    "",
    "The defaults of the `ENABLE_…` flags.",
    "",
    "| variable | headquarters | branch | needs |",
    "|---|---|---|---|",
    ...capabilityNames.map((name) => {
      const { env, on, needs } = capabilities[name];
      const needed = needs.map((need) => `\`${capabilities[need].env}\``).join(", ");
      return `| \`${env}\` | ${onOff(on.headquarters)} | ${onOff(on.branch)} | ${needed || "–"} |`;
    }),
    "",
    "## Providers",
    "",
    "What `LLM_PROVIDER` may be. A key goes into the provider's own variable, such as `ZAI_API_KEY`. LLM_PROVIDER's may also go into that of",
    "its wire: `ANTHROPIC_API_KEY` or `ANTHROPIC_AUTH_TOKEN` where the wire is `anthropic`, else `OPENAI_API_KEY`; where `anthropic` or `openai`",
    "is asked itself, those are its own and nobody else's.",
    "",
    "| provider | wire | default model | sees images | caches | address |",
    "|---|---|---|---|---|---|",
    ...Object.entries(presets).map(([name, { label, wire, model, does, urls }]) =>
      [
        `| \`${name}\` (${label}) | ${wire} | \`${model}\` | ${does.images ? "yes" : "no"} | ${caches[does.caching]}`,
        `| ${urls[wire] ?? `none: set \`${ownVariables(name).url}\``} |`,
      ].join(" "),
    ),
    "",
  ].join("\n");
}

const caches = { marks: "up to our marks", itself: "by itself", none: "no" };

function about({ about, secret, hqOnly }: Setting) {
  const marks = [secret && "*Secret.*", hqOnly && "*HQ only.*"].filter(Boolean);
  return cell([about, ...marks].join(" "));
}

function cell(text: string) {
  return text.replaceAll("|", "\\|");
}

function onOff(on: boolean) {
  return on ? "on" : "off";
}
