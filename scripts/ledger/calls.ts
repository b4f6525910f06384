/** Lines of a recording to calls: what was told of one message, however often, is one call. */
import { noUsage, type Usage } from "#core/ledger.ts";
import { mergeUsage, toldUsage, type Wire } from "#core/wire-usage.ts";
import type { Fields, Heard } from "./body.ts";
import type { Said, Trouble } from "./line.ts";

export interface RecordedCall {
  provider: string;
  /** The provider was not said, so it is who makes such models. */
  assumed: boolean;
  /** As it was asked for, else as the provider reports it. */
  models: readonly string[];
  usage: Usage;
  source: "reported" | "partial" | "estimated";
  interrupted: boolean;
  /** Its input is not in the recording: the cost is a floor. */
  inputUnknown: boolean;
  /** Of a batch, or of another tier with a price of its own. */
  tiered: boolean;
  at: number | null;
}

interface Open {
  wire: Wire;
  provider: { name: string; assumed: boolean };
  id: string | null;
  models: Set<string>;
  counts: Fields;
  bytes: number;
  requestBytes: number | null;
  ended: boolean;
  tiered: boolean;
  at: number | null;
}

/** Who sells models of such names themselves. Others may sell them too, so it is a guess and marked as one. */
const makers: readonly [RegExp, string][] = [
  [/\//, "openrouter"],
  [/^claude-/, "anthropic"],
  [/^glm-/, "zai"],
  [/^deepseek-/, "deepseek"],
  [/^(kimi|moonshot)-/, "kimi"],
  [/^minimax-/, "minimax"],
  [/^(gpt-|chatgpt-|o\d|codex-)/, "openai"],
  [/^gemini-/, "gemini"],
  [/^scripted-/, "scripted"],
];

/** UTF-8 bytes to tokens, rather too many: English has four to one, code and most other languages fewer. */
const bytesPerToken = 3;

export function collectCalls(defaultProvider: string | null) {
  const calls = new Map<string, Open>();
  const byId = new Map<string, Open>();
  /** By stream: the call that its events belong to. */
  const current = new Map<string, Open>();
  let nameless = 0;

  function providerOf(said: Said, models: readonly string[]): Open["provider"] | null {
    const told = said.provider ?? defaultProvider;
    if (told !== null) return { name: told, assumed: false };
    for (const model of models) {
      const maker = makers.find(([pattern]) => pattern.test(model.toLowerCase()))?.[1];
      if (maker) return { name: maker, assumed: true };
    }
    return null;
  }

  function begin(said: Said, heard: Heard): Open | Trouble {
    const models = [said.model, heard.model].filter((model) => model !== null);
    const same = heard.id === null ? undefined : byId.get(heard.id);
    // Last chunks, with the usage, may leave the model out.
    if (same && models.length === 0) return same;
    if (models.length === 0) {
      const why = heard.kind === "part" ? "it belongs to no message that began before it" : "the body names none";
      return { what: "says no model", why, todo: `add "model", or put the event behind its stream's first, with the same "call"` };
    }
    const provider = providerOf(said, models);
    if (!provider)
      return { what: `says no provider of ${models[0]}`, why: "prices differ by who sells a model", todo: `add "provider": "…"` };
    nameless += heard.id === null ? 1 : 0;
    const key = heard.id === null ? `without a name ${nameless}` : `${provider.name} ${heard.id}`;
    const known = calls.get(key);
    if (known) return known;
    const call: Open = {
      ...{ wire: heard.wire, provider, id: heard.id, models: new Set(models), counts: {}, bytes: 0 },
      ...{ requestBytes: said.requestBytes, ended: false, tiered: false, at: said.at ?? heard.at },
    };
    calls.set(key, call);
    if (heard.id !== null) byId.set(heard.id, call);
    return call;
  }

  return {
    /** Takes a line in; what is wrong with it, or null. */
    add(said: Said, heard: Heard): Trouble | null {
      const stream = said.call ?? "";
      const under = current.get(stream);
      const isPart = heard.kind === "part" || heard.kind === "end";
      const goesOn = isPart && under?.wire === heard.wire && (heard.id === null || heard.id === under.id);
      if (heard.kind === "end") {
        if (goesOn) under.ended = true;
        // What follows without a beginning is of a stream whose beginning is not here.
        current.delete(stream);
        return null;
      }
      const call = goesOn ? under : begin(said, heard);
      if ("what" in call) return call;
      // A message that is told anew is not twice as long.
      if (heard.kind === "part") call.bytes += heard.bytes;
      else call.bytes = heard.kind === "begin" ? heard.bytes : Math.max(call.bytes, heard.bytes);
      call.counts = mergeUsage(call.counts, heard.usage);
      call.ended ||= heard.ended;
      call.tiered ||= heard.tier !== null;
      call.requestBytes ??= said.requestBytes;
      for (const model of [said.model, heard.model]) if (model) call.models.add(model);
      if (heard.kind !== "whole") current.set(stream, call);
      return null;
    },
    calls: (): RecordedCall[] => [...calls.values()].map(settled),
  };
}

function settled({ wire, provider, models, counts, bytes, requestBytes, ended, tiered, at }: Open): RecordedCall {
  const told = toldUsage(wire, counts);
  const usage = { ...(told?.usage ?? noUsage) };
  const written = Math.ceil(bytes / bytesPerToken);
  const noInput = usage.uncachedIn + usage.cacheRead + usage.write5m + usage.write1h === 0;
  // A cut stream has told at most how it began; a call that was made is never nothing.
  const guessOutput = !ended || (usage.output === 0 && (bytes > 0 || told === null));
  if (guessOutput) usage.output = Math.max(usage.output, written, 1);
  const guessInput = noInput && requestBytes !== null;
  if (guessInput) usage.uncachedIn = Math.ceil(requestBytes / bytesPerToken);
  return {
    ...{ provider: provider.name, assumed: provider.assumed, models: [...models], usage, at },
    source: guessOutput || guessInput ? "estimated" : (told?.source ?? "estimated"),
    interrupted: !ended,
    inputUnknown: noInput && !guessInput,
    tiered,
  };
}
