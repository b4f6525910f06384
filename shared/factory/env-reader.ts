/** Reads an environment variable by variable: what form each must have, and one list of everything that is wrong. */
import * as z from "zod";
import { UacError } from "#core/errors.ts";
import { settings } from "./settings.ts";

export type Env = Readonly<Record<string, string | undefined>>;
export type Reader = ReturnType<typeof reader>;

const booleans: ReadonlyMap<string, boolean> = new Map([
  ...["true", "1", "yes", "on"].map((word) => [word, true] as const),
  ...["false", "0", "no", "off"].map((word) => [word, false] as const),
]);
export const boolean = z.string().transform((text, issues) => {
  const value = booleans.get(text.toLowerCase());
  if (value === undefined) issues.addIssue({ code: "custom", message: `is ${JSON.stringify(text)}; allowed: true, false` });
  return value ?? false;
});
export const whole = (min: number, max: number) =>
  z.string().transform((text, issues) => {
    const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) {
      issues.addIssue({ code: "custom", message: `is ${JSON.stringify(text)}; allowed: a whole number from ${min} to ${max}` });
    }
    return value;
  });
export const oneOf = <const T extends string>(...allowed: T[]) =>
  z.enum(allowed, { error: (e) => `is ${JSON.stringify(e.input)}; allowed: ${allowed.join(", ")}` });
export const url = (...schemes: string[]) =>
  z.string().refine((text) => URL.canParse(text) && schemes.includes(new URL(text).protocol), {
    error: `is not an address; allowed: ${schemes.join(", ")}`,
  });
/** As many workspaces as a heartbeat can name. */
export const maxPairs = 64;
export const pairs = (separator: string, value: RegExp, form: string) =>
  z.string().transform((text, issues) => {
    const entries = text
      .split(separator)
      .map((part) => part.trim())
      .filter((part) => part !== "");
    const parsed = entries.map((part) => /^([a-z0-9][a-z0-9._-]{0,62})=(.+)$/s.exec(part));
    if (parsed.some((match) => !match || !value.test(match[2] ?? ""))) {
      issues.addIssue({ code: "custom", message: `is not ${form}` });
      return {};
    }
    const names = parsed.map((match) => match?.[1] ?? "");
    if (names.length > maxPairs) issues.addIssue({ code: "custom", message: `names more than ${maxPairs}` });
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) issues.addIssue({ code: "custom", message: `names ${twice} twice` });
    return Object.fromEntries(parsed.map((match) => [match?.[1] ?? "", match?.[2] ?? ""]));
  });

/** A key in the wrong variable is quoted no more than one in its own. Nothing else that is quoted has words of that length. */
function withoutKeys(complaint: string): string {
  return complaint.replace(/\b(?:sk|pk|ghp|gsk|xai)-[\w-]{8,}|[\w-]{32,}/g, "[what looks like a key]");
}

/** What is separated by commas, each in the form that `parse` gives it. */
export const list = (parse: (part: string) => string | null, form: string) =>
  z.string().transform((text, issues) => {
    const parts = text.split(",").map((part) => part.trim());
    const wanted = parts.filter((part) => part !== "");
    const entries = wanted.flatMap((part) => parse(part) ?? []);
    const wrong = wanted.find((part) => parse(part) === null);
    if (wrong !== undefined) issues.addIssue({ code: "custom", message: `names ${JSON.stringify(wrong)}, which is not ${form}` });
    if (entries.length > maxPairs) issues.addIssue({ code: "custom", message: `names more than ${maxPairs}` });
    return [...new Set(entries)];
  });

/** Collects every complaint, so that one run names them all. */
export function reader(env: Env) {
  const complaints: string[] = [];
  return {
    complaints,
    complain(name: string, what: string) {
      complaints.push(`${name} ${what}`);
    },
    read<T>(name: string, schema: z.ZodType<T, string>): T | null {
      const raw = env[name]?.trim();
      if (raw === undefined || raw === "") return null;
      const parsed = schema.safeParse(raw);
      if (parsed.success) return parsed.data;
      const secret = settings[name]?.secret;
      // A complaint may quote the value; a secret's says what it should be instead.
      const what = secret
        ? `has a form that is not allowed. ${settings[name]?.about}`
        : withoutKeys(parsed.error.issues[0]?.message ?? "is not allowed");
      complaints.push(`${name} ${what}`);
      return null;
    },
    need<T>(name: string, schema: z.ZodType<T, string>, otherwise: T): T {
      const before = complaints.length;
      const value = this.read(name, schema);
      if (value === null && complaints.length === before) complaints.push(`${name} is not set; ${settings[name]?.about ?? ""}`);
      return value ?? otherwise;
    },
    end() {
      if (complaints.length > 0) throw new UacError("bad_config", `The configuration can't be used:\n- ${complaints.join("\n- ")}`);
    },
  };
}

export const text = z.string().min(1).max(64);
export const anyText = z.string().max(4096);
