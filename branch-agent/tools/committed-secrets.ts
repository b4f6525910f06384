/**
 * The values in a worktree's covered files, kept from the model where they stand elsewhere: what is committed is in the repository's history,
 * which `git show` and `git log -p` print. By value alone, so whoever spells them in a way of their own has them still.
 */
import { basename } from "node:path";
import type { Redactor } from "#ports/redactor.ts";
import type { SandboxScope } from "#ports/sandbox.ts";
import { beginningOf, closedIn } from "../sandbox/secrets.ts";

/** Each is looked for in every output, in several spellings. */
const most = 64;

/** A name that says so, and what it is given; `password` may go without a sign between, as in .netrc. Every repetition has an end. */
const assigned =
  /([\w.-]{0,64}(?:key|token|secret|passw|auth|credential)[\w.-]{0,64})["']?(?:[ \t]{0,8}[:=][ \t]{0,8}|[ \t]{1,8})["']?([^\s"'$]{12,4096})/gi;
const inAddress =
  /([\w.-]{1,64})["']?\s{0,8}[:=]\s{0,8}["']?([a-z][a-z0-9+.-]{0,20}:\/\/[^\s/@"']{0,256}:[^\s/@"']{8,256}@[^\s"']{0,256})/gi;

/**
 * `redact`, and beyond it what the worktree's covered files hold.
 * @param redactor one that nobody else uses
 */
export function hidingCommitted(
  scope: Pick<SandboxScope, "worktree" | "opened">,
  redact: (text: string) => string,
  redactor: Redactor,
): (text: string) => string {
  let learned = false;
  return (text) => {
    // Not before the first output: then the command before it has looked through the worktree already.
    if (!learned) redactor.learn(valuesIn(scope));
    learned = true;
    return redactor.clean(redact(text));
  };
}

function valuesIn(scope: Pick<SandboxScope, "worktree" | "opened">): Record<string, string> {
  const values: Record<string, string> = {};
  for (const path of pathsIn(scope)) {
    const text = Buffer.from(beginningOf(path) ?? "", "latin1").toString("utf8");
    if (text.includes("PRIVATE KEY")) values[basename(path)] = text;
    for (const [, name = "", value = ""] of text.matchAll(assigned)) if (isRandom(value)) values[`${basename(path)} ${name}`] = value;
    for (const [, name = "", value = ""] of text.matchAll(inAddress)) values[`${basename(path)} ${name}`] = value;
  }
  return Object.fromEntries(Object.entries(values).slice(0, most));
}

/** What reads like a word may stand in any file, and would be cut out of it before the model's eyes. */
const isRandom = (value: string) => /\d/.test(value) && /[a-z]/i.test(value);

function pathsIn(scope: Pick<SandboxScope, "worktree" | "opened">): string[] {
  try {
    return closedIn(scope);
  } catch {
    // Too many to cover: then no command runs either.
    return [];
  }
}
