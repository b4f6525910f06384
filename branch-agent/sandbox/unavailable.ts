import { UacError } from "#core/errors.ts";

/** What whoever wanted to run a command is told where it can't be confined. */
export function unavailable(why: string, remedy: string) {
  return new UacError("sandbox_unavailable", `No sandbox: ${why}. ${remedy}, or set SANDBOX=none to work without commands.`);
}
