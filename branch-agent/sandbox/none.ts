/** The owner opted out of the sandbox: files can be worked on, commands cannot. */
import { UacError } from "#core/errors.ts";
import type { Sandbox } from "#ports/sandbox.ts";

/** A sandbox that runs nothing: without confinement there are no commands. */
export function noSandbox(): Sandbox {
  return {
    name: "none",
    async check() {},
    enter() {},
    async leave() {},
    bounds: () => ["no command is run"],
    async run() {
      throw new UacError(
        "sandbox_unavailable",
        "Commands are refused here: the factory was started with SANDBOX=none. Work with the file tools.",
      );
    },
  };
}
